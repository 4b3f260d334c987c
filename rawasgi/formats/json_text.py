"""JSON as all our formats have it: strict both ways, and what is said of what is not.

Spec: RFC 8259. NaN and Infinity, which Python's own encoder writes and its decoder reads, are no JSON.
"""

import json
from collections.abc import Callable
from reprlib import repr as short
from typing import Any, TypeAlias

from rawasgi.formats import endings

Dumps: TypeAlias = Callable[[object], str | bytes]


def _writer(
    ascii: bool, item: str, key: str, default: Callable[[Any], object] | None = None
) -> Callable[[object], str]:
    """Return a ``json.dumps`` with these separators, without NaN.

    ``json.dumps`` makes its writer (C code) anew for each value, which is more than half of the time of a small one.
    Here it is made once. It does not look for circles, and says less of what is wrong; so what it fails at is given to
    Python's own encoder, which does.
    """
    encoder = json.JSONEncoder(
        ensure_ascii=ascii, allow_nan=False, separators=(item, key), default=default, check_circular=True
    )
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    escape = json.encoder.encode_basestring_ascii if ascii else json.encoder.encode_basestring
    write = make(None, encoder.default, escape, None, key, item, False, False, False)

    def dumps(value: object) -> str:
        try:
            return "".join(write(value, 0))
        except Exception:
            pass
        return encoder.encode(value)

    return dumps


dumps: Callable[[object], str] = _writer(True, ", ", ": ", endings.plain)  # the bytes of json.dumps(value)
compact: Callable[[object], str] = _writer(False, ",", ":")  # as small as it goes


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
