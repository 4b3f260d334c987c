"""The lines that an app changes are found however it imports, names and derives what it streams with."""

import importlib
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import cast

import pytest

from rawasgi.dev.changes import plan
from rawasgi.dev.uses import Search, annotated, is_ours, replaced, tree_of

NUMBERS = itertools.count()
OURS = "from rawasgi.familiar.fastapi import"
ENDPOINT = "\ndef endpoint():\n    return StreamingResponse(iter(()))\n"

Write = Callable[..., ModuleType]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return what makes a module of a text, beside others by their names, and imports it."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(text: str, **others: str) -> ModuleType:
        name = f"changed_{next(NUMBERS)}"
        for other, source in others.items():
            (tmp_path / f"{other}.py").write_text(source)
            monkeypatch.delitem(sys.modules, other, raising=False)
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    return make


def changed(module: ModuleType, yields: bool = False, file: str | None = None) -> str:
    """Return the text of *module* after the changes for its ``endpoint``; of another *file*, if it is named."""
    endpoint = module.endpoint
    found = plan(Search(endpoint).uses, [endpoint] if yields else [])
    path = file or module.__file__ or ""
    lines = Path(path).read_text().splitlines()
    for edit in sorted(found.edits, key=lambda each: (each.line, each.column), reverse=True):
        if edit.file == path:
            text = lines[edit.line - 1][: edit.column - 1] + edit.new + lines[edit.end_line - 1][edit.end_column - 1 :]
            lines[edit.line - 1 : edit.end_line] = text.split("\n") if text else []
    source = "\n".join(lines) + "\n"
    compile(source, path, "exec")
    return source


@pytest.mark.parametrize(
    ("imports", "after"),
    [
        ("from fastapi.responses import StreamingResponse", f"{OURS} StreamingResponse"),
        ("from starlette.responses import StreamingResponse", f"{OURS} StreamingResponse"),
        (
            "from fastapi.responses import (\n    JSONResponse,\n    StreamingResponse,\n)",
            f"from fastapi.responses import JSONResponse\n{OURS} StreamingResponse",
        ),
        (
            "from fastapi.responses import FileResponse, StreamingResponse",  # the file belongs to another endpoint
            f"from fastapi.responses import FileResponse\n{OURS} StreamingResponse",
        ),
        (
            "try:\n    from fastapi.responses import StreamingResponse\nexcept ImportError:\n    raise",
            f"try:\n    {OURS} StreamingResponse\nexcept ImportError:\n    raise",
        ),
    ],
)
def test_an_import_is_replaced(write: Write, imports: str, after: str) -> None:
    assert changed(write(imports + "\n" + ENDPOINT)) == after + "\n" + ENDPOINT


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "from fastapi.responses import StreamingResponse as 流, JSONResponse as J\n\n"
            "def endpoint():\n    return 流(iter(()))\n",
            f"from fastapi.responses import JSONResponse as J\n{OURS} StreamingResponse as 流\n\n"
            "def endpoint():\n    return 流(iter(()))\n",
        ),
        (
            "from fastapi import responses\n\ndef endpoint():\n    return '流', responses.FileResponse('x')\n",
            f"from fastapi import responses\n{OURS} FileResponse\n\n"
            "def endpoint():\n    return '流', FileResponse('x')\n",
        ),
        (
            "import fastapi.responses\n\ndef endpoint():\n    return fastapi.responses.StreamingResponse(iter(()))\n",
            f"import fastapi.responses\n{OURS} StreamingResponse\n\ndef endpoint():\n"
            "    return StreamingResponse(iter(()))\n",
        ),
        (
            "def endpoint():\n    from fastapi.responses import FileResponse\n    return FileResponse('x')\n",
            f"def endpoint():\n    {OURS} FileResponse\n    return FileResponse('x')\n",
        ),
        (
            "def endpoint():\n    import starlette.responses as r\n    return r.FileResponse('x')\n",
            f"def endpoint():\n    import starlette.responses as r\n    {OURS} FileResponse\n"
            "    return FileResponse('x')\n",
        ),
        (
            "from starlette.responses import StreamingResponse\n\nclass Rows(StreamingResponse):\n    pass\n\n"
            "class More(Rows, list[int]):\n    pass\n\ndef endpoint():\n    return More(iter(()))\n",
            f"{OURS} StreamingResponse\n\nclass Rows(StreamingResponse):\n    pass\n\n"
            "class More(Rows, list[int]):\n    pass\n\ndef endpoint():\n    return More(iter(()))\n",
        ),
        (
            "from sse_starlette.sse import EventSourceResponse\nfrom sse_starlette import ServerSentEvent\n\n"
            "def items():\n    yield ServerSentEvent('a')\n    items\n\n"
            "def make():\n    return EventSourceResponse(items())\n\ndef endpoint():\n    return make()\n",
            f"{OURS} EventSourceResponse, ServerSentEvent\n\n"
            "def items():\n    yield ServerSentEvent('a')\n    items\n\n"
            "def make():\n    return EventSourceResponse(items())\n\ndef endpoint():\n    return make()\n",
        ),
    ],
    ids=["alias", "module", "dotted", "in a function", "module in a function", "subclass", "functions"],
)
def test_what_names_it_otherwise_is_changed(write: Write, before: str, after: str) -> None:
    assert changed(write(before)) == after


