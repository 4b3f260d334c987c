"""What the README says is true: its apps answer, its commands are there, its lists are whole."""

import re
from pathlib import Path
from typing import cast

import clock
import pytest

from examples.catalogue import ROWS
from rawasgi.asgi import App
from rawasgi.dev.client import fetch

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "README.zh.md"]
APP = re.compile(r"<!-- app: GET (\S+) -->\n```python\n(.*?)```", re.DOTALL)


def apps() -> list[tuple[str, str, str]]:
    return [(page, path, code) for page in PAGES for path, code in APP.findall((ROOT / page).read_text())]


@pytest.mark.parametrize(("page", "path", "code"), apps(), ids=lambda part: part[:12] if len(part) > 40 else part)
def test_an_app_of_the_readme_answers(page: str, path: str, code: str) -> None:
    names: dict[str, object] = {}
    exec(compile(code, page, "exec"), names)
    answer = clock.run(fetch(cast(App, names["app"]), path, validated=False))
    assert answer.status == 200
    if "count" in path:
        assert answer.text == 'data: {"number": 0}\n\ndata: {"number": 1}\n\ndata: {"number": 2}\n\n'
    else:
        assert answer.text == "数据 0\n数据 1\n数据 2\n"


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_code_is_an_app_that_is_tried(page: str) -> None:
    text = (ROOT / page).read_text()
    assert text.count("```python") == len(APP.findall(text)) == 4


@pytest.mark.parametrize("page", PAGES)
def test_every_stream_and_every_module_is_listed(page: str) -> None:
    text = (ROOT / page).read_text()
    for row in ROWS:
        assert f"| {row.number}{'*' if row.naked else ''} | {row.method} `{row.path}` |" in text
    for path in (ROOT / "rawasgi").iterdir():
        if path.suffix == ".py" and path.stem != "__init__":
            assert f"`{path.stem}`" in text, path.stem
        elif path.is_dir() and path.stem != "__pycache__":
            assert f"`{path.name}/`" in text, path.name
