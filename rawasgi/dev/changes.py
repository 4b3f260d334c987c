"""Say which lines of an app change, so that it streams by this package: its imports, and the class of its routes."""

import ast
import sys
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType, ModuleType

from rawasgi.dev.places import relative
from rawasgi.dev.uses import REPLACED, Use, absolute, module_of, new_module, node_of, resolve, tree_of

ROUTE_CLASS = "StreamRoute"
_IMPORTS = 5  # modules that hand a router on, one to the other


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace a part of *file*, from *line* and *column* up to *end_line* and *end_column*, with *new*.

    All count from 1, columns in characters; the end is not part of it.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    new: str

    @property
    def old_lines(self) -> list[str]:
        """The lines that it changes, as they are."""
        return lines_of(self.file)[self.line - 1 : self.end_line]

    @property
    def new_lines(self) -> list[str]:
        """The lines that it changes, as they will be."""
        old = self.old_lines
        text = old[0][: self.column - 1] + self.new + old[-1][self.end_column - 1 :]
        return text.split("\n") if text.strip() else []

    def as_dict(self) -> dict[str, object]:
        old, new = "\n".join(self.old_lines), "\n".join(self.new_lines)
        return {"file": relative(self.file), "line": self.line, "end_line": self.end_line, "old": old, "new": new}


@dataclass(slots=True)
class Plan:
    """What changes for one route. *names*: what is imported from this package. *notes*: what a person has to do."""

    names: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan(uses: Iterable[Use], yielding: Iterable[FunctionType] = ()) -> Plan:
    """Return what replaces *uses*; *yielding*: the endpoints whose items FastAPI itself encodes and sends."""
    found = Plan()
    modules: dict[str, _Module] = {}
    for use in uses:
        modules.setdefault(use.file, _Module(use.module)).replace(use)
    for endpoint in yielding:
        made = _constructor(endpoint)
        if made is None:
            place = f"{relative(endpoint.__code__.co_filename)}:{endpoint.__code__.co_firstlineno}"
            found.names.append(ROUTE_CLASS)
            found.notes.append(f"{place}: the router that has {endpoint.__name__} needs route_class={ROUTE_CLASS}")
        else:
            owner, statement, call = made
            modules.setdefault(owner.__file__ or "", _Module(owner)).set_route_class(statement, call)
    for module in modules.values():
        found.edits += module.edits()
        found.names += [*module.names, *module.noted]
        found.notes += module.notes
    found.names = sorted(set(found.names))
    found.edits = sorted(set(found.edits))
    found.notes = sorted(set(found.notes))
    return found


@cache
def lines_of(file: str) -> list[str]:
    with tokenize.open(file) as text:  # by its coding cookie
        return text.read().split("\n")