def test_what_a_function_around_it_imports_is_left_to_a_person(write: Write) -> None:
    module = write(
        "def make():\n    import fastapi.responses\n    Streaming = fastapi.responses.StreamingResponse\n"
        "    def endpoint():\n        return Streaming(iter(()))\n    return endpoint\n\nendpoint = make()\n"
    )
    found = plan(Search(module.endpoint).uses)
    assert found.edits == []
    assert found.notes[0].endswith(":5: import StreamingResponse from rawasgi.familiar.fastapi")


def test_the_module_that_makes_the_response_changes_and_not_the_one_that_calls_it(write: Write, tmp_path: Path) -> None:
    made = f"from fastapi.responses import StreamingResponse\n{ENDPOINT.replace('endpoint', 'made')}"
    module = write("import changed_helper\n\ndef endpoint():\n    return changed_helper.made()\n", changed_helper=made)
    helper = str(tmp_path / "changed_helper.py")
    assert changed(module, file=helper).startswith(f"{OURS} StreamingResponse\n")
    assert changed(module) == Path(module.__file__ or "").read_text()


YIELDS = "\n\n@{name}.get('/')\nasync def endpoint():\n    yield 1\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from fastapi import FastAPI\napp = FastAPI()", f"{OURS} FastAPI\napp = FastAPI()"),
        (
            "import fastapi\n\napp: fastapi.FastAPI = fastapi.FastAPI(\n    title='流'\n)",
            f"import fastapi\n{OURS} FastAPI\n\napp: fastapi.FastAPI = FastAPI(\n    title='流'\n)",
        ),
        (
            "from fastapi import APIRouter as Api, Depends\napp = Api(prefix='/a')",
            f"from fastapi import Depends\n{OURS} APIRouter as Api\napp = Api(prefix='/a')",
        ),
        (
            "from fastapi import APIRouter\nclass A: pass\nclass B(A, APIRouter): pass\nclass C(B): pass\napp = C()",
            f"{OURS} APIRouter\nclass A: pass\nclass B(A, APIRouter): pass\nclass C(B): pass\napp = C()",
        ),
    ],
    ids=["app", "attribute", "alias", "subclass"],
)
def test_an_endpoint_that_yields_gets_our_route(write: Write, before: str, after: str) -> None:
    endpoint = YIELDS.format(name="app")
    assert changed(write(before + endpoint), yields=True) == after + endpoint


def test_the_router_is_changed_where_it_is_made(write: Write, tmp_path: Path) -> None:
    core = "from fastapi import APIRouter\nrouter = APIRouter()\n"
    module = write(
        "from changed_core import router as api" + YIELDS.format(name="api"),
        changed_core="from changed_deep import router\n",
        changed_deep=core,
    )
    deep = str(tmp_path / "changed_deep.py")
    assert changed(module, yields=True, file=deep) == f"{OURS} APIRouter\nrouter = APIRouter()\n"


DEEP = "".join(f"class C{n}(C{n - 1}): pass\n" for n in range(1, 7))


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            "from fastapi import APIRouter\nfrom fastapi.routing import APIRoute\nclass Own(APIRoute): pass\n"
            "api = APIRouter(route_class=Own)" + YIELDS.format(name="api"),
            ":4: derive Own from StreamRoute",
        ),
        (
            "import fastapi\ndef make():\n    return fastapi.FastAPI()\napp = make()" + YIELDS.format(name="app"),
            ":4: its route_class must be StreamRoute",
        ),
        (
            "import fastapi\nclass Apps:\n    make = fastapi.FastAPI\napp = (lambda: fastapi.FastAPI)()()"
            + YIELDS.format(name="app"),
            ":4: its route_class must be StreamRoute",
        ),
        (
            f"from fastapi import FastAPI as C0\n{DEEP}app = C6()" + YIELDS.format(name="app"),
            ":8: its route_class must be StreamRoute",
        ),
        (
            "import changed_away\nclass Own(changed_away.make()): pass\napp = Own()" + YIELDS.format(name="app"),
            ":3: its route_class must be StreamRoute",
        ),
        (
            "from fastapi import APIRouter\nasync def endpoint():\n    yield 1\n"
            "APIRouter().add_api_route('/', endpoint)\n",
            ":2: the router that has endpoint needs route_class=StreamRoute",
        ),
        (
            "from fastapi import APIRouter\ndef make(api):\n    @api.get('/')\n    def endpoint():\n        yield 1\n"
            "    return endpoint\nendpoint = make(APIRouter())\n",
            ":3: the router that has endpoint needs route_class=StreamRoute",
        ),
        (
            "from fastapi import APIRouter\nclass A:\n    api = APIRouter()\n@A.api.get('/')\n"
            "async def endpoint():\n    yield 1\n",
            ":4: the router that has endpoint needs route_class=StreamRoute",
        ),
        (
            "import functools\n@functools.cache\ndef endpoint():\n    yield 1\nendpoint = endpoint.__wrapped__\n",
            ":2: the router that has endpoint needs route_class=StreamRoute",
        ),
    ],
)
def test_a_router_that_cannot_be_changed_is_left_to_a_person(write: Write, text: str, note: str) -> None:
    away = "import fastapi\ndef make():\n    return fastapi.FastAPI\n"
    found = plan([], [write(text, changed_away=away).endpoint])
    assert found.edits == []
    assert found.names == ["StreamRoute"]
    assert found.notes[0].endswith(note)


