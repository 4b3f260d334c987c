"""Make responses: one function a kind of body."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias, TypedDict, TypeVar, Unpack, cast

from rawasgi import headers as fields
from rawasgi import streams
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.content_length import STATUSES_WITHOUT_LENGTH
from rawasgi.error_responses import error_response
from rawasgi.errors import HTTPError
from rawasgi.failures import told
from rawasgi.formats import chat_chunks as _chat_chunks
from rawasgi.formats import csv as _csv
from rawasgi.formats import json_array as _json_array
from rawasgi.formats import json_seq as _json_seq
from rawasgi.formats import json_text as _json_text
from rawasgi.formats import multipart as _multipart
from rawasgi.formats import ndjson as _ndjson
from rawasgi.formats import sse as _sse
from rawasgi.formats import ui_messages as _ui_messages
from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.multipart import Part
from rawasgi.journal import Entry, Gap
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.sending import Chunk, Streaming
from rawasgi.streams.base import check_source

Fields: TypeAlias = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]] | None


class How(TypedDict, total=False):
    """How a stream is sent, as ``Streaming`` says it: all functions here that stream take these."""

    join: bool
    send: float
    cleanup: float
    max_start_delay: float | None


_BEAT = _sse.comment()


def whole(body: bytes, media_type: str | None, status: int = 200, headers: Fields = None) -> Response:
    """Answer with *body*, its type and its length; a header of the same name in *headers* comes first.

    Spec: RFC 9110, 8.6 (a 204 has no Content-Length, a 304 not this one).
    """
    return Response(body, status, _with(headers, media_type, None if status in STATUSES_WITHOUT_LENGTH else len(body)))


def text(text: str, status: int = 200, headers: Fields = None) -> Response:
    """Answer with *text* as UTF-8."""
    return whole(text.encode(), "text/plain; charset=utf-8", status, headers)


def html(text: str, status: int = 200, headers: Fields = None) -> Response:
    """Answer with *text* as an HTML page in UTF-8."""
    return whole(text.encode(), "text/html; charset=utf-8", status, headers)


def json(
    value: object, status: int = 200, headers: Fields = None, dumps: Callable[[object], str | bytes] | None = None
) -> Response:
    """Answer with *value* as JSON, as small as it goes.

    *dumps*: another encoder. Raises: ValueError for NaN and Infinity, which JSON (RFC 8259, 6) does not have; TypeError
    for what JSON cannot say.
    """
    encoded = (dumps or _json_text.compact)(value)
    if isinstance(encoded, str):
        encoded = encoded.encode("utf-8", "backslashreplace")  # half a surrogate pair stays the \\ud83d it came as
    return whole(encoded, "application/json", status, headers)


def redirect(url: str, status: int = 307, headers: Fields = None) -> Response:
    """Send the client to *url*: same method with 307 and 308, GET with 303. Spec: RFC 9110, 15.4."""
    if not 300 <= status <= 399:
        raise ValueError(f"the status of a redirect must be 300 to 399, not {status!r}")
    return Response(b"", status, (*fields.encode([("location", url)]), *_with(headers, None, 0)))


def empty(status: int = 204, headers: Fields = None) -> Response:
    """Answer without a body."""
    return whole(b"", None, status, headers)


def stream(
    source: AsyncIterable[Chunk],
    media_type: str = "text/plain; charset=utf-8",
    status: int = 200,
    headers: Fields = None,
    **how: Unpack[How],
) -> Response:
    """Answer with the items of *source* as they come: text as UTF-8, or bytes.

    With ``x-accel-buffering: no``, or nginx reads on for a client
    that has stopped, and the app does not learn that it left.
    """
    check_source(source, "respond.stream()")
    return Response(Streaming(source, **how), status, _streamed(headers, media_type))


def sse(
    source: AsyncIterable[object],
    status: int = 200,
    headers: Fields = None,
    *,
    heartbeat: float | None = 15.0,
    **how: Unpack[How],
) -> Response:
    """Answer with the items of *source* as Server-Sent Events.

    An item is an ``Event``, a str (its data), or anything JSON can say (its data as JSON). *heartbeat*: seconds of
    silence after which a comment is sent, so that proxies keep the connection and a client that vanished is found; None
    for never. Spec: HTML, 9.2 "Server-sent events".
    """
    check_source(source, "respond.sse()")
    if heartbeat is None:
        body = Streaming(source, encode=event, **how)
    elif heartbeat > 0:
        body = Streaming(source, encode=event, beat=_BEAT, every=heartbeat, **how)
    else:
        raise ValueError(f"a heartbeat must come every so many seconds, not {heartbeat!r}: None for never")
    return Response(body, status, _streamed(headers, "text/event-stream", b"no-cache"))


def event(item: object) -> bytes:
    """Return the bytes of one event: as ``sse.event_of``; a journal's Gap is an event ``gap``."""
    kind = type(item)
    if kind is dict or kind is list:  # most are: without an Event it takes a quarter
        return _sse.json_data(item)
    if kind is str:
        return _sse.data(cast(str, item))
    if isinstance(item, Entry):
        return item.encoded
    return _sse.encode(item.event if isinstance(item, Gap) else _sse.event_of(item))


