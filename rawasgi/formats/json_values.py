"""Values that JSON has no type for, as values that it has one for: dataclasses, pydantic models, dates and their kin.

A value is written as pydantic writes it in a model, so an item is the same JSON as a dict, a dataclass and a model:

=====================================  ===========================================================================
value                                  JSON
=====================================  ===========================================================================
dataclass                              an object of its fields
pydantic model, nested too             what its ``model_dump_json(by_alias=True)`` returns; FastAPI uses aliases, too
mapping, database row with ``keys()``  an object; so are dict and its subclasses
set, frozenset, deque, dict view       an array; so are list, tuple and named tuple
Enum                                   its value
datetime, date, time                   ISO 8601, ``Z`` for UTC
timedelta                              ISO 8601, ``PT1H30M``
Decimal                                a string: a JSON reader may take a number for a float, and lose digits
UUID, path, IP address                 a string
Failure, Done                          ``{"error": {…}}``, ``{"done": {…}}``
=====================================  ===========================================================================

msgspec and Django write timedelta and Decimal as strings, too. FastAPI's ``jsonable_encoder`` writes both as numbers,
and UTC as ``+00:00``; orjson has no rule for them. bytes have no rule here, as each library has another.
"""

import os
from collections import deque
from collections.abc import Callable, Set, ValuesView
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from reprlib import repr as short
from typing import Any, TypeAlias, cast

from rawasgi.formats.endings import Done, Failure, plain

Default: TypeAlias = Callable[[Any], object]


def _moment(value: Any) -> str:
    """Write a datetime or a time: UTC is Z, as in pydantic, msgspec and JavaScript."""
    text: str = value.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def _duration(value: Any) -> str:
    """Write a timedelta. pydantic counts 365 days as a year; here they are days, which any reader can add up."""
    sign = "-" if value.days < 0 else ""
    value = abs(value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    parts = [(hours, "H"), (minutes, "M")]
    time = "".join(f"{count}{unit}" for count, unit in parts if count)
    if seconds or fraction or not (time or value.days):
        time += f"{seconds}{fraction}S"
    return sign + "P" + f"{value.days}D" * bool(value.days) + ("T" + time) * bool(time)


def _decimal(value: Any) -> str:
    if not value.is_finite():
        raise ValueError(f"JSON has no {value}")
    return str(value)


# By name: an app that has no such value need not import its module.
_CONVERTERS: dict[str, Default] = {
    "datetime.datetime": _moment,
    "datetime.date": lambda value: value.isoformat(),
    "datetime.time": _moment,
    "datetime.timedelta": _duration,
    "decimal.Decimal": _decimal,
    "uuid.UUID": str,
    "ipaddress.IPv4Address": str,
    "ipaddress.IPv6Address": str,
    "ipaddress.IPv4Network": str,
    "ipaddress.IPv6Network": str,
}


@lru_cache(1024)
def is_model(kind: type) -> bool:
    """Return whether *kind* is a class of pydantic models, or has their method to write JSON."""
    return callable(getattr(kind, "model_dump_json", None))


@lru_cache(1024)
def converter_of(kind: type) -> Default | None:
    """Return the function that converts a value of *kind*; None without a rule, and for a model."""
    if is_model(kind):
        return None
    if issubclass(kind, Enum):  # before the others, as it may be a date, too
        return attrgetter("value")
    if issubclass(kind, Failure | Done):
        return plain
    if is_dataclass(kind):
        names = [field.name for field in fields(kind)]
        return lambda value: {name: getattr(value, name) for name in names}
    for base in kind.__mro__:
        if convert := _CONVERTERS.get(f"{base.__module__}.{base.__qualname__}"):
            return convert
    if issubclass(kind, Set | deque | ValuesView):
        return list
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__"):  # a row of sqlite3 or asyncpg is no Mapping
        return dict
    return os.fspath if hasattr(kind, "__fspath__") else None


class Converter:
    """Converts a value that JSON has no type for; *default* converts what has no rule here, as in ``json.dumps``."""

    __slots__ = ("_default",)

    def __init__(self, default: Default | None = None) -> None:
        self._default = default

    def convert(self, value: Any) -> object:
        """Return *value* one step nearer to JSON: what is in it need not be JSON. Raises: TypeError without a rule."""
        kind: Any = type(value)  # mypy takes a type for unhashable
        convert = converter_of(kind)
        if convert is not None:
            return convert(value)
        if is_model(kind):
            return self._dump(value)
        if self._default is None:
            raise TypeError(
                f"JSON has no {kind.__name__}: make it a str, a number, a list or a dict first, or pass default="
            )
        return self._default(value)

    def convert_all(self, value: Any, read: Callable[[str], object], inside: tuple[object, ...] = ()) -> object:
        """Return *value* as dicts, lists and scalars, for what the writer in C fails at: keys that are no text,
        circles, and a model with a float that is not finite, for which its ``ser_json_inf_nan`` has a rule.

        *read*: reads the JSON of a model. Raises: ValueError for a circle; TypeError without a rule.
        """
        if value is None or isinstance(value, str | int | float):
            return value
        if any(value is outer for outer in inside):
            raise ValueError("Circular reference detected")
        inside = (*inside, value)
        if isinstance(value, dict):
            return {self._key(key): self.convert_all(each, read, inside) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.convert_all(each, read, inside) for each in value]
        if is_model(cast(Any, type(value))):
            try:
                return read(value.model_dump_json(by_alias=True))
            except ValueError:  # a lone surrogate, which pydantic does not write
                pass
        if hasattr(value, "__next__"):  # the writer in C may have read it
            raise TypeError(f"JSON has no {type(value).__name__}, which can be read once only: make it a list first")
        return self.convert_all(self.convert(value), read, inside)

    def _dump(self, model: Any) -> object:
        dumped: object
        try:
            dumped = model.model_dump(mode="json", by_alias=True)
        except ValueError:  # a type that pydantic does not know
            if self._default is None:
                raise
            dumped = model.model_dump(mode="json", by_alias=True, fallback=self._default)
        return dumped

    def _key(self, key: object) -> str | int | float | None:
        text = key if key is None or isinstance(key, str | int | float | tuple) else self.convert(key)
        if text is None or isinstance(text, str | int | float):
            return text
        raise TypeError(f"a key of a JSON object must be text, not {short(key)}: make it a str")
