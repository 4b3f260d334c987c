"""JSON as all our formats have it: strict both ways, and what is said of what is not.

Spec: RFC 8259. NaN and Infinity, which Python's own encoder writes and its decoder reads, are no JSON.
"""

import json
from collections.abc import Callable
from reprlib import repr as short
from typing import TypeAlias

from rawasgi.formats import endings

Dumps: TypeAlias = Callable[[object], str | bytes]


# The bytes of json.dumps(value): ASCII, ", " and ": ". One encoder for all, because json.dumps with an option makes a
# new one each time.
dumps = json.JSONEncoder(allow_nan=False, default=endings.plain).encode


def encode(value: object, dumps: Dumps, caller: str) -> bytes:
    """Return what *dumps* makes of *value*, as UTF-8.

    Raises: ValueError for what JSON cannot say, in the name of *caller*; TypeError for what is no JSON value.
    """
    try:
        text = dumps(value)
    except ValueError as error:
        raise ValueError(
            f"{caller} takes what JSON can say, not {short(value)} ({error}): write None for NaN and Infinity"
        ) from error
    return text.encode() if isinstance(text, str) else text


def decode(text: bytes) -> object:
    """Return the value of one JSON *text* in UTF-8. Raises: ValueError if it is none."""
    try:
        return _loads(text.decode())
    except RecursionError as error:  # a million brackets are no stack overflow, but too deep
        raise ValueError("nested too deep") from error


def _no_constant(name: str) -> object:
    raise ValueError(f"JSON has no {name}")


_loads = json.JSONDecoder(parse_constant=_no_constant).decode