def ndjson(source: AsyncIterable[object], status: int = 200, headers: Fields = None, **how: Unpack[How]) -> Response:
    """Answer with the items of *source* as JSON, one a line."""
    check_source(source, "respond.ndjson()")
    return Response(Streaming(source, encode=_ndjson.encode, **how), status, _streamed(headers, "application/x-ndjson"))


def json_seq(source: AsyncIterable[object], status: int = 200, headers: Fields = None, **how: Unpack[How]) -> Response:
    """Answer with the items of *source* as a JSON text sequence (RFC 7464)."""
    check_source(source, "respond.json_seq()")
    return Response(
        Streaming(source, encode=_json_seq.encode, **how), status, _streamed(headers, "application/json-seq")
    )


def csv(
    source: AsyncIterable[Iterable[object] | Failure | Done],
    status: int = 200,
    headers: Fields = None,
    **how: Unpack[How],
) -> Response:
    """Answer with the items of *source*, iterables of fields, as CSV in UTF-8, one record a line (RFC 4180)."""
    check_source(source, "respond.csv()")
    return Response(Streaming(source, encode=_csv.encode, **how), status, _streamed(headers, "text/csv; charset=utf-8"))


def json_array(
    source: AsyncIterable[object], status: int = 200, headers: Fields = None, **how: Unpack[How]
) -> Response:
    """Answer with the items of *source* as one JSON array, which is whole also if *source* fails.

    Then its last element is ``{"error": {…}}``, as ``failures.told`` has it; a client that leaves, or a cut, leaves the
    array open.
    """
    check_source(source, "respond.json_array()")
    encoder = _json_array.Encoder()
    elements = _framed(told(source), encoder.encode, encoder.end)
    return Response(Streaming(elements, **how), status, _streamed(headers, "application/json"))


def multipart(
    source: AsyncIterable[Part],
    subtype: str = "mixed",
    status: int = 200,
    headers: Fields = None,
    **how: Unpack[How],
) -> Response:
    """Answer with the items of *source* as parts: ``mixed``, or ``x-mixed-replace``, each in place of the one before.

    If *source* fails, the last part is application/problem+json (RFC 9457). Spec: RFC 2046, 5.1.
    """
    check_source(source, "respond.multipart()")
    encoder = _multipart.Encoder()
    parts = _framed(told(source), encoder.encode, encoder.end)
    return Response(Streaming(parts, **how), status, _streamed(headers, encoder.media_type(subtype)))


