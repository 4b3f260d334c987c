"""Say which lines of an app change, so that it streams by this package: its imports, and the class of its routes."""

import ast
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType

from rawasgi.dev.places import relative
from rawasgi.dev.uses import REPLACED, Use, absolute, module_of, new_module, node_of, tree_of

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
            found.notes.append(f"{place}: set route_class={ROUTE_CLASS} on the router that has {endpoint.__name__}")
        else:
            owner, statement, call = made
            modules.setdefault(owner.__file__ or "", _Module(owner)).set_route_class(statement, call)
    for module in modules.values():
        found.edits += module.edits()
        found.names += module.names
        found.notes += module.notes
    found.names = sorted(set(found.names))
    found.edits = sorted(set(found.edits))
    found.notes = sorted(set(found.notes))
    return found


@cache
def lines_of(file: str) -> list[str]:
    return Path(file).read_text(encoding="utf-8").splitlines()


class _Module:
    """The changes of one module."""

    def __init__(self, module: ModuleType) -> None:
        self.file = module.__file__ or ""
        self.names: list[str] = []  # "StreamingResponse", or "StreamingResponse as Streaming"
        self.notes: list[str] = []
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
            self.notes.append(f"{relative(self.file)}:{use.node.lineno}: import {name} from {new_module()}")

    def set_route_class(self, statement: ast.stmt, call: ast.Call) -> None:
        """Let the app, or the router, that *call* makes serve its endpoints by our route."""
        given = next((each for each in call.keywords if each.arg == "route_class"), None)
        if given is not None:
            text = ast.unparse(given.value)
            if text != ROUTE_CLASS:
                self.names.append(ROUTE_CLASS)
                self.notes.append(f"{relative(self.file)}:{given.value.lineno}: derive {text} from {ROUTE_CLASS}")
            return
        self.names.append(ROUTE_CLASS)
        self._anchor = self._anchor or self._import(_first_name(call.func))
        if ast.unparse(call.func).rpartition(".")[2] == "APIRouter":
            inside = ast.get_source_segment("\n".join(lines_of(self.file)), call) or "()"
            comma = "" if inside[:-1].rstrip().endswith(("(", ",")) else ", "
            end = _column(self.file, call.end_lineno or 0, (call.end_col_offset or 0) - 1)
            line = call.end_lineno or 0
            self._edits.append(Edit(self.file, line, end, line, end, f"{comma}route_class={ROUTE_CLASS}"))
        else:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target  # type: ignore[attr-defined]
            line, end = statement.end_lineno or 0, statement.end_col_offset or 0
            column = _column(self.file, line, end)
            indent = " " * statement.col_offset
            new = f"\n{indent}{ast.unparse(target)}.router.route_class = {ROUTE_CLASS}"
            self._edits.append(Edit(self.file, line, column, line, column, new))

    def edits(self) -> list[Edit]:
        """Return all edits of the module. An import inside of a function, or of ``try``, is replaced where it stands;
        what else is needed is imported in the place of the first that is replaced, or else after the anchor."""
        found = list(self._edits)
        first = min(
            (node for node in self._replaced if not node.col_offset), key=lambda node: node.lineno, default=None
        )
        names = {name for node, replaced in self._replaced.items() if not node.col_offset for name in replaced.values()}
        names.update(self.names)
        for node, replaced in self._replaced.items():
            rest = [ast.unparse(alias) for alias in node.names if (alias.asname or alias.name) not in replaced]
            source = "." * node.level + (node.module or "")
            lines = [f"from {source} import {', '.join(rest)}"] if rest else []
            if node.col_offset or node is first:
                lines.append(_our_import(replaced.values() if node.col_offset else names))
            found.append(self._edit(node, f"\n{' ' * node.col_offset}".join(lines)))
        if first is None and names and self._anchor is not None:
            line, end = self._anchor.end_lineno or 0, self._anchor.end_col_offset or 0
            column = _column(self.file, line, end)
            new = f"\n{' ' * self._anchor.col_offset}{_our_import(names)}"
            found.append(Edit(self.file, line, column, line, column, new))
        self.names += [name for replaced in self._replaced.values() for name in replaced.values()]
        return found

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


def _constructor(endpoint: FunctionType) -> tuple[ModuleType, ast.stmt, ast.Call] | None:
    """Return the statement, and in which module, that makes the app or the router whose decorator *endpoint* has."""
    module, node = module_of(endpoint), node_of(endpoint)
    if module is None or node is None:
        return None
    for decorator in node.decorator_list:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            return _assignment(module, function.value.id)
    return None


def _assignment(module: ModuleType, name: str) -> tuple[ModuleType, ast.stmt, ast.Call] | None:
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
