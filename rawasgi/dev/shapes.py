"""The shapes of scopes and messages, read from asgi.py: what the type checker knows, the validator knows."""

import functools
import math
import re
import reprlib
import types
from collections.abc import Mapping
from typing import Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from rawasgi import asgi

HINTS: dict[tuple[type, str], str] = {
    (str, "bytes"): ": encode() it",
    (bytearray, "bytes"): ": bytes() of it",
    (memoryview, "bytes"): ": bytes() of it",
}


def shapes(union: object) -> dict[str, object]:
    """The TypedDicts of *union* by the type that they are of."""
    return {get_args(get_type_hints(shape)["type"])[0]: shape for shape in get_args(union)}


SCOPES = shapes(asgi.Scope)
RECEIVED = {
    "http": shapes(asgi.HTTPReceived),
    "websocket": shapes(asgi.WebSocketReceived),
    "lifespan": shapes(asgi.LifespanReceived),
}
SENT = {
    "http": shapes(asgi.HTTPSent),
    "websocket": shapes(asgi.WebSocketSent),
    "lifespan": shapes(asgi.LifespanSent),
}


class Missing:
    def __repr__(self) -> str:
        return "missing"


Part = tuple[object, object, str]  # a value, the shape that it must have, and what to call it


def mismatch(value: object, shape: object, subject: str) -> str | None:
    """What is wrong with *value* as a *shape*, as a sentence about *subject*; None if it fits.

    A bool is no int, an int has 64 bits, a bytearray is not bytes. Keys that the shape does not have may be there.
    """
    parts = _parts(value, shape, subject)
    if parts is None:
        name = shape.__name__ if isinstance(shape, type) else re.sub(r"\b[a-z.]+\.", "", str(shape))
        return f"{subject} must be {name}, not {reprlib.repr(value)}{HINTS.get((type(value), name), '')}"
    return next((wrong for part in parts if (wrong := mismatch(*part)) is not None), None)


def _parts(value: object, shape: object, subject: str) -> list[Part] | None:
    """What is still to be looked at inside of *value*; None if it is not even from outside a *shape*."""
    origin, inner = get_origin(shape), get_args(shape)
    if origin in (Union, types.UnionType):
        return [] if any(mismatch(value, each, subject) is None for each in inner) else None
    if is_typeddict(shape):
        return _keys(value, shape, subject) if isinstance(value, dict) else None
    if origin is Literal:
        return [] if value in inner else None
    if origin is dict:
        if not isinstance(value, dict):
            return None
        keys = [(key, inner[0], f"the key {key!r} of {subject}") for key in value]
        return keys + [(item, inner[1], f"{subject}[{key!r}]") for key, item in value.items()]
    if origin is tuple:
        if not isinstance(value, tuple) or len(value) != len(inner):
            return None
        return [(item, each, subject) for item, each in zip(value, inner, strict=True)]
    if origin is not None:  # list and Iterable
        if not isinstance(value, origin) or isinstance(value, str | bytes | Mapping):
            return None
        return [(item, inner[0], f"{subject}[{index}]") for index, item in enumerate(value)]
    return [] if _is(value, shape) else None


def _keys(value: dict[str, object], shape: object, subject: str) -> list[Part]:
    hints = _hints(shape)
    present = [key for key in hints if key in value or key in getattr(shape, "__required_keys__", ())]
    return [(value.get(key, Missing()), hints[key], f"{subject}[{key!r}]") for key in present]


@functools.cache
def _hints(shape: object) -> dict[str, object]:
    return get_type_hints(shape)


def _is(value: object, shape: object) -> bool:
    if shape is int:
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return isinstance(shape, type) and isinstance(value, shape)


def extra(message: Mapping[str, object], shape: object) -> list[str]:
    """The keys of *message* that its shape does not have."""
    return [key for key in message if key not in _hints(shape)]


def unserializable(value: object, subject: str) -> str | None:
    """What in *value* no message may have: all is bytes, str, int, finite float, list, dict of str, bool or None."""
    if isinstance(value, dict):
        parts = [(item, f"{subject}[{key!r}]") for key, item in value.items()]
        fits = all(isinstance(key, str) for key in value)
    elif isinstance(value, list | tuple):
        parts = [(item, f"{subject}[{index}]") for index, item in enumerate(value)]
        fits = True
    else:
        parts = []
        fits = value is None or isinstance(value, bytes | str | bool) or _is(value, int) or _finite(value)
    if not fits:
        kinds = "bytes, str, int, finite float, list, dict with str keys, bool or None"
        return f"{subject} must be {kinds}, not {reprlib.repr(value)}"
    return next((wrong for part in parts if (wrong := unserializable(*part)) is not None), None)


def _finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)