def chat_chunks(
    source: AsyncIterable[dict[str, object]], status: int = 200, headers: Fields = None, **how: Unpack[How]
) -> Response:
    """Answer with the items of *source* as OpenAI's clients read them, then ``[DONE]``; an error frame if it fails."""
    check_source(source, "respond.chat_chunks()")
    frames = Streaming(told(source), encode=_chat_chunks.encode, **how)
    return Response(frames, status, _streamed(headers, "text/event-stream", b"no-cache"))


def ui_messages(
    source: AsyncIterable[dict[str, object]], status: int = 200, headers: Fields = None, **how: Unpack[How]
) -> Response:
    """Answer with the items of *source* as a UI message stream of the AI SDK; ``error`` and ``[DONE]`` if it fails."""
    check_source(source, "respond.ui_messages()")
    encoder = _ui_messages.Encoder()
    parts = _framed(told(source), encoder.encode, encoder.end)
    pairs = _streamed((*fields.encode(headers), *_ui_messages.HEADERS.items()), "text/event-stream")
    return Response(Streaming(parts, **how), status, pairs)


KINDS: dict[str, Callable[[AsyncIterable[object]], Response]] = {
    "text/event-stream": sse,
    "application/x-ndjson": ndjson,
    "application/json": json_array,
}


def negotiate(
    request: Request,
    source: AsyncIterable[object],
    kinds: Mapping[str, Callable[[AsyncIterable[object]], Response]] = KINDS,
) -> App:
    """Answer with *source* as the media type of *kinds* that the client likes best, with ``Vary: Accept``.

    The first of *kinds* for who likes several the same, or has no Accept. 406 for who likes none: it says which there
    are, and *source* is closed. Spec: RFC 9110, 12.5.1, 15.5.7.
    """
    check_source(source, "respond.negotiate()")
    accept = fields.joined(request.headers, b"accept") or b""
    liked = fields.accepts(accept, list(kinds)) if accept.strip() else next(iter(kinds))
    if liked is not None:
        response = kinds[liked](source)
        return Response(response.body, response.status, (*response.headers, (b"vary", b"Accept")))

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await streams.close(source)
        await error_response(HTTPError(406, f"there is {', '.join(kinds)} here"))(scope, receive, send)

    return refuse


T = TypeVar("T")


def _framed(source: AsyncIterable[T], encode: Callable[[T], bytes], end: Callable[[], bytes]) -> streams.Stream[bytes]:
    """Encode what needs to know what came before, and what comes at the end."""

    async def frames() -> AsyncIterator[bytes]:
        async with streams.owned(source) as items:
            async for item in items:
                yield encode(item)
        yield end()

    return streams.Stream(frames(), source)


def _with(headers: Fields, media_type: str | None, length: int | None) -> tuple[tuple[bytes, bytes], ...]:
    """Return *headers*, and after them the type and the length, where *headers* do not say them."""
    if headers is None and media_type is not None and length is not None:  # most answers, in a fifth of the time
        return _content_type(media_type), (b"content-length", b"%d" % length)
    pairs = fields.encode(headers)
    if media_type is not None:
        fields.setdefault(pairs, *_content_type(media_type))
    if length is not None:
        fields.setdefault(pairs, b"content-length", b"%d" % length)
    return tuple(pairs)


@lru_cache(64)
def _content_type(media_type: str) -> tuple[bytes, bytes]:
    return fields.encode([("content-type", media_type)])[0]


def _streamed(headers: Fields, media_type: str, cache_control: bytes | None = None) -> tuple[tuple[bytes, bytes], ...]:
    if headers is None:
        return _only_streamed(media_type, cache_control)
    pairs = fields.encode(headers)
    fields.setdefault(pairs, *_content_type(media_type))
    fields.setdefault(pairs, b"x-accel-buffering", b"no")
    if cache_control is not None:
        fields.setdefault(pairs, b"cache-control", cache_control)
    return tuple(pairs)


@lru_cache(64)
def _only_streamed(media_type: str, cache_control: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    return _streamed((), media_type, cache_control)
