"""Path patterns: ``/users/{id:int}`` to a match and back, and a table of many.

A path is text, already percent-decoded, as in ``scope["path"]``; its segments stand between slashes. A parameter is a
whole segment, never empty; ``{rest:path}``, which comes last, is all that is left, with its slashes, and may be empty.
What a path parameter holds may well be ``../etc``: check it before a file is opened by it.

A table is a dictionary for the patterns without a parameter, and a tree of segments for the others. A node has a child
for each literal segment and one for "any", whatever the converter, so a look-up costs by the segments of the path, not
by the number of patterns. Converters run at the leaves. Nothing here goes back over characters.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import isinf
from typing import Generic, TypeVar
from urllib.parse import quote
from uuid import UUID

from rawasgi.asgi import HTTPScope, WebSocketScope

T = TypeVar("T")

_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z_0-9]*)(?::([a-z]+))?\}")
_FLOAT = re.compile(r"[0-9]+(\.[0-9]+)?")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}")
_MAX_DIGITS = 640  # as many as int() reads under every setting of sys.set_int_max_str_digits
_PCHAR = "!$&'()*+,;=:@"  # RFC 3986, 3.3: what stands in a segment as it is, besides letters, digits and -._~


@dataclass(frozen=True, slots=True)
class Converter:
    """What a parameter may be: *decode* returns None for a text that is not; *format* takes *types*."""

    name: str
    decode: Callable[[str], object]
    types: tuple[type, ...]


def _str(text: str) -> str | None:
    return text or None


def _int(text: str) -> int | None:
    # str.isdigit() alone lets in superscripts, and digits of other scripts, which int() reads.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


def _float(text: str) -> float | None:
    value = float(text) if _FLOAT.fullmatch(text) else None
    return None if value is None or isinf(value) else value  # 400 digits are infinite


def _uuid(text: str) -> UUID | None:
    return UUID(text) if _UUID.fullmatch(text) else None


CONVERTERS = {
    "str": Converter("str", _str, (str, int)),
    "int": Converter("int", _int, (int,)),
    "float": Converter("float", _float, (float, int)),
    "uuid": Converter("uuid", _uuid, (UUID, str)),
    "path": Converter("path", str, (str,)),  # the only one that takes slashes, and an empty text
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A ``{name:converter}``, the segment *index* of its pattern."""

    index: int
    name: str
    converter: Converter


@dataclass(frozen=True, slots=True)
class Pattern:
    """What compile() makes of *text*. In *segments*, the first of which is "", None stands for a parameter."""

    text: str
    segments: tuple[str | None, ...]
    parameters: tuple[Parameter, ...]

    # The two names by which OpenTelemetry, Sentry and Starlette's middleware read the route of a scope.

    @property
    def path(self) -> str:
        """The text."""
        return self.text

    @property
    def path_format(self) -> str:
        """The text without converters: ``/users/{id}``."""
        return _PARAMETER.sub(r"{\1}", self.text)

    @property
    def takes_rest(self) -> bool:
        """Whether the last segment is ``{...:path}``."""
        return bool(self.parameters) and self.parameters[-1].converter.name == "path"

    def match(self, path: str) -> dict[str, object] | None:
        """Return the parameters that *path* holds, or None if it does not fit."""
        count = len(self.segments)
        segments = path.split("/", count - 1 if self.takes_rest else count)
        if len(segments) != count:
            return None
        for literal, segment in zip(self.segments, segments, strict=True):
            if literal is not None and literal != segment:
                return None
        return self.read(segments)

    def read(self, segments: list[str]) -> dict[str, object] | None:
        """Return the parameters in *segments*, the literal ones of which fit; None if a converter says no."""
        params: dict[str, object] = {}
        for parameter in self.parameters:
            converter = parameter.converter
            if converter.name == "path":
                value: object = "/".join(segments[parameter.index :])
            else:
                value = converter.decode(segments[parameter.index])
            if value is None:
                return None
            params[parameter.name] = value
        return params

    def format(self, /, **params: object) -> str:
        """Return the path with *params*, percent-encoded; it matches the pattern again.

        Raises: ValueError for a parameter too few or too many, and for a value that its converter, or a client's way to
        resolve ``..``, would not lead back here.
        """
        names = {parameter.name for parameter in self.parameters}
        if params.keys() != names:
            raise ValueError(f"{self.text} needs {_listed(names)}, not {_listed(params.keys())}")
        segments = [quote(literal or "", safe=_PCHAR) for literal in self.segments]
        for parameter in self.parameters:
            segments[parameter.index] = self._encode(parameter, params[parameter.name])
        path = "/".join(segments)
        if path.startswith("//"):
            raise ValueError(f"{self.text} must not become {path!r}: a client takes // for the start of a host")
        return path

    def _encode(self, parameter: Parameter, value: object) -> str:
        converter = parameter.converter
        rest = converter.name == "path"
        if isinstance(value, converter.types) and not isinstance(value, bool):
            text = _text(value)
            segments = text.split("/")
            if converter.decode(text) is not None and (rest or len(segments) == 1) and not {".", ".."} & {*segments}:
                return quote(text, safe=_PCHAR + "/" if rest else _PCHAR)
        way_out = "use {name:path} for slashes" if converter.name == "str" else "give one that a path can hold"
        raise ValueError(f"{self.text}: {parameter.name} must fit {converter.name}, not {value!r}: {way_out}")


