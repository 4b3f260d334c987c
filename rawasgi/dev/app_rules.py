"""What an app owes its server."""

import re
from pathlib import PurePath
from typing import cast

from rawasgi.dev import shapes
from rawasgi.dev.rules import Call, Message, headers, rule
from rawasgi.dev.server_rules import one_of
from rawasgi.errors import OutOfOrder

STARTS = ("http.response.start", "websocket.http.response.start")
HEADED = (*STARTS, "http.response.trailers", "http.response.push", "websocket.accept")
BODIES = ("http.response.body", "websocket.http.response.body")
FILES = ("http.response.zerocopysend", "http.response.pathsend")
EXTENSIONS = {
    "http.response.push": "http.response.push",
    "http.response.zerocopysend": "http.response.zerocopysend",
    "http.response.pathsend": "http.response.pathsend",
    "http.response.early_hint": "http.response.early_hint",
    "http.response.trailers": "http.response.trailers",
    "http.response.debug": "http.response.debug",
    "websocket.http.response.start": "websocket.http.response",
    "websocket.http.response.body": "websocket.http.response",
}
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")

# Calls


@rule("ASGI, Extra Coroutines", "send", "receive")
def nothing_after_return(call: Call, message: Message) -> str | None:
    """An app that has returned neither sends nor receives: what it started ends before it does."""
    return (
        "send() and receive() must not be called when the app has returned: await the task first"
        if call.returned
        else None
    )


@rule("ASGI, Applications: send", "send", "returned")
def send_is_awaited(call: Call, message: Message) -> str | None:
    """Each send() is awaited before the app returns; with HTTP before the next."""
    forgotten = call.forgotten()
    if forgotten and (call.returned or call.kind == "http"):
        for promise in forgotten:
            promise.close()  # or Python warns of the same
        return "send() must be awaited, not only called: await send(message)"
    return None


@rule("HTTP, Response Body: concatenated onto the previous", "send")
def one_send_at_a_time(call: Call, message: Message) -> str | None:
    """With HTTP a send() begins when the last has returned, or the order of the bytes is luck. Websockets may."""
    if call.sending and call.kind == "http":
        return "send() must not be called while another send() waits: one task sends"
    return None


@rule("ASGI, Applications: receive; hypercorn wakes only one of two", "receive")
def one_receive_at_a_time(call: Call, message: Message) -> str | None:
    """A receive() begins when the last has returned or was cancelled."""
    return "receive() must not be called while another receive() waits: one task receives" if call.receiving else None


# Every message


@rule("ASGI, Error Handling", "sent")
def sent_has_its_shape(call: Call, message: Message) -> str | None:
    """What is sent is a message of this protocol, with its keys and types."""
    kind = message.get("type") if isinstance(message, dict) else None
    shape = shapes.SENT[call.kind].get(str(kind))
    if shape is None:
        return f"send() must be given one of {', '.join(shapes.SENT[call.kind])}, not {message!r}"
    return shapes.mismatch(message, shape, str(kind))


@rule("ASGI, Events", "sent")
def more_keys_are_plain(call: Call, message: Message) -> str | None:
    """Keys that the spec does not have may be in a message, if their values could be in any message."""
    kind = str(message["type"])
    more = shapes.extra(message, shapes.SENT[call.kind][kind])
    return next((wrong for key in more if (wrong := shapes.unserializable(message[key], f"{kind}[{key!r}]"))), None)


@rule("extensions", "sent")
def extension_is_offered(call: Call, message: Message) -> str | None:
    """What an extension brings is sent only if scope["extensions"] has it, ``trailers: True`` too."""
    needed = EXTENSIONS.get(str(message["type"])) or ("http.response.trailers" if message.get("trailers") else None)
    if needed is not None and needed not in cast(dict[str, object], call.scope.get("extensions") or {}):
        return f"{message['type']} must not use {needed!r}, which scope['extensions'] does not have: look there first"
    return None


@rule("states.py", "sent", fault=OutOfOrder)
def sent_in_order(call: Call, message: Message) -> str | None:
    """What is sent is legal at this moment: start, body, trailers if announced, and nothing after the end."""
    try:
        call.order.sent(message)
    except OutOfOrder as error:
        return str(error)
    return None


# Headers


@rule("HTTP, Response Start: headers", "sent", types=HEADED)
def headers_are_pairs(call: Call, message: Message) -> str | None:
    """A header is a name and a value."""
    pairs = cast(list[list[bytes]], message.get("headers", ()))
    return next(
        (f"a header of {message['type']} must be (name, value), not {pair!r}" for pair in pairs if len(pair) != 2), None
    )


@rule("HTTP, Response Start: headers", "sent", types=HEADED)
def no_pseudo_headers(call: Call, message: Message) -> str | None:
    """The pseudo headers of HTTP/2 and 3 are the server's."""
    names = [name for name, _ in headers(message) if name.startswith(b":")]
    return f"{message['type']} must have no pseudo header, not {names[0]!r}: leave it out" if names else None


@rule("HTTP, Response Start: headers; RFC 9110, 5.1", "sent", types=HEADED)
def header_names_are_lowercase_tokens(call: Call, message: Message) -> str | None:
    """A header's name is a lowercase token."""
    names = [name for name, _ in headers(message) if not TOKEN.fullmatch(name)]
    return f"a header's name must be a lowercase token, not {names[0]!r}: lower() it" if names else None


