"""Find the app or the router that makes the route of an endpoint, whose class decides which route it is."""

import ast
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from rawasgi.dev.places import relative
from rawasgi.dev.uses import ROUTERS, Use, absolute, alias_of, module_of, node_of, resolve, tree_of

ROUTE_CLASS = "StreamRoute"
_IMPORTS = 5  # modules that hand a router on, one to the other
_BASES = 5  # classes of the app's own between its router and FastAPI's


def owner(endpoint: FunctionType) -> Use | str:
    """Return the use of FastAPI's class that makes the app or the router whose decorator *endpoint* has.

    If there is none that can be replaced, return what a person has to do, in a sentence.
    """
    made = _call(endpoint)
    if made is None:
        place = f"{relative(endpoint.__code__.co_filename)}:{endpoint.__code__.co_firstlineno}"
        return f"{place}: the router that has {endpoint.__name__} needs route_class={ROUTE_CLASS}"
    module, call = made
    given = next((each.value for each in call.keywords if each.arg == "route_class"), None)
    if given is not None:
        return f"{relative(module.__file__ or '')}:{given.lineno}: derive {ast.unparse(given)} from {ROUTE_CLASS}"
    use = _use(module, call.func)
    return use or f"{relative(module.__file__ or '')}:{call.lineno}: its route_class must be {ROUTE_CLASS}"


def _use(module: ModuleType, node: ast.expr) -> Use | None:
    """Return the use of a class of ``ROUTERS`` that *node* is, or that the class at *node* is made of."""
    for _ in range(_BASES):
        kind = resolve(node, module.__dict__)
        if not isinstance(kind, type) or not isinstance(node, ast.Name | ast.Attribute):
            return None
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in ROUTERS:
            return Use(module, node, name)
        own = module_of(kind)
        base = next((each for each in _bases(kind, own) if _is_router(each, own)), None) if own is not None else None
        if own is None or base is None:
            return None
        module, node = own, base
    return None


def _bases(kind: type, module: ModuleType) -> Iterator[ast.expr]:
    for node in ast.walk(tree_of(module.__file__ or "")):
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            yield from node.bases


def _is_router(node: ast.expr, module: ModuleType | None) -> bool:
    kind: Any = resolve(node, module.__dict__ if module is not None else {})
    bases = getattr(kind, "__mro__", ())
    return any(f"{base.__module__}.{base.__qualname__}" in ROUTERS for base in bases)


def _call(endpoint: FunctionType) -> tuple[ModuleType, ast.Call] | None:
    """Return the call, and in which module, that makes what the decorator of *endpoint* belongs to."""
    module, node = module_of(endpoint), node_of(endpoint)
    if module is None or node is None:
        return None
    for decorator in node.decorator_list:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            return _assigned(module, function.value.id)
    return None


def _assigned(module: ModuleType, name: str) -> tuple[ModuleType, ast.Call] | None:
    """Return the call whose result is *name*, where it is assigned, through the modules that import it."""
    for _ in range(_IMPORTS):
        nodes = list(ast.walk(tree_of(module.__file__ or "")))
        for node in nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                    return module, node.value
        source = next((each for each in nodes if isinstance(each, ast.ImportFrom) and alias_of(each, name)), None)
        alias = alias_of(source, name)
        other = sys.modules.get(absolute(source, module)) if source is not None else None
        if other is None or alias is None:
            return None
        module, name = other, alias.name
    return None
