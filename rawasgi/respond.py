"""Make responses: one function a kind of body."""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from functools import partial
from typing import Unpack

from rawasgi import headers as fields
from rawasgi import streams
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.content_length import STATUSES_WITHOUT_LENGTH
from rawasgi.encoding import How, body_of
from rawasgi.encoding import event as event
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
from rawasgi.formats.json_text import Dumps
from rawasgi.formats.json_values import Default
from rawasgi.formats.multipart import Part
from rawasgi.headers import Fields as Fields
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.sending import Chunk, Streaming
from rawasgi.streams.base import check_source

_BEAT = _sse.comment()


def whole(body: bytes, media_type: str | None, status: int = 200, headers: Fields = None) -> Response:
    """Answer with *body*, its type and its length; a header of the same name in *headers* comes first.

    Spec: RFC 9110, 8.6 (a 204 has no Content-Length, a 304 not this one).
    """
    return Response(
        body, status, fields.for_body(headers, media_type, None if status in STATUSES_WITHOUT_LENGTH else len(body))
    )


def text(text: str, status: int = 200, headers: Fields = None) -> Response:
    """Answer with *text* as UTF-8."""
    return whole(text.encode(), "text/plain; charset=utf-8", status, headers)


def html(text: str, status: int = 200, headers: Fields = None) -> Response:
    """Answer with *text* as an HTML page in UTF-8."""
    return whole(text.encode(), "text/html; charset=utf-8", status, headers)


def json(
    value: object,
    status: int = 200,
    headers: Fields = None,
    dumps: Dumps | None = None,
    default: Default | None = None,
) -> Response:
    """Answer with *value* as compact JSON in UTF-8. *dumps* and *default*: as in ``ndjson``.

    Raises: ValueError for NaN and Infinity, which JSON (RFC 8259, 6) does not have, and for both arguments; TypeError
    for a type without a rule.
    """
    _json_text.check_one_encoder(dumps, default)
    if dumps is not None:
        body = _json_text.encode(value, dumps, "respond.json")
    else:
        body = (_json if default is None else _json_text.writer("respond.json", default=default))(value)
    return whole(body, "application/json", status, headers)


_json = _json_text.writer("respond.json")


def redirect(url: str, status: int = 307, headers: Fields = None) -> Response:
    """Send the client to *url*: same method with 307 and 308, GET with 303. Spec: RFC 9110, 15.4."""
    if not 300 <= status <= 399:
        raise ValueError(f"the status of a redirect must be 300 to 399, not {status!r}")
    return Response(b"", status, (*fields.encode([("location", url)]), *fields.for_body(headers, None, 0)))


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
    return Response(Streaming(source, **how), status, fields.for_stream(headers, media_type))


def sse(
    source: AsyncIterable[object],
    status: int = 200,
    headers: Fields = None,
    *,
    heartbeat: float | None = 15.0,
    dumps: Dumps | None = None,
    default: Default | None = None,
    **how: Unpack[How],
) -> Response:
    """Answer with the items of *source* as Server-Sent Events.

    An item is an ``Event``, a str (its data), or anything JSON can say (its data as JSON). *heartbeat*: seconds of
    silence after which a comment is sent, so that proxies keep the connection and a client that vanished is found; None
    for never. *dumps*, *default*, and an item that cannot be encoded: as in ``ndjson``.
    Spec: HTML, 9.2 "Server-sent events".
    """
    check_source(source, "respond.sse()")
    encode = event if dumps is default is None else partial(event, json_data=_sse.json_data_encoder(dumps, default))
    body = body_of(source, encode, how)
    if heartbeat is not None:
        if not heartbeat > 0:
            raise ValueError(f"a heartbeat must come every so many seconds, not {heartbeat!r}: None for never")
        body.beat, body.every = _BEAT, heartbeat
    return Response(body, status, fields.for_stream(headers, "text/event-stream", b"no-cache"))


def ndjson(
    source: AsyncIterable[object],
    status: int = 200,
    headers: Fields = None,
    *,
    dumps: Dumps | None = None,
    default: Default | None = None,
    **how: Unpack[How],
) -> Response:
    """Answer with the items of *source* as JSON, one a line.

    JSON is compact and in UTF-8. What dataclasses, pydantic models, dates and the like are written as is the table in
    ``formats/json_values.py``. *dumps*: another encoder, such as ``orjson.dumps``, which returns str or bytes.
    *default*: called for a value of any other type, as that of ``json.dumps``: it returns one that can be encoded.

    An item that cannot be encoded ends the response as an error of *source* does, and *source* is closed: it is raised,
    for a 500, if the response has not started; later the body is cut, or, if *source* is ``failures.told``, ends with
    the frame of a Failure. Raises: ValueError for *dumps* and *default*.
    """
    check_source(source, "respond.ndjson()")
    body = body_of(source, _ndjson.encoder(dumps, default), how)
    return Response(body, status, fields.for_stream(headers, "application/x-ndjson"))


