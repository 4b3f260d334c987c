"""A message, or a scope, as it is written in Python; cut where it is long."""

from collections.abc import Mapping, Sequence

MOST_BYTES, MOST_TEXT, MOST_ITEMS = 400, 400, 40


def shown(message: object) -> str:
    """*message* as a literal, a line a key."""
    if not isinstance(message, Mapping):
        return repr(message)
    lines = [f"{key!r}: {_value(value)}" for key, value in message.items() if key not in ("app", "state", "router")]
    return "{" + ",\n ".join(lines) + "}"


def _value(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        return repr(raw) if len(raw) <= MOST_BYTES else f"{raw[:MOST_BYTES]!r} …  # {len(raw):,} bytes"
    if isinstance(value, Sequence) and not isinstance(value, str):
        left, right = ("(", ",)" if len(value) == 1 else ")") if isinstance(value, tuple) else "[]"
        if value and all(isinstance(each, tuple | list) for each in value):  # headers, one a line
            return left + "".join(f"\n    {_value(each)}," for each in value[:MOST_ITEMS]) + f"\n {right[-1]}"
        return left + ", ".join(map(_value, value[:MOST_ITEMS])) + right
    text = repr(value)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]} …"


def text_of(message: object) -> str:
    """The beginning of a body as text, for who reads a list; nothing for what is no text."""
    if not isinstance(message, Mapping):
        return ""
    body = message.get("text") or message.get("body") or message.get("bytes") or b""
    text = body if isinstance(body, str) else bytes(body[: MOST_BYTES * 3]).decode("utf-8", "replace")
    return "" if "\0" in text or text.count("�") > 2 else text[:MOST_BYTES]
