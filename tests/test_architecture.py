"""The house: what stands on which floor, what each may look at, and where each message is written."""

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rawasgi"

# A module imports only from floors strictly below its own. A folder is one floor; inside it, only BASE may be imported.
FLOORS = [
    {"app_types"},
    {"asgi", "errors", "outcomes", "servers"},
    {"formats", "states", "paths", "ranges", "codings", "signals"},
    {"headers"},
    {"preconditions", "content_length", "cookies", "url", "parameters", "json_input"},
    {"connection", "forms"},
    {"streams"},
    {"journal"},
    {"listening"},
    {"inbox"},
    {"cancellation", "request", "failures", "extensions", "writing"},
    {"clocks", "trailers"},
    {"suspension"},
    {"driving"},
    {"sending"},
    {"sendfile", "encoding"},
    {"response"},
    {"error_responses"},
    {"respond"},
    {"representation", "websocket", "websocket_shutdown"},
    {"opening", "mounting"},
    {"files"},
    {"handling", "lifespans", "background", "compression", "decompression", "shutdown"},
    {"routing", "familiar"},
    {"__init__"},
]
# sse: chats are server-sent events whose data is JSON.
BASE = {
    "streams": {"base", "nesting", "reading", "stepping", "waiting"},
    "formats": {"decoding", "done_events", "endings", "json_text", "json_values", "limits", "sse", "tokens"}
    | {"multipart_events"},
    "journal": {"base", "memory", "mirror", "retrying", "script", "stored"},
}
# An app that imports such a module by its name has what the module needs.
THIRD_PARTY = {
    "rawasgi.journal.redis": {"redis"},
    "rawasgi.familiar.fastapi.responses": {"fastapi", "starlette"},
    "rawasgi.familiar.fastapi.routes": {"fastapi", "starlette"},
}
DOORS = {
    "rawasgi.streams",
    "rawasgi.journal",
    "rawasgi.familiar",
    "rawasgi.formats",
    "rawasgi",
}  # may import what stands behind them
NO_ASGI = {"formats": set[str](), "streams": set[str](), "journal": {"formats", "streams"}}  # what each may import
NO_AWAIT = {"formats", "states", "headers", "paths", "ranges", "preconditions", "content_length", "codings"} | {
    "cookies",
    "url",
    "parameters",
    "json_input",
    "connection",
}
WAITING = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)

# Where each kind of message is written; asgi.py, states.py and dev/ speak of all of them.
HOMES = {
    "http.response.start": {"response"},
    "http.response.body": {"response", "sendfile", "sending", "shutdown", "writing"},
    "http.response.pathsend": {"sendfile"},
    "http.response.zerocopysend": {"sendfile"},
    "http.response.early_hint": {"extensions"},
    "http.response.push": {"extensions"},
    "http.response.trailers": {"shutdown", "trailers"},
    "http.response.debug": {"extensions"},
    "http.request": {"inbox"},
    "http.disconnect": {"inbox"},
    "websocket.accept": {"websocket"},
    "websocket.send": {"websocket"},
    "websocket.close": {"websocket", "websocket_shutdown"},
    "websocket.http.response.start": {"websocket"},
    "websocket.http.response.body": {"websocket"},
    "lifespan.startup": {"lifespans"},
    "lifespan.shutdown": {"lifespans"},
    "lifespan.startup.complete": {"lifespans"},
    "lifespan.startup.failed": {"lifespans"},
    "lifespan.shutdown.complete": {"lifespans"},
    "lifespan.shutdown.failed": {"lifespans"},
}

FILES = sorted(path for path in PACKAGE.rglob("*.py") if "dev" not in path.relative_to(PACKAGE).parts)


def name_of(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def top(name: str) -> str:
    """The room of a module: what the table of floors calls it."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if top(name) in rooms)


def imports(path: Path) -> set[str]:
    """Every module that *path* imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import it by its whole name"
            module = node.module or ""
            found |= {
                f"{module}.{alias.name}" if list((ROOT / module.replace(".", "/")).glob(f"{alias.name}*")) else module
                for alias in node.names
            }
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_looks_only_down(path: Path) -> None:
    name = name_of(path)
    for other in imports(path):
        if not other.startswith("rawasgi"):
            allowed = sys.stdlib_module_names | THIRD_PARTY.get(name, set())
            assert other.split(".")[0] in allowed, f"{name} must not need {other}"
        elif top(other) == top(name):
            inside = other.split(".")[-1]
            assert name in DOORS or inside in BASE.get(top(name), ()) or top(name) == "familiar", f"{name}: {other}"
        else:
            assert top(other) != "dev", f"{name} must not need the tools of development"
            assert floor(other) < floor(name), f"{name} stands below {other}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_what_knows_no_asgi_and_what_never_waits(path: Path) -> None:
    room, nodes = top(name_of(path)), list(ast.walk(ast.parse(path.read_text())))
    if room in NO_ASGI:
        ours = {other for other in imports(path) if other.startswith("rawasgi.")}
        # Not asgi, and nothing that may come to know it.
        assert not {other for other in ours if top(other) not in {room, *NO_ASGI[room]}}
    if room in NO_AWAIT:
        assert not [node for node in nodes if isinstance(node, WAITING) or getattr(node, "is_async", False)]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name_of)
def test_no_import_is_for_types_only(path: Path) -> None:
    assert "TYPE_CHECKING" not in path.read_text(), "a type that needs an upper floor stands on the wrong one"


def test_every_room_of_the_table_exists() -> None:
    there = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set().union(*FLOORS) == there - {"dev"}


def literals(path: Path) -> set[str]:
    """The types of the messages that *path* writes as literal dicts."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "type" and isinstance(value, ast.Constant):
                    found.add(str(value.value))
    return found


def test_each_message_is_written_in_its_home() -> None:
    written: dict[str, set[str]] = {}
    for path in FILES:
        for kind in literals(path) - {"http"}:  # the scope of one kind made from that of another
            written.setdefault(kind, set()).add(top(name_of(path)))
    assert written == HOMES


ALONE = """
import importlib, sys, types
name, folder = sys.argv[1:]
parents = name.split(".")[:-1]
for depth in range(1, len(parents) + 1):  # their __init__ would import the rest of the house
    parent = types.ModuleType(".".join(parents[:depth]))
    parent.__path__ = ["/".join([folder, *parents[:depth]])]
    sys.modules[parent.__name__] = parent
importlib.import_module(name)
"""


def test_each_module_can_be_imported_alone() -> None:
    def run(path: Path) -> str:
        command = [sys.executable, "-W", "error", "-c", ALONE, name_of(path), str(ROOT)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stderr

    with ThreadPoolExecutor(2) as pool:
        assert [said for said in pool.map(run, FILES) if said] == []


def test_importing_the_package_does_nothing_else() -> None:
    script = (
        "import signal, sys, threading; before = signal.getsignal(signal.SIGTERM); import rawasgi;"
        "assert threading.active_count() == 1 and signal.getsignal(signal.SIGTERM) is before;"
        "print(sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - {'rawasgi'}))"
    )
    process = subprocess.run([sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.strip() in ("[]", "['__main__']")


@pytest.mark.parametrize("folder", ["rawasgi", "examples", "benchmarks"])
def test_files_stay_under_300_lines(folder: str) -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 300} == {}
