"""The code of an endpoint: where its path is named, and the functions of the examples that it stands on."""

import ast
import inspect
import sys
import textwrap
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType

from examples import naked, raw, twin
from examples.catalogue import Row
from examples.lab.lines import ROOT
from examples.twin import document_000

MOST_PIECES = 12
PREFIXES = {document_000: document_000.router.prefix}
MODULES: dict[str, tuple[ModuleType, ...]] = {
    "rawasgi": raw.ROWS,
    "FastAPI": (
        *(twin.document_000, twin.document_001, twin.document_002, twin.document_003, twin.document_004),
        *(twin.extensions, twin.formats, twin.vendors, twin),
    ),
}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a *file*, below the root of the project, from line *first* on."""

    file: str
    name: str
    first: int
    text: str


@cache
def excerpts(side: str, row: Row) -> tuple[Excerpt, ...]:
    """Return the endpoint of *row* on that *side*, then what it uses of the examples, the nearest first; or nothing."""
    found = list(_endpoint(side, row))
    pieces: dict[tuple[str, int], Excerpt] = {}
    ahead = deque(found)
    while ahead and len(pieces) < MOST_PIECES:
        module, node = ahead.popleft()
        piece = _excerpt(module, node)
        if (piece.file, piece.first) not in pieces:
            pieces[piece.file, piece.first] = piece
            ahead.extend(_used(module, node))
    return tuple(pieces.values())


# The endpoint


def _endpoint(side: str, row: Row) -> Iterator[tuple[ModuleType, ast.stmt]]:
    if side == "naked":
        name = _by_hand(row)
        yield from ((naked, node) for node in _tree(naked).body if isinstance(node, _FUNCTIONS) and node.name == name)
        return
    for module in MODULES.get(side, ()):
        path = row.path.removeprefix(PREFIXES.get(module, "") if side == "FastAPI" else "")
        path = path.replace("/files/{path}", "/files")
        yield from ((module, node) for node in _tree(module).body if _names(node, path))


def _by_hand(row: Row) -> str | None:
    if not row.naked:
        return None
    special = {"/json/{count}": "json_row", "/ws": "websocket"}
    return special.get(row.path) or naked.ROWS[row.path].__name__


def _names(node: ast.stmt, path: str) -> bool:
    """Whether *node* is decorated for the *path*, or a call that routes it."""
    calls = node.decorator_list if isinstance(node, _FUNCTIONS) else [node.value] if isinstance(node, ast.Expr) else []
    return any(
        isinstance(argument, ast.Constant) and argument.value == path
        for call in calls
        if isinstance(call, ast.Call)
        for argument in call.args
    )


# What it uses

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINED = (*_FUNCTIONS, ast.ClassDef)


def _used(module: ModuleType, node: ast.stmt) -> Iterator[tuple[ModuleType, ast.stmt]]:
    """The functions of the examples that *node* names."""
    for each in ast.walk(node):
        value: object = None
        if isinstance(each, ast.Name):
            value = vars(module).get(each.id)
        elif isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name):
            owner = vars(module).get(each.value.id)
            value = vars(owner).get(each.attr) if isinstance(owner, ModuleType) else None
            if value is None:  # a method of an object of the module: machine.watch
                value = getattr(type(owner), each.attr, None)
        found = _definition(inspect.unwrap(value)) if inspect.isfunction(value) or inspect.isclass(value) else None
        if found is not None:
            yield found


def _definition(value: FunctionType | type) -> tuple[ModuleType, ast.stmt] | None:
    """Where a function or a class of the examples is written; None for what is the same in each row."""
    module = sys.modules[value.__module__]
    within = module is naked or module.__name__.startswith(("examples.sources.", "examples.raw.", "examples.twin."))
    if not within or module.__name__.endswith((".pace", ".parameters", ".shared", ".items")):
        return None
    named = (node for node in ast.walk(_tree(module)) if isinstance(node, _DEFINED) and node.name == value.__name__)
    line = value.__code__.co_firstlineno if isinstance(value, FunctionType) else None
    return next(((module, node) for node in named if line in (None, _first(node))), None)


def _first(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, _DEFINED) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


# Text


@cache
def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _excerpt(module: ModuleType, node: ast.stmt) -> Excerpt:
    path = Path(str(module.__file__))
    lines = path.read_text(encoding="utf-8").splitlines()
    first = _first(node)
    while not isinstance(node, _DEFINED) and lines[first - 2].startswith("#"):
        first -= 1  # what is said of it
    name = node.name if isinstance(node, _DEFINED) else ""
    text = textwrap.dedent("\n".join(lines[first - 1 : node.end_lineno]))
    return Excerpt(str(path.relative_to(ROOT)), name, first, text)