@rule("RFC 9110, 5.5; daphne lets them through", "sent", types=(*HEADED, "http.response.early_hint"))
def header_values_are_one_line(call: Call, message: Message) -> str | None:
    """A header's value, or a link's, has no CR, LF or NUL: who can write one can write the response."""
    values = [value for _, value in headers(message)] + list(cast(list[bytes], message.get("links", ())))
    bad = [value for value in values if re.search(rb"[\r\n\0]", value)]
    return (
        f"a header's value must have no CR, LF or NUL, not {bad[0]!r}: refuse it where it comes from" if bad else None
    )


# Responses


@rule("RFC 9110, 15: 1xx are not final", "sent", types=STARTS)
def status_is_final(call: Call, message: Message) -> str | None:
    """A status is 200 to 599; 103 is the extension Early Hints."""
    status = cast(int, message["status"])
    return None if 200 <= status <= 599 else f"{message['type']}['status'] must be 200 to 599, not {status}"


@rule("RFC 9110, 8.6", "sent", types=STARTS)
def one_content_length(call: Call, message: Message) -> str | None:
    """There is at most one content-length, it is digits, and a 204 has none."""
    lengths = [value for name, value in headers(message) if name == b"content-length"]
    if len(lengths) > 1 or not all(re.fullmatch(rb"[0-9]+", value) for value in lengths):
        return f"content-length must be there once, in digits, not {lengths!r}"
    return "a 204 must have no content-length: leave it out" if lengths and message["status"] == 204 else None


@rule("RFC 9110, 6.4.1 and 15.3.6; uvicorn raises", "sent", types=(*BODIES, *FILES))
def no_body_where_none_may_be(call: Call, message: Message) -> str | None:
    """The body of 204, 205, 304 is empty. That of HEAD need not be: ASGI is silent, and servers but daphne drop it."""
    body = message["type"] in FILES or message.get("body")
    return f"the body of a {call.status} must be empty: send b''" if body and call.status in (204, 205, 304) else None


@rule("RFC 9110, 8.6; granian and daphne let the client wait", "sent", types=BODIES)
def body_is_as_long_as_content_length(call: Call, message: Message) -> str | None:
    """The bytes that are sent are as many as content-length says; not so for HEAD and 304, and unknown for files."""
    total = call.body_bytes + len(cast(bytes, message.get("body", b"")))
    if (
        call.length_bytes is None
        or total == call.length_bytes
        or (total < call.length_bytes and message.get("more_body"))
    ):
        return None
    return f"the body must have the {call.length_bytes} bytes of content-length, not {total}: leave it out if unknown"


@rule("extensions, Path Send", "sent", types=("http.response.pathsend",))
def path_is_absolute(call: Call, message: Message) -> str | None:
    """The path of a file is absolute."""
    path = str(message["path"])
    return None if PurePath(path).is_absolute() else f"http.response.pathsend['path'] must be absolute, not {path!r}"


# Websockets


@rule("WebSocket, Send", "sent", types=("websocket.send",))
def sent_is_bytes_or_text(call: Call, message: Message) -> str | None:
    """Exactly one of ``bytes`` and ``text`` of websocket.send is not None."""
    return one_of(message)


@rule("WebSocket, Accept; RFC 6455, 4.2.2", "sent", types=("websocket.accept",))
def subprotocol_is_offered(call: Call, message: Message) -> str | None:
    """The subprotocol is one of the client's, and said by ``subprotocol``, not by a header."""
    offered = list(cast(list[str], call.scope.get("subprotocols", ())))
    subprotocol = message.get("subprotocol")
    if subprotocol is not None and subprotocol not in offered:
        return f"websocket.accept['subprotocol'] must be one of {offered!r}, not {subprotocol!r}"
    if any(name == b"sec-websocket-protocol" for name, _ in headers(message)):
        return "websocket.accept['headers'] must not have sec-websocket-protocol: say subprotocol"
    return None


@rule("WebSocket, Close; RFC 6455, 5.5 and 7.4", "sent", types=("websocket.close",))
def close_fits_its_frame(call: Call, message: Message) -> str | None:
    """A close code is 1000 to 4999 and none that only describes (1004, 1005, 1006, 1015); a reason has 123 bytes."""
    code, reason = cast(int, message.get("code", 1000)), cast(str, message.get("reason") or "")
    if not 1000 <= code <= 4999 or code in (1004, 1005, 1006, 1015):
        return f"websocket.close['code'] must be one that can be sent, not {code}: 1000, or 4000 to 4999 for your own"
    size = len(reason.encode())
    return None if size <= 123 else f"websocket.close['reason'] must have at most 123 bytes, not {size}: cut it"


# Returning


@rule("ASGI, Applications", "returned")
def unknown_scopes_are_refused(call: Call, message: Message) -> str | None:
    """An app raises for a scope type that it does not know."""
    return None if call.known else f"the app must raise for a scope of type {call.kind!r}, which it cannot know"


@rule("ASGI, Error Handling", "returned")
def violations_are_not_swallowed(call: Call, message: Message) -> str | None:
    """What send() and receive() raise about a broken rule is not caught and forgotten."""
    return f"the app must not swallow what it was told: {call.violation}" if call.violation is not None else None


@rule("ASGI, Applications; uvicorn closes the connection", "returned")
def returns_none(call: Call, message: Message) -> str | None:
    """An app returns None."""
    return None if call.result is None else f"the app must return None, not {call.result!r}: send it"


@rule("HTTP, Response Body; WebSocket, Close; Lifespan", "returned")
def returns_when_complete(call: Call, message: Message) -> str | None:
    """An app returns when its answer is complete, or when nobody is there: receive() said so, or a send() failed."""
    if not call.known or call.order.complete or call.order.receiving == "disconnected" or call.lost:
        return None
    legal = " or ".join(call.order.table.legal(call.order.sending, ">"))
    return f"the app must not return when {call.order.sending!r}: {f'send {legal}' if legal else 'receive() first'}"