class _Module:
    """The changes of one module."""

    def __init__(self, module: ModuleType) -> None:
        self.file: str = module.__file__ or ""
        self._module = module
        self.names: list[str] = []  # "StreamingResponse", or "StreamingResponse as Streaming"
        self.notes: list[str] = []
        self.noted: list[str] = []  # names that a person has to import, as a note says
        self._tree = tree_of(self.file)
        self._replaced: dict[ast.ImportFrom, dict[str, str]] = {}  # what is bound there: what replaces it
        self._edits: list[Edit] = []
        self._anchor: ast.stmt | None = None  # an import that stays, after which ours can stand

    def replace(self, use: Use) -> None:
        """Let the name or the attribute at *use* be ours."""
        name = REPLACED[use.old]
        node = self._import(_first_name(use.node))
        if isinstance(use.node, ast.Attribute):
            self.names.append(name)
            self._edits.append(self._edit(use.node, name))
            self._anchor = self._anchor or node
        elif isinstance(node, ast.ImportFrom):
            bound = use.node.id
            self._replaced.setdefault(node, {})[bound] = name if bound == name else f"{name} as {bound}"
        else:
            self.noted.append(name)
            self.notes.append(f"{relative(self.file)}:{use.node.lineno}: import {name} from {new_module()}")

    def set_route_class(self, statement: ast.Assign | ast.AnnAssign, call: ast.Call) -> None:
        """Let the app, or the router, that *call* makes serve its endpoints by our route."""
        given = next((each.value for each in call.keywords if each.arg == "route_class"), None)
        if given is not None and ast.unparse(given) == ROUTE_CLASS:
            return
        made = resolve(call.func, self._module.__dict__)
        kinds = [kind.__name__ for kind in made.__mro__] if isinstance(made, type) else []
        if given is not None:
            self.noted.append(ROUTE_CLASS)
            text = ast.unparse(given)
            self.notes.append(f"{relative(self.file)}:{given.lineno}: derive {text} from {ROUTE_CLASS}")
        elif not {"APIRouter", "FastAPI"} & set(kinds):
            self.noted.append(ROUTE_CLASS)
            self.notes.append(f"{relative(self.file)}:{statement.lineno}: set its route_class to {ROUTE_CLASS}")
        else:
            self.names.append(ROUTE_CLASS)
            self._anchor = self._anchor or self._import(_first_name(call.func)) or self._last_import()
            if kinds[0] == "APIRouter":
                self._set_in_router(call)
            else:
                self._set_after(statement, "route_class" if "APIRouter" in kinds else "router.route_class")

    def _set_in_router(self, call: ast.Call) -> None:
        given = [*call.args, *(each.value for each in call.keywords)]
        if given:
            last = max(given, key=lambda each: (each.end_lineno, each.end_col_offset))
            self._insert(last.end_lineno, last.end_col_offset, f", route_class={ROUTE_CLASS}")
        else:
            self._insert(call.end_lineno, (call.end_col_offset or 0) - 1, f"route_class={ROUTE_CLASS}")

    def _set_after(self, statement: ast.Assign | ast.AnnAssign, attribute: str) -> None:
        """FastAPI(...) takes no class of routes, and a subclass may take none: it is set before the first route."""
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        new = f"\n{' ' * statement.col_offset}{ast.unparse(target)}.{attribute} = {ROUTE_CLASS}"
        self._insert(statement.end_lineno, statement.end_col_offset, new)

    def edits(self) -> list[Edit]:
        """Return all edits of the module. An import inside of a function, or of ``try``, is replaced where it stands;
        what else is needed is imported in the place of the first that is replaced, or else after the anchor."""
        top = {node: replaced for node, replaced in self._replaced.items() if not node.col_offset}
        first = min(top, key=lambda node: node.lineno, default=None)
        names = {*self.names, *(name for replaced in top.values() for name in replaced.values())}
        for node, replaced in self._replaced.items():
            rest = [ast.unparse(alias) for alias in node.names if (alias.asname or alias.name) not in replaced]
            source = "." * node.level + (node.module or "")
            lines = [f"from {source} import {', '.join(rest)}"] if rest else []
            if node.col_offset or node is first:
                lines.append(_our_import(replaced.values() if node.col_offset else names))
            self._edits.append(self._edit(node, f"\n{' ' * node.col_offset}".join(lines)))
        if first is None and names and self._anchor is not None:
            new = f"\n{' ' * self._anchor.col_offset}{_our_import(names)}"
            self._insert(self._anchor.end_lineno, self._anchor.end_col_offset, new)
        self.names += [name for replaced in self._replaced.values() for name in replaced.values()]
        return self._edits

    def _insert(self, line: int | None, offset: int | None, new: str) -> None:
        at = line or 0, _column(self.file, line or 0, offset or 0)  # ast.parse() sets both
        self._edits.append(Edit(self.file, *at, *at, new))

    def _edit(self, node: ast.expr | ast.stmt, new: str) -> Edit:
        start = _column(self.file, node.lineno, node.col_offset)
        end = _column(self.file, node.end_lineno or 0, node.end_col_offset or 0)
        return Edit(self.file, node.lineno, start, node.end_lineno or 0, end, new)

    def _import(self, name: str) -> ast.stmt | None:
        """Return the statement that binds *name*."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and _alias(node, name) is not None:
                return node
        return None

    def _last_import(self) -> ast.stmt | None:
        imports = [node for node in self._tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        return imports[-1] if imports else None


def _our_import(names: Iterable[str]) -> str:
    return f"from {new_module()} import {', '.join(sorted(set(names)))}"


def _alias(node: ast.AST | None, name: str) -> ast.alias | None:
    aliases = node.names if isinstance(node, ast.Import | ast.ImportFrom) else []
    return next((each for each in aliases if (each.asname or each.name.partition(".")[0]) == name), None)


def _first_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _column(file: str, line: int, offset: int) -> int:
    """Return the column, in characters from 1, of the *offset*, which ast counts in bytes from 0."""
    return len(lines_of(file)[line - 1].encode()[:offset].decode()) + 1


Made = tuple[ModuleType, ast.Assign | ast.AnnAssign, ast.Call]


def _constructor(endpoint: FunctionType) -> Made | None:
    """Return the statement, and in which module, that makes the app or the router whose decorator *endpoint* has."""
    module, node = module_of(endpoint), node_of(endpoint)
    if module is None or node is None:
        return None
    for decorator in node.decorator_list:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            return _assignment(module, function.value.id)
    return None


def _assignment(module: ModuleType, name: str) -> Made | None:
    for _ in range(_IMPORTS):
        nodes = list(ast.walk(tree_of(module.__file__ or "")))
        for node in nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                    return module, node, node.value
        source = next((each for each in nodes if isinstance(each, ast.ImportFrom) and _alias(each, name)), None)
        alias = _alias(source, name)
        other = sys.modules.get(absolute(source, module)) if source is not None else None
        if other is None or alias is None:
            return None
        module, name = other, alias.name
    return None
