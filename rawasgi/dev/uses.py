"""Find where an app's own code uses a streaming response of Starlette, FastAPI or sse-starlette.

Theory of operation. The function of an endpoint is read as a syntax tree (``ast``); each name in it is looked up in the
running module, so that aliases, attributes of modules and subclasses need no rules of their own. A name that is a
function of the app's own code is read in the same way. What only exists while a request is answered, as the method of
an object that a dependency returns, is not found: for that, there is the first request.
"""

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, get_args

from rawasgi.dev.places import is_own
from rawasgi.dev.routes import function_of

# Each class that is replaced, by the module that it is defined in, and the name of ours.
REPLACED = {
    "starlette.responses.StreamingResponse": "StreamingResponse",
    "starlette.responses.FileResponse": "FileResponse",
    "fastapi.sse.EventSourceResponse": "EventSourceResponse",
    "fastapi.sse.ServerSentEvent": "ServerSentEvent",
    "sse_starlette.sse.EventSourceResponse": "EventSourceResponse",
    "sse_starlette.event.ServerSentEvent": "ServerSentEvent",
}
# FastAPI's own classes that make its routes: what an endpoint yields is sent by the route.
ROUTERS = {"fastapi.applications.FastAPI": "FastAPI", "fastapi.routing.APIRouter": "APIRouter"}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a class of ``REPLACED`` or ``ROUTERS``, *old*: the name or attribute at *node* of a *module*."""

    module: ModuleType
    node: ast.Name | ast.Attribute
    old: str

    @property
    def file(self) -> str:
        return self.module.__file__ or ""

    @property
    def new(self) -> str:
        """The name of the class that replaces it."""
        return (REPLACED | ROUTERS)[self.old]


def new_module() -> str:
    """Return the module whose names replace the old ones: it needs FastAPI, and without that there is another."""
    return "rawasgi.familiar.fastapi" if "fastapi" in sys.modules else "rawasgi.familiar"


def replaced(kind: object) -> str:
    """Return which class of ``REPLACED`` *kind* is, or is made of; "" for none, and for a class of ours."""
    for name in _bases(kind):
        if name.startswith("rawasgi."):
            return ""
        if name in REPLACED:
            return name
    return ""


def is_ours(kind: object) -> bool:
    """Return whether *kind* is, or is made of, a streaming response of this package."""
    return any(name.startswith("rawasgi.familiar.") and name.endswith("Response") for name in _bases(kind))


def _bases(kind: object) -> list[str]:
    return [f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__] if isinstance(kind, type) else []


@cache
def tree_of(file: str) -> ast.Module:
    """Return the syntax tree of a *file*; an empty one if it cannot be read."""
    try:
        return ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


def module_of(thing: Any) -> ModuleType | None:
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    return module if getattr(module, "__file__", None) else None


def node_of(function: FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the definition of *function* in its file."""
    first, name = function.__code__.co_firstlineno, function.__code__.co_name
    for node in ast.walk(tree_of(function.__code__.co_filename)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            lines = [node.lineno, *(each.lineno for each in node.decorator_list)]
            if min(lines) == first:
                return node
    return None


class Search:
    """``Search(endpoint)`` reads a function, and those of the app's own that it names.

    ``uses``: of what is replaced. ``streaming``: name, file and line of each class of streaming responses.
    """

    def __init__(self, endpoint: FunctionType | None) -> None:
        self.uses: list[Use] = []
        self.streaming: set[tuple[str, str, int]] = set()
        self._visited: set[int] = set()
        if endpoint is not None:
            self._read(endpoint)

    def read_module(self, endpoint: FunctionType | None, kind: type | None = None) -> None:
        """Find *kind*, as the whole app or router may have it, in the module of *endpoint*; None: any that streams."""
        module = module_of(endpoint)
        if module is None:
            return
        for node in _names(tree_of(module.__file__ or "")):
            value = resolve(node, module.__dict__)
            if value is kind or (kind is None and replaced(value)):
                self._note(node, value, module)

    def _read(self, function: FunctionType) -> None:
        module, node = module_of(function), node_of(function)
        if id(function.__code__) in self._visited or module is None or node is None:
            return
        self._visited.add(id(function.__code__))
        names = {**module.__dict__, **_enclosed(function), **_imported(node, module)}
        for each in _names(node):
            self._note(each, resolve(each, names), module)

    def _read_class(self, kind: type, module: ModuleType) -> None:
        """Find, in its definition, what *kind* is made of."""
        for node in ast.walk(tree_of(module.__file__ or "")):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                for base in node.bases:
                    if isinstance(base, ast.Name | ast.Attribute):
                        self._note(base, resolve(base, module.__dict__), module)

    def _note(self, node: ast.Name | ast.Attribute, value: Any, module: ModuleType) -> None:
        if isinstance(value, type):
            old = replaced(value)
            if (old or is_ours(value)) and not old.endswith("ServerSentEvent"):
                self.streaming.add((value.__name__, module.__file__ or "", node.lineno))
            if f"{value.__module__}.{value.__qualname__}" in REPLACED:
                self.uses.append(Use(module, node, old))
            elif old and (own := module_of(value)) is not None and id(value) not in self._visited:
                self._visited.add(id(value))
                self._read_class(value, own)
        elif (function := function_of(value)) is not None and is_own(function.__code__.co_filename):
            self._read(function)


def _names(node: ast.AST) -> Iterator[ast.Name | ast.Attribute]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name | ast.Attribute) and isinstance(each.ctx, ast.Load):
            yield each


