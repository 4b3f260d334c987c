"""What the README says is true: its apps answer, its commands are there, its lists are whole."""

import importlib
import itertools
import re
from pathlib import Path
from typing import cast

import clock
import pytest
from test_architecture import FLOORS

import rawasgi
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
    assert text.count("```python") == len(APP.findall(text)) == 5


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


@pytest.mark.parametrize("page", PAGES)
def test_the_map_goes_up_from_floor_to_floor(page: str) -> None:
    rows = re.findall(r"^\| [a-z]+ \| (`[^|]+`) \|", (ROOT / page).read_text(), re.MULTILINE)
    rooms = [re.findall(r"`(\w+)/?`", row) for row in rows]
    assert rooms.pop() == ["dev"]
    assert {room for row in rooms for room in row} == set().union(*FLOORS) - {"__init__"}
    floors = [[number for number, floor in enumerate(FLOORS) for room in row if room in floor] for row in rooms]
    assert all(max(lower) <= min(upper) for lower, upper in itertools.pairwise(floors)), floors


@pytest.mark.parametrize("page", PAGES)
def test_the_door_is_told_whole(page: str) -> None:
    told = re.search(r"`import rawasgi`[^`]*((?:`\w+`\s*)+)", (ROOT / page).read_text())
    assert told is not None
    assert re.findall(r"`(\w+)`", told[1]) == rawasgi.__all__


@pytest.mark.parametrize("page", [*PAGES, "examples/README.md"])
def test_every_command_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    assert set(re.findall(r"dev\.py (\w+)", text)) <= {"demo", "test", "bench"}
    for module, name in re.findall(r"(?:uvicorn|hypercorn) (examples[\w.]*):(\w+)", text):
        assert callable(getattr(importlib.import_module(module), name))
    for name in re.findall(r"`((?:\w+/)+\w+\.py)`", text):
        assert (ROOT / name).exists() or ((ROOT / page).parent / name).exists(), name
