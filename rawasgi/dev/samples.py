"""Make a request for a route: from the values that are given, and else from the examples and types of its OpenAPI.

A parameter gets the first of: the value of ``--param``; its example, default, or first allowed value; one of its type.
Those of a route that is not in the schema are made by their converters, ``{id:int}``, and the function's annotations.
"""

import inspect
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, urlencode

from rawasgi.dev.findings import Target
from rawasgi.dev.routes import PARAMETER, WEBSOCKET, Route

Schema = Mapping[str, Any]

NO_VALUE = object()
BY_CONVERTER = {"int": "1", "float": "1.0", "uuid": "00000000-0000-4000-8000-000000000000", "path": "a"}
BY_FORMAT = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "duration": "PT1S",
    "email": "someone@example.org",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "time": "00:00:00Z",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
BODIES = ("application/json", "application/x-www-form-urlencoded")  # what a body is made in, the preferred first
_DEPTH = 8  # of a schema that refers to itself


class NoValue(ValueError):
    """A parameter or a body for which no value can be made: one has to be given."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the user says: *params* by name, of the path, the query or a header; *headers* of every request; *data*: the
    body of each request that may have one."""

    params: Mapping[str, str] = field(default_factory=dict)
    headers: Sequence[tuple[str, str]] = ()
    data: bytes | None = None


class Samples:
    """``target(route)`` is a request for a route."""

    def __init__(self, given: Given) -> None:
        self.given: Given = given
        self._schemas: dict[int, Schema] = {}

    def target(self, route: Route) -> Target:
        """Return a request for *route*. Raises: NoValue."""
        schema = self.schema(route.app)
        operation = operation_of(route, schema)
        declared = {(each["in"], each["name"]): each for each in operation.get("parameters", ())}
        path = self._path(route, declared, schema)
        query = self._named("query", declared, schema)
        headers = [*self.given.headers, *self._named("header", declared, schema)]
        if cookies := self._named("cookie", declared, schema):
            headers.append(("cookie", "; ".join(f"{name}={value}" for name, value in cookies)))
        if route.host:
            headers.append(("host", self._filled(route.host, {}, {}, route)))
        kind, body = self._body(route, operation, schema)
        if kind and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("content-type", kind))
        return Target(f"{path}?{urlencode(query)}" if query else path, route.method, headers, body)

    def names(self, route: Route) -> set[str]:
        """Return the names of the parameters of *route*."""
        declared = operation_of(route, self.schema(route.app)).get("parameters", ())
        return {match["name"] for match in PARAMETER.finditer(route.host + route.path)} | {
            each["name"] for each in declared
        }

    def schema(self, app: Any) -> Schema:
        """Return the OpenAPI schema of *app*; an empty one if it has none, or cannot make it."""
        if id(app) not in self._schemas:
            found: Any = {}
            make = getattr(app, "openapi", None)
            if callable(make):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # as of an operation id that two routes have
                    try:
                        found = make()
                    except Exception:  # whatever an app's types make pydantic raise: the routes are there all the same
                        found = {}
            self._schemas[id(app)] = found if isinstance(found, dict) else {}
        return self._schemas[id(app)]

    def _path(self, route: Route, declared: Mapping[tuple[str, str], Schema], schema: Schema) -> str:
        return self._filled(route.path, {name: each for (kind, name), each in declared.items() if kind == "path"},
                            schema, route)  # fmt: skip

    def _filled(self, pattern: str, declared: Mapping[str, Schema], schema: Schema, route: Route) -> str:
        """Return *pattern* with a value for each parameter."""
        function = route.function()
        hints = inspect.get_annotations(function) if function is not None else {}
        path, end = "", 0
        for match in PARAMETER.finditer(pattern):
            name, converter = match["name"], match["converter"]
            value = self._value(name, declared.get(name), schema)
            if value is NO_VALUE:
                kind = getattr(hints.get(name), "__name__", str(hints.get(name, ""))).lower()
                value = BY_CONVERTER.get(converter or kind, "a")
            path += pattern[end : match.start()] + quote(_text(value), safe="/" if converter == "path" else "")
            end = match.end()
        return path + pattern[end:]

    def _value(self, name: str, declared: Schema | None, schema: Schema) -> Any:
        if name in self.given.params:
            return self.given.params[name]
        return NO_VALUE if declared is None else parameter_value(declared, schema)

    def _named(self, kind: str, declared: Mapping[tuple[str, str], Schema], schema: Schema) -> list[tuple[str, str]]:
        """Return the parameters of one *kind* that must be sent, or are given."""
        found = []
        for (where, name), each in declared.items():
            if where == kind and (each.get("required") or name in self.given.params):
                value = self._value(name, each, schema)
                if value is NO_VALUE:
                    raise NoValue(f"the parameter {name!r} needs a value: pass --param {name}=...")
                values = value if isinstance(value, list) else [value]
                found += [(name, _text(each)) for each in values]
        return found

    def _body(self, route: Route, operation: Schema, schema: Schema) -> tuple[str, bytes]:
        """Return the type and the bytes of the body; ("", b"") for none."""
        content = resolved(operation.get("requestBody", {}), schema).get("content", {})
        kind = next((each for each in BODIES if each in content), next(iter(content), ""))
        if self.given.data is not None and route.method not in ("GET", WEBSOCKET):
            return kind or BODIES[0], self.given.data
        if not content or not resolved(operation["requestBody"], schema).get("required"):
            return "", b""
        value = example(content[kind], schema)
        if value is NO_VALUE:
            value = sample(content[kind].get("schema", {}), schema)
        if value is NO_VALUE or kind not in BODIES:
            raise NoValue(f"a body of the type {kind} is required: pass --data, or leave the route out with --skip")
        return kind, (json.dumps(value) if kind == BODIES[0] else urlencode(cast(Any, value), doseq=True)).encode()


