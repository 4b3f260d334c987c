"""Say which lines of an app change, so that it streams by this package: its imports."""

import ast
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType, ModuleType

from rawasgi.dev.owners import ROUTE_CLASS, owner
from rawasgi.dev.places import relative
from rawasgi.dev.uses import Use, alias_of, new_module, tree_of


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
    owners = [owner(endpoint) for endpoint in yielding]
    found.notes += [each for each in owners if isinstance(each, str)]
    found.names += [ROUTE_CLASS] if found.notes else []
    modules: dict[str, _Module] = {}
    for use in [*uses, *(each for each in owners if isinstance(each, Use))]:
        modules.setdefault(use.file, _Module(use.module)).replace(use)
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
        self.names: list[str] = []  # "StreamingResponse", or "StreamingResponse as Streaming"
        self.notes: list[str] = []
        self.noted: list[str] = []  # names that a person has to import, as a note says
        self._tree = tree_of(self.file)
        self._replaced: dict[ast.ImportFrom, dict[str, str]] = {}  # what is bound there: what replaces it
        self._edits: list[Edit] = []
        self._anchor: ast.stmt | None = None  # an import that stays, after which ours can stand

    def replace(self, use: Use) -> None:
        """Let the name or the attribute at *use* be ours."""
        name = use.new
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
            line = self._anchor.end_lineno or 0  # ast.parse() sets it
            at = line, _column(self.file, line, self._anchor.end_col_offset or 0)
            self._edits.append(Edit(self.file, *at, *at, new))
        self.names += [name for replaced in self._replaced.values() for name in replaced.values()]
        return self._edits

    def _edit(self, node: ast.expr | ast.stmt, new: str) -> Edit:
        start = _column(self.file, node.lineno, node.col_offset)
        end = _column(self.file, node.end_lineno or 0, node.end_col_offset or 0)
        return Edit(self.file, node.lineno, start, node.end_lineno or 0, end, new)

    def _import(self, name: str) -> ast.stmt | None:
        """Return the statement that binds *name*."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and alias_of(node, name) is not None:
                return node
        return None


def _our_import(names: Iterable[str]) -> str:
    return f"from {new_module()} import {', '.join(sorted(set(names)))}"


def _first_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _column(file: str, line: int, offset: int) -> int:
    """Return the column, in characters from 1, of the *offset*, which ast counts in bytes from 0."""
    return len(lines_of(file)[line - 1].encode()[:offset].decode()) + 1