def test_what_is_imported_already_is_no_use(write: Write) -> None:
    search = Search(write(f"{OURS} StreamingResponse\n{ENDPOINT}").endpoint)
    assert search.uses == []
    assert [name for name, _, _ in search.streaming] == ["StreamingResponse"]


def test_a_class_is_known_by_what_it_is_made_of() -> None:
    from fastapi.sse import EventSourceResponse
    from sse_starlette import JSONServerSentEvent

    from rawasgi.familiar import fastapi as ours

    assert replaced(EventSourceResponse) == "fastapi.sse.EventSourceResponse"
    assert replaced(ours.EventSourceResponse) == replaced(dict) == replaced(None) == ""
    assert replaced(JSONServerSentEvent) == "sse_starlette.event.ServerSentEvent"
    assert is_ours(ours.FileResponse)
    assert not is_ours(ours.ServerSentEvent)


def test_without_fastapi_the_names_are_those_for_starlette(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    module = write(f"from starlette.responses import StreamingResponse\n{ENDPOINT}")
    monkeypatch.delitem(sys.modules, "fastapi")
    assert changed(module).startswith("from rawasgi.familiar import StreamingResponse\n")


@pytest.mark.parametrize("text", [None, "def broken(:\n", "a = '\0'"])
def test_what_cannot_be_read_has_nothing(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "none.py"
    if text is not None:
        file.write_text(text)
    assert tree_of(str(file)).body == []


def test_a_function_that_no_file_has_has_nothing() -> None:
    names: dict[str, object] = {"__name__": "nowhere"}
    exec("def endpoint() -> 'Missing': return StreamingResponse()", names)
    endpoint = cast(FunctionType, names["endpoint"])
    search = Search(endpoint)
    search.read_module(endpoint)
    assert search.uses == []
    assert list(annotated(endpoint)) == []
    assert plan([], [endpoint]).notes == ["<string>:1: the router that has endpoint needs route_class=StreamRoute"]


def test_a_router_that_is_handed_on_too_often_is_not_found(write: Write) -> None:
    others = {f"changed_on{n}": f"from changed_on{n + 1} import router\n" for n in range(6)}
    others["changed_on6"] = "from fastapi import APIRouter\nrouter = APIRouter()\n"
    module = write("from changed_on0 import router" + YIELDS.format(name="router"), **others)
    assert plan([], [module.endpoint]).edits == []


def test_the_classes_of_an_annotation_are_found_in_unions(write: Write) -> None:
    text = (
        "from __future__ import annotations\nfrom typing import Annotated\nfrom fastapi.responses import *\n"
        "def endpoint() -> Annotated[StreamingResponse | None, 'streamed']: ...\ndef other(): ...\n"
    )
    module = write(text)
    assert "StreamingResponse" in {each.__name__ for each in annotated(module.endpoint)}
    assert list(annotated(module.other)) == []


def test_a_property_is_not_run_and_a_method_is_read(write: Write) -> None:
    text = (
        "from fastapi.responses import StreamingResponse\n"
        "class Service:\n    @property\n    def secret(self):\n        raise LookupError\n"
        "    def stream(self):\n        return StreamingResponse(iter(()))\n"
        "service = Service()\nlater: object\n"
        "def endpoint():\n    service.secret, later.x, (1).real\n    return service.stream()\n"
    )
    assert len(Search(write(text).endpoint).uses) == 1


def test_what_has_no_value_yet_is_passed_over(write: Write) -> None:
    text = (
        "def make():\n    def endpoint():\n        return later\n    keep.append(endpoint)\n    raise KeyError\n"
        "    later = 1\nkeep = []\ntry:\n    make()\nexcept KeyError:\n    endpoint = keep[0]\n"
    )
    assert Search(write(text).endpoint).uses == []


def test_a_relative_import_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "changed_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "core.py").write_text("from fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\n"
                                     "app = FastAPI()\n")  # fmt: skip
    text = (
        "from .core import StreamingResponse, app\n@app.get('/')\nasync def endpoint():\n    yield StreamingResponse\n"
    )
    (package / "routes.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("changed_package.routes")
    assert changed(module, yields=True, file=str(package / "core.py")).startswith(f"{OURS} FastAPI\n")
    assert changed(module, yields=True).startswith(f"from .core import app\n{OURS} StreamingResponse\n")