def json_seq(
    source: AsyncIterable[object],
    status: int = 200,
    headers: Fields = None,
    *,
    dumps: Dumps | None = None,
    default: Default | None = None,
    **how: Unpack[How],
) -> Response:
    """Answer with the items of *source* as a JSON text sequence (RFC 7464). All else: as in ``ndjson``."""
    check_source(source, "respond.json_seq()")
    body = body_of(source, _json_seq.encoder(dumps, default), how)
    return Response(body, status, fields.for_stream(headers, "application/json-seq"))


def csv(
    source: AsyncIterable[object],
    status: int = 200,
    headers: Fields = None,
    *,
    header: Iterable[str] | None = None,
    dumps: Dumps | None = None,
    default: Default | None = None,
    **how: Unpack[How],
) -> Response:
    """Answer with the items of *source* as CSV in UTF-8, one record a line (RFC 4180).

    An item is an iterable of fields, or has names: a dict, a dataclass, a pydantic model, a row of a database.
    *header*: the names, which are the first record, also if *source* yields nothing. Without it, the names of the first
    item are the header, if it has names. *dumps*: another encoder, for a field that is a dict or a list, which is JSON.
    *default*: called for a field of a type without a rule; without it, that is its str(). All else: as in ``ndjson``.
    """
    check_source(source, "respond.csv()")
    encoder = _csv.Encoder(header, dumps, default)
    body = body_of(source, encoder.encode, how, None if header is None else encoder.end)
    return Response(body, status, fields.for_stream(headers, "text/csv; charset=utf-8"))


def json_array(
    source: AsyncIterable[object],
    status: int = 200,
    headers: Fields = None,
    *,
    dumps: Dumps | None = None,
    default: Default | None = None,
    **how: Unpack[How],
) -> Response:
    """Answer with the items of *source* as one JSON array, which is whole also if *source* fails.

    Then its last element is ``{"error": {…}}``, as ``failures.told`` has it; a client that leaves, or a cut, leaves the
    array open. *dumps* and *default*: as in ``ndjson``.
    """
    check_source(source, "respond.json_array()")
    encoder = _json_array.Encoder(dumps, default)
    body = body_of(told(source), encoder.encode, how, encoder.end)
    return Response(body, status, fields.for_stream(headers, "application/json"))


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
    body = body_of(told(source), encoder.encode, how, encoder.end)
    return Response(body, status, fields.for_stream(headers, encoder.media_type(subtype)))


def chat_chunks(
    source: AsyncIterable[object], status: int = 200, headers: Fields = None, **how: Unpack[How]
) -> Response:
    """Answer with the items of *source* as OpenAI's clients read them, then ``[DONE]``; an error frame if it fails.

    An item is a dict, or a model: the stream that OpenAI's own client returns can be passed on.
    """
    check_source(source, "respond.chat_chunks()")
    body = body_of(told(source), _chat_chunks.encode, how)
    return Response(body, status, fields.for_stream(headers, "text/event-stream", b"no-cache"))


def ui_messages(
    source: AsyncIterable[object], status: int = 200, headers: Fields = None, **how: Unpack[How]
) -> Response:
    """Answer with the items of *source* as a UI message stream of the AI SDK; ``error`` and ``[DONE]`` if it fails."""
    check_source(source, "respond.ui_messages()")
    encoder = _ui_messages.Encoder()
    body = body_of(told(source), encoder.encode, how, encoder.end)
    pairs = fields.for_stream((*fields.encode(headers), *_ui_messages.HEADERS.items()), "text/event-stream")
    return Response(body, status, pairs)


KINDS: dict[str, Callable[..., Response]] = {
    "text/event-stream": sse,
    "application/x-ndjson": ndjson,
    "application/json": json_array,
}


def negotiate(
    request: Request,
    source: AsyncIterable[object],
    kinds: Mapping[str, Callable[..., Response]] = KINDS,
    *,
    dumps: Dumps | None = None,
    default: Default | None = None,
) -> App:
    """Answer with *source* as the media type of *kinds* that the client likes best, with ``Vary: Accept``.

    The first of *kinds* for who likes several the same, or has no Accept. 406 for who likes none: it says which there
    are, and *source* is closed. *dumps* and *default*, if given, are arguments for the function of *kinds*.
    Spec: RFC 9110, 12.5.1, 15.5.7.
    """
    check_source(source, "respond.negotiate()")
    accept = fields.joined(request.headers, b"accept") or b""
    liked = fields.accepts(accept, list(kinds)) if accept.strip() else next(iter(kinds))
    if liked is not None:
        options = {"dumps": dumps, "default": default}
        response = kinds[liked](source, **{name: value for name, value in options.items() if value is not None})
        return Response(response.body, response.status, (*response.headers, (b"vary", b"Accept")))

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await streams.close(source)
        await error_response(HTTPError(406, f"there is {', '.join(kinds)} here"))(scope, receive, send)

    return refuse
