"""Copy a project with another import, and so with our classes: what a user does by hand."""

import re
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).parent / "project"
OURS = "rawasgi.familiar.fastapi"
THEIRS = re.compile(r"^from (fastapi\.responses|fastapi\.sse|sse_starlette) import", re.MULTILINE)
ROUTERS = re.compile(r"^from fastapi import (.*?)\b(APIRouter|FastAPI)\b(?:, )?(.*)$", re.MULTILINE)
Change = Callable[[str], str]


def adopt(text: str) -> str:
    """Return the module *text* with its imports of streaming responses, and of what makes routes, changed to ours."""
    text = THEIRS.sub(f"from {OURS} import", text)
    return ROUTERS.sub(_split, text)


def _split(found: re.Match[str]) -> str:
    before, name, after = found.groups()
    rest = (before + after).removesuffix(", ")
    return f"from {OURS} import {name}" + (f"\nfrom fastapi import {rest}" if rest else "")


def copy(source: Path, target: Path, *changes: Change) -> None:
    """Copy the modules below *source* to *target*, each as *changes* make it."""
    for path in source.rglob("*.py"):
        text = path.read_text()
        for change in changes:
            text = change(text)
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(text)


def changed_imports(text: str) -> int:
    """Return how many import statements ``adopt`` changes in *text*."""
    return len(THEIRS.findall(text)) + len(ROUTERS.findall(text))