def compile(pattern: str) -> Pattern:
    """Read ``/literal/{name}/{name:converter}``; without a converter a parameter is a str.

    Raises: ValueError for what is no pattern.
    """
    if not pattern.startswith("/") or pattern.startswith("//"):
        raise ValueError(f"a pattern must start with one slash, not {pattern!r}")
    texts = pattern.split("/")
    segments: list[str | None] = []
    parameters: list[Parameter] = []
    for index, text in enumerate(texts):
        found = _PARAMETER.fullmatch(text)
        if found is None:
            if "{" in text or "}" in text:
                raise ValueError(f"{pattern}: a parameter must be a whole segment as {{name:int}}, not {text!r}")
            if text in (".", ".."):
                raise ValueError(f"{pattern}: a segment must not be {text!r}: a client resolves it before it asks")
            segments.append(text)
            continue
        name, kind = found[1], found[2] or "str"
        if kind not in CONVERTERS:
            raise ValueError(f"{pattern}: a converter must be one of {_listed(CONVERTERS)}, not {kind!r}")
        if kind == "path" and index != len(texts) - 1:
            raise ValueError(f"{pattern}: {text} must come last: it takes all that is left")
        if any(parameter.name == name for parameter in parameters):
            raise ValueError(f"{pattern}: a name must stand once, not {name!r} twice: rename one")
        segments.append(None)
        parameters.append(Parameter(index, name, CONVERTERS[kind]))
    return Pattern(pattern, tuple(segments), tuple(parameters))


class _Node(Generic[T]):
    __slots__ = ("any", "leaves", "literals", "rest")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[T]] = {}
        self.any: _Node[T] | None = None
        self.rest: _Node[T] | None = None
        self.leaves: list[tuple[Pattern, T]] = []  # alike but for names and converters


class Table(Generic[T]):
    """Values by pattern.

    Order: segment by segment from the left, a literal goes before a parameter, and a parameter before ``{rest:path}``;
    among patterns that are alike so far, the first that was added.
    """

    def __init__(self) -> None:
        self._static: dict[str, list[tuple[T, dict[str, object]]]] = {}
        self._root: _Node[T] = _Node()
        self._depth = 0  # the segments of the longest pattern with a parameter

    def add(self, pattern: str, value: T) -> Pattern:
        """Add *value* at *pattern*, and return the pattern compiled. Raises: ValueError as compile() does."""
        compiled = compile(pattern)
        if not compiled.parameters:
            self._static.setdefault(pattern, []).append((value, {}))
            return compiled
        self._depth = max(self._depth, len(compiled.segments))
        node = self._root
        for literal in compiled.segments[1 : -1 if compiled.takes_rest else None]:
            if literal is not None:
                node = node.literals.setdefault(literal, _Node())
                continue
            if node.any is None:
                node.any = _Node()
            node = node.any
        if compiled.takes_rest:
            if node.rest is None:
                node.rest = _Node()
            node = node.rest
        node.leaves.append((compiled, value))
        return compiled

    def match(self, path: str) -> tuple[T, dict[str, object]] | None:
        """Return the first value for *path* and the parameters, or None."""
        static = self._static.get(path)
        return next(self.matches(path), None) if static is None else static[0]

    def matches(self, path: str) -> Iterator[tuple[T, dict[str, object]]]:
        """Yield every value for *path* and the parameters, first the one that match() returns."""
        yield from self._static.get(path, ())
        segments = path.split("/", self._depth)
        if segments[0]:
            return
        count = len(segments)
        ahead = [(self._root, 1)]  # nodes to look at, the next one last
        while ahead:
            node, index = ahead.pop()
            if index == count:
                for pattern, value in node.leaves:
                    params = pattern.read(segments)
                    if params is not None:
                        yield value, params
                continue
            if node.rest is not None:
                ahead.append((node.rest, count))
            if node.any is not None:
                ahead.append((node.any, index + 1))
            literal = node.literals.get(segments[index])
            if literal is not None:
                ahead.append((literal, index + 1))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and "e" in repr(value):
        return f"{value:.1074f}".rstrip("0").rstrip(".")  # exact: 2 ** -1074 is the smallest
    return str(value)


def quoted(path: str) -> str:
    """Return *path* percent-encoded, with its slashes."""
    return quote(path, safe=_PCHAR + "/", errors="replace")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def route_path(scope: HTTPScope | WebSocketScope) -> str:
    """Return the path below root_path: uvicorn has the one inside the other, hypercorn, granian and daphne do not."""
    path, root = scope["path"], scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :] or "/"
    return path