def operation_of(route: Route, schema: Schema) -> Schema:
    """Return what *schema* has of *route*; nothing if the route is not in it."""
    path = PARAMETER.sub(lambda match: f"{{{match['name']}}}", route.local_path)
    operation = schema.get("paths", {}).get(path, {}).get(route.method.lower(), {})
    return cast(Schema, operation)


def parameter_value(declared: Schema, schema: Schema) -> Any:
    value = example(declared, schema)
    return sample(declared.get("schema", {}), schema) if value is NO_VALUE else value


def example(declared: Schema, schema: Schema) -> Any:
    """Return the example of a parameter or a body, of which OpenAPI has two kinds."""
    if "example" in declared:
        return declared["example"]
    for each in declared.get("examples", {}).values():
        if "value" in (found := resolved(each, schema)):
            return found["value"]
    return NO_VALUE


def resolved(part: Schema, schema: Schema) -> Schema:
    """Return what *part* refers to, if it is a reference inside of *schema*."""
    for _ in range(_DEPTH):
        reference = part.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        found: Any = schema
        for key in reference[2:].split("/"):
            found = found.get(key.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
        part = found
    return part


def sample(part: Schema, schema: Schema, depth: int = 0) -> Any:
    """Return a value that JSON Schema *part* allows; NO_VALUE if none can be made, as for a pattern."""
    part = resolved(part, schema)
    if depth > _DEPTH:
        return NO_VALUE
    for key in ("example", "default", "const"):
        if part.get(key) is not None:
            return part[key]
    for key in ("examples", "enum"):
        if part.get(key):
            return part[key][0]
    for key in ("anyOf", "oneOf"):
        if choices := [each for each in part.get(key, ()) if each.get("type") != "null"]:
            return sample(choices[0], schema, depth + 1)
    if "allOf" in part:
        part = _merged([resolved(each, schema) for each in part["allOf"]])
    return _of_type(part, schema, depth)


def _of_type(part: Schema, schema: Schema, depth: int) -> Any:
    kind = part.get("type")
    kind = next((each for each in kind if each != "null"), "null") if isinstance(kind, list) else kind
    if kind == "object" or (kind is None and "properties" in part):
        wanted = part.get("required", ())
        values = {name: sample(part.get("properties", {}).get(name, {}), schema, depth + 1) for name in wanted}
        return NO_VALUE if NO_VALUE in values.values() else values
    if kind == "array":
        items = [sample(part.get("items", {}), schema, depth + 1)] * max(part.get("minItems", 1), 1)
        return NO_VALUE if NO_VALUE in items else items
    if kind in ("integer", "number"):
        return _number(part, kind)
    if kind == "boolean":
        return True
    if kind == "string":
        if "pattern" in part:
            return NO_VALUE
        text = BY_FORMAT.get(part.get("format", ""), "a")
        return text.ljust(part.get("minLength", 0), "a")
    return None if kind == "null" else "a"


def _number(part: Schema, kind: str) -> Any:
    """Return a number within the bounds: 1, or one that is next to a bound, or between them."""
    least, most = part.get("minimum", part.get("exclusiveMinimum")), part.get("maximum", part.get("exclusiveMaximum"))
    step = part.get("multipleOf", 1)
    choices = [1, step]
    if least is not None:
        choices += [math.ceil(least / step) * step, math.floor(least / step) * step + step]
    if most is not None:
        choices += [math.floor(most / step) * step, math.ceil(most / step) * step - step]
    if kind == "number" and least is not None and most is not None:
        choices.append((least + most) / 2)
    return next((each for each in choices if _is_within(each, part)), NO_VALUE)


def _is_within(number: float, part: Schema) -> bool:
    conditions = (
        number >= part.get("minimum", number),
        number > part.get("exclusiveMinimum", number - 1),
        number <= part.get("maximum", number),
        number < part.get("exclusiveMaximum", number + 1),
        number % part.get("multipleOf", number or 1) == 0,
    )
    return all(conditions)


def _merged(parts: Sequence[Schema]) -> Schema:
    merged: dict[str, Any] = {}
    for part in parts:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", ()), *part.get("required", ())]
        merged |= part
        if properties:
            merged |= {"properties": properties, "required": required}
    return merged


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
