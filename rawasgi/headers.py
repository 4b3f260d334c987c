"""Header fields: pairs of bytes with lowercase names, as ASGI has them.

A name or a value that could end its line is refused, never mended: what stands after the line end would be a header, or
a whole response, of somebody else's writing. Spec: RFC 9110, 5.1 "Field Names", 5.5 "Field Values".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote

from rawasgi.asgi import Headers
from rawasgi.formats.tokens import check_field

Fields: TypeAlias = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]] | None

_WEIGHT = re.compile(r";[ \t]*q=([^;]*)")
_QVALUE = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_UNNAMED = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_QUOTED = re.compile(r"[^ -~]|[\"%]")
_ATTR_CHARS = "!#$&+-.^_`|~"  # RFC 8187, 3.2.1


def encode(headers: Fields) -> list[tuple[bytes, bytes]]:
    """Return *headers* as checked pairs, in their order, with lowercase names; None is no header.

    A str becomes latin-1. Raises: ValueError as check_field() does, and for what latin-1 does not have; TypeError for
    what is neither str nor bytes.
    """
    if headers is None:
        return []
    pairs: list[tuple[bytes, bytes]] = []
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        # First the bytes, then lower(): "\u212a".lower() is an ASCII k.
        raw_name = _latin1(name, "a header name").lower()
        raw_value = _latin1(value, f"header {name!r}")
        check_field(raw_name, raw_value)
        pairs.append((raw_name, raw_value))
    return pairs


def get(headers: Headers, name: bytes) -> bytes | None:
    """Return the first value of *name*, or None; names that a server left in capitals are found too."""
    name = name.lower()
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def getlist(headers: Headers, name: bytes) -> list[bytes]:
    """Return every value of *name*, in order."""
    name = name.lower()
    return [value for key, value in headers if key.lower() == name]


def joined(headers: Headers, name: bytes) -> bytes | None:
    """Return the value of a list field, or None if it is absent: several lines are one (RFC 9110, 5.3)."""
    values = getlist(headers, name)
    return b", ".join(values) if values else None


def media_type(headers: Headers) -> str:
    """Return the media type of Content-Type in lowercase, without its parameters; "" without one."""
    value = get(headers, b"content-type") or b""
    return value.partition(b";")[0].strip().lower().decode("latin-1")


def setdefault(pairs: list[tuple[bytes, bytes]], name: bytes, value: bytes) -> None:
    """Append *name* with *value* to *pairs*, unless they have one of that name."""
    if get(pairs, name) is None:
        pairs.append((name, value))


def for_body(headers: Fields, media_type: str | None, length: int | None) -> tuple[tuple[bytes, bytes], ...]:
    """Return *headers*, and after them the type and the length of a whole body, where *headers* do not have them."""
    if headers is None and media_type is not None and length is not None:  # most answers, in a fifth of the time
        return _content_type(media_type), (b"content-length", b"%d" % length)
    pairs = encode(headers)
    if media_type is not None:
        setdefault(pairs, *_content_type(media_type))
    if length is not None:
        setdefault(pairs, b"content-length", b"%d" % length)
    return tuple(pairs)


@lru_cache(64)
def _content_type(media_type: str) -> tuple[bytes, bytes]:
    return encode([("content-type", media_type)])[0]


def for_stream(headers: Fields, media_type: str, cache_control: bytes | None = None) -> tuple[tuple[bytes, bytes], ...]:
    """Return *headers*, and after them what a stream needs, where *headers* do not have it."""
    if headers is None:
        return _only_for_stream(media_type, cache_control)
    pairs = encode(headers)
    setdefault(pairs, *_content_type(media_type))
    setdefault(pairs, b"x-accel-buffering", b"no")
    if cache_control is not None:
        setdefault(pairs, b"cache-control", cache_control)
    return tuple(pairs)


@lru_cache(64)
def _only_for_stream(media_type: str, cache_control: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    return for_stream((), media_type, cache_control)


def replace(headers: Headers, name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """Return *headers* with one *name* only, *value*, where the first one stood, or at the end.

    Raises: ValueError as check_field() does.
    """
    check_field(name, value)
    name = name.lower()
    pairs: list[tuple[bytes, bytes]] = []
    placed = False
    for key, old in headers:
        if key.lower() != name:
            pairs.append((key, old))
        elif not placed:
            pairs.append((name, value))
            placed = True
    if not placed:
        pairs.append((name, value))
    return pairs


def accepts(header: bytes | None, offered: Sequence[str]) -> str | None:
    """Return what the client likes best of *offered*, by an Accept or Accept-Encoding *header*; None if nothing.

    The highest weight wins, then the order of *offered*; a weight of 0 is a no. The closest element counts: of
    ``text/html;level=1``, ``text/html``, ``text/*``, ``*/*`` and ``*`` the first that is there; an element whose weight
    is malformed is not, nor is a second one of the same name.
    Without a header the answer is None too, as what that means is for the caller to say: with Accept, anything; with
    Accept-Encoding, by the spec anything, but a client that sent none cannot unpack any.
    Spec: RFC 9110, 12.4.2 "Quality Values", 12.5.1 "Accept", 12.5.3 "Accept-Encoding".
    """
    if header is None:
        return None
    wanted = [_closest_first(item) for item in offered]
    names = {name.partition(";")[0] for forms in wanted for name in forms}
    weights: dict[str, float] = {}
    # Each element once, and most of them no further than the name: a header may be 60 KB of commas.
    for element in dict.fromkeys(header.decode("latin-1").lower().split(",")):
        if element.partition(";")[0].strip(" \t") in names:
            name, weight = _weighted(element)
            if weight is not None:
                weights.setdefault(name, weight)
    best: str | None = None
    best_weight = 0.0
    for item, forms in zip(offered, wanted, strict=True):
        weight = next((weights[form] for form in forms if form in weights), 0.0)
        if weight > best_weight:
            best, best_weight = item, weight
    return best


def _closest_first(item: str) -> tuple[str, ...]:
    name = _weighted(item.lower())[0]
    bare, _, parameters = name.partition(";")
    kind, slash, _ = bare.partition("/")
    wide = (f"{kind}/*", "*/*", "*") if slash else ("*",)
    return (name, bare, *wide) if parameters else (bare, *wide)


def _weighted(element: str) -> tuple[str, float | None]:
    """Split ``text/html; level=1; q=0.5`` into ``text/html;level=1`` and 0.5; a malformed weight is None."""
    found = _WEIGHT.search(element)  # what follows a weight extends the header, not the type
    name = element[: found.start()] if found else element
    name = name.replace(" ", "").replace("\t", "")
    if found is None:
        return name, 1.0
    return name, float(found[1]) if _QVALUE.fullmatch(found[1].strip(" \t")) else None


def disposition(filename: str, kind: str = "attachment") -> bytes:
    """Return the Content-Disposition that names a download *filename*, twice.

    ``filename`` for all, in ASCII, where what could end the string, be unescaped or lead to another folder is ``_``;
    ``filename*`` in UTF-8, which goes first with who knows it. Control characters and what turns the direction of
    writing, so that ``exe.txt`` reads as ``txt.exe``, are ``_`` in both. Spec: RFC 6266, 4.3, appendix D; RFC 8187.
    """
    name = _UNNAMED.sub("_", filename.encode("utf-8", "replace").decode())
    plain = _QUOTED.sub("_", name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}".encode()


def _latin1(text: str | bytes, subject: str) -> bytes:
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise TypeError(f"{subject} must be str or bytes, not {text!r}: write str() of it")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"{subject} must be latin-1, not {text!r}: percent-encode the text") from None
