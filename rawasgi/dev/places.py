"""Which code is the app's own, and where it stands: ``file.py:12 in rows``."""

import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from pathlib import Path
from types import CodeType, FrameType

import rawasgi

LIBRARIES = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(rawasgi.__file__).resolve().parent) + os.sep}
)

LOOPS = (os.path.join("asyncio", "events.py"), os.path.join("asyncio", "base_events.py"))

PLACE = re.compile(r"(?:.*, at )?(?P<file>.+?):(?P<line>\d+) in ")  # as place() returns it, also of a thread


@cache
def is_own(filename: str) -> bool:
    """Whether a file is the app's: neither the standard library, nor an installed package, nor ours."""
    return not filename.startswith("<") and not str(Path(filename).resolve()).startswith(LIBRARIES)


def is_source(code: CodeType) -> bool:
    """Whether *code* is a generator of the app's own."""
    return bool(code.co_flags & (CO_ASYNC_GENERATOR | CO_GENERATOR)) and is_own(code.co_filename)


def place(code: CodeType, line: int | None = None) -> str:
    """Return where *code* stands, as short as it can be said."""
    path = code.co_filename
    for root in sorted((os.getcwd(), *sys.path), key=len, reverse=True):
        if root and path.startswith(root + os.sep):
            path = path[len(root) + 1 :]
            break
    return f"{path}:{line or code.co_firstlineno} in {code.co_qualname}"


def locate(place: str) -> tuple[str, int] | None:
    """Return the file and the line of what ``place`` returned; the file relative to this folder if it is in it."""
    found = PLACE.match(place)
    if found is None:
        return None
    roots = (Path(root or ".") / found["file"] for root in (os.getcwd(), *sys.path))
    path = next((path for path in roots if path.is_file()), Path(found["file"]))
    return relative(path), int(found["line"])


def relative(path: str | Path) -> str:
    """Return *path* relative to this folder if it is in it, with forward slashes."""
    whole = Path(path).resolve()
    return (whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole).as_posix()


def within(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield *frame* and its callers, innermost first, as far as the callback that the event loop runs."""
    while frame is not None and not frame.f_code.co_filename.endswith(LOOPS):
        yield frame
        frame = frame.f_back
