"""JSON as all our formats have it: strict both ways, in UTF-8; compact, except for events (``sse.py``).

Spec: RFC 8259. NaN and Infinity, which Python's own encoder writes and its decoder reads, are no JSON. What is written
for a dataclass, a date and the like is in ``json_values.py``.
"""

import json
from collections.abc import Callable, Iterable
from reprlib import repr as short
from typing import Any, TypeAlias

from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.json_values import Converter, Default, is_model

Dumps: TypeAlias = Callable[[Any], str | bytes]

_WRITTEN_IN_C = frozenset({dict, list, str, int, float, bool, tuple, type(None)})
# JSON needs no escape for them in a string, but str.splitlines() takes them for line ends, and so does httpx's
# iter_lines(), which would cut an event or a line in two.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def writer(
    caller: str,
    before: str = "",
    after: str = "",
    default: Default | None = None,
    separators: tuple[str, str] = (",", ":"),
) -> Callable[[object], bytes]:
    """Return a function that writes a value as JSON between *before* and *after*.

    *separators*: between items and after keys, as those of ``json.dumps``; a model has its own. *default*: called, as
    that of ``json.dumps``, for a type that has no rule in ``json_values``. A lone surrogate,
    which UTF-8 does not have, is written as its escape. The function raises ValueError, in the name of *caller*, for
    NaN, Infinity and a value that contains itself; TypeError for a type without a rule.

    ``json.dumps`` makes its writer (C code) anew for each value, which is more than half of the time of a small one.
    Here it is made once, and does not look for circles. What it fails at is converted to dicts, lists and scalars.
    """
    converter = Converter(default)
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=separators, default=converter.convert)
    write = _c_writer(converter.convert, separators) or (lambda value, _: (encoder.encode(value),))

    def encode(value: object) -> bytes:
        kind: Any = type(value)  # mypy takes a type for unhashable
        try:
            if kind is dict or kind in _WRITTEN_IN_C or not is_model(kind):
                text = f"{before}{''.join(write(value, 0))}{after}"
            else:
                text = f"{before}{_model_text(value)}{after}"
            if not text.isascii() and ("\x85" in text or "\u2028" in text or "\u2029" in text):
                text = text.translate(_LINE_ENDS)
            return text.encode()
        except (TypeError, ValueError, RecursionError):
            pass
        return encode_slowly(value)

    def encode_slowly(value: object) -> bytes:
        try:
            text = encoder.encode(converter.convert_all(value, _loads))
        except ValueError as error:
            raise _not_json(caller, value, error) from error
        return (before + text.translate(_LINE_ENDS) + after).encode("utf-8", "backslashreplace")

    return encode


def _c_writer(default: Default, separators: tuple[str, str]) -> Callable[[object, int], Iterable[str]] | None:
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return None
    write: Callable[[object, int], Iterable[str]] = make(
        None, default, json.encoder.encode_basestring, None, separators[1], separators[0], False, False, False
    )
    return write


def _model_text(model: Any) -> str:
    text: str = model.model_dump_json(by_alias=True)
    if "NaN" in text or "Infinity" in text:  # in a string, or as ser_json_inf_nan="constants" writes it
        _loads(text)
    return text


def _not_json(caller: str, value: object, error: ValueError) -> ValueError:
    return ValueError(
        f"{caller} takes what JSON can say, not {short(value)} ({error}): write None for NaN and Infinity, and pass"
        " default= for a type of your own"
    )


dumps: Callable[[object], bytes] = writer("json_text.dumps")


def encode(value: object, other: Dumps, caller: str) -> bytes:
    """Return what the encoder *other* makes of *value*, as UTF-8; it need not know a Failure and a Done.

    Raises: what *other* raises; a ValueError in the name of *caller*.
    """
    if isinstance(value, Failure | Done):
        return dumps(value)
    try:
        text = other(value)
    except ValueError as error:
        raise _not_json(caller, value, error) from error
    return text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text


def check_one_encoder(dumps: Dumps | None, default: Default | None) -> None:
    """Raise ValueError if both are given: another encoder has a way of its own for what it does not know."""
    if dumps is not None and default is not None:
        raise ValueError("give dumps= or default=, not both: functools.partial(dumps, default=…) gives it to dumps")


def decode(text: bytes) -> object:
    """Return the value of one JSON *text* in UTF-8. Raises: ValueError if it is none."""
    try:
        return _loads(text.decode())
    except RecursionError as error:  # a million brackets are no stack overflow, but too deep
        raise ValueError("nested too deep") from error


def _no_constant(name: str) -> object:
    raise ValueError(f"JSON has no {name}")


_loads = json.JSONDecoder(parse_constant=_no_constant).decode