def resolve(node: ast.expr, names: dict[str, Any]) -> Any:
    """Return what a name, or an attribute of one, is now; a value that is nothing, if it is not known yet."""
    if isinstance(node, ast.Name):
        return names.get(node.id, _MISSING)
    if isinstance(node, ast.Attribute):
        owner = resolve(node.value, names)
        if isinstance(owner, ModuleType):
            return owner.__dict__.get(node.attr, _MISSING)
        if owner is not _MISSING:  # a property, which would run, is not looked up
            return inspect.getattr_static(owner, node.attr, _MISSING)
    return _MISSING


def _enclosed(function: FunctionType) -> dict[str, Any]:
    """Return the variables of the functions around *function*, as an app that a function makes has them."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # it has no value yet
            continue
    return found


def _imported(function: ast.AST, module: ModuleType) -> dict[str, Any]:
    """Return what the imports inside of a function bind, of modules that are loaded."""
    found = {}
    for node in ast.walk(function):
        if isinstance(node, ast.ImportFrom):
            source = sys.modules.get(absolute(node, module))
            for alias in node.names:
                found[alias.asname or alias.name] = getattr(source, alias.name, _MISSING)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                found[bound] = sys.modules.get(alias.name if alias.asname else bound, _MISSING)
    return found


def absolute(node: ast.ImportFrom, module: ModuleType) -> str:
    """Return the name of the module that *node*, an import in *module*, imports from."""
    relative = "." * node.level + (node.module or "")
    package = module.__package__ or ""
    return importlib.util.resolve_name(relative, package) if node.level and package else relative


def alias_of(node: ast.AST | None, name: str) -> ast.alias | None:
    """Return the alias by which the import *node* binds *name*."""
    aliases = node.names if isinstance(node, ast.Import | ast.ImportFrom) else []
    return next((each for each in aliases if (each.asname or each.name.partition(".")[0]) == name), None)


def annotated(function: FunctionType) -> Iterator[type]:
    """Yield the classes in the annotation of what *function* returns."""
    try:
        annotation = inspect.signature(function, eval_str=True).return_annotation
    except (NameError, TypeError, ValueError, SyntaxError, AttributeError):  # of a name that only type checkers have
        return
    pending = [annotation]
    while pending:
        each = pending.pop()
        if isinstance(each, type) and each is not inspect.Signature.empty:
            yield each
        pending += get_args(each)
