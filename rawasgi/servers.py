"""What is true of one server only: the one table of server quirks.

A ``receive`` or ``send`` that belongs to a server listed here waits for plain futures and looks neither at the task nor
at the context that calls it (read in its source, in the version named). Such a call may be advanced by hand, without a
task of its own. Any other callable may be a middleware's: it may open a cancel scope, set context variables or start a
timeout, all of which belong to the calling task, so it runs in a task of its own (``listening.py``, ``writing.py``).
"""

from dataclasses import dataclass
from functools import lru_cache, partial


@dataclass(frozen=True, slots=True)
class Server:
    """One server, in the *version* that was read; *calls* are the types whose bound methods are its callables.

    *resumes_reading*: a client that pipelines a request makes the server stop reading, so it does not see the client
    disconnect; it reads again when ``receive()`` is called again.
    *closes_in_last_send*: the last ``send()`` waits until a connection that is not kept alive is closed, and meanwhile
    ``receive()`` returns a disconnect, though the whole response was sent.
    *refuses_late_hints*: http.response.early_hint raises after http.response.start (as asgiref PR #579 specifies).
    *ends_at_first_trailers*: the first http.response.trailers ends the stream, whatever its ``more_trailers`` is.
    *drops_websockets*: asked to stop, it does not wait for websockets, and a ``send()`` to one never returns.
    *breaks_trailers_over*: the HTTP versions whose stream ends with an empty DATA frame, which is refused after
    trailers (RFC 9114, 4.1): ``send()`` raises, and the client waits for the end for ever.
    """

    name: str
    version: str
    calls: tuple[str, ...]
    resumes_reading: bool = False
    closes_in_last_send: bool = False
    refuses_late_hints: bool = False
    ends_at_first_trailers: bool = False
    drops_websockets: bool = False
    breaks_trailers_over: tuple[str, ...] = ()


SERVERS = (
    Server(
        "uvicorn",
        "0.54.0",
        (
            "uvicorn.protocols.http.httptools_impl.RequestResponseCycle",
            "uvicorn.protocols.http.h11_impl.RequestResponseCycle",
        ),
        resumes_reading=True,
        refuses_late_hints=True,
    ),
    Server(
        "hypercorn",
        "0.18.0",
        ("hypercorn.protocol.http_stream.HTTPStream", "asyncio.queues.Queue"),
        closes_in_last_send=True,
        refuses_late_hints=True,
        ends_at_first_trailers=True,
        breaks_trailers_over=("3",),  # with aioquic 1.7
    ),
    Server("granian", "2.8.9", ("granian._granian.ASGIHTTPProtocol",), drops_websockets=True),
    Server("daphne", "4.2.3", ("daphne.server.Server", "asyncio.queues.Queue")),
)

# Wrappers of our own that only pass on what they are given: the callable behind each decides.
_OWN_WRAPPERS = {"rawasgi.shutdown._Exchange": "_send", "rawasgi.background.ResponseWatch": "_send"}

# What a transport raises for a client that has disconnected, other than an OSError: uvloop's transports, which uvicorn
# does not ask before it writes; and aioquic, under hypercorn, for a stream that its client has stopped.
_DISCONNECT_MESSAGES = (
    *("handler is closed", "DATA frame is not allowed in this state"),
    *("Cannot send data after the stream was reset", "Cannot send data on a finished stream"),
)


def server_of(call: object) -> Server | None:
    """Return the server to which *call*, a ``receive`` or ``send``, belongs; None if it may be a middleware's."""
    if type(call) is partial:  # daphne's send
        call = call.func
    owner: object = getattr(call, "__self__", None)
    if owner is None:
        return None
    kind = type(owner)
    found = _find(kind.__module__, kind.__qualname__)
    if isinstance(found, str):
        return server_of(getattr(owner, found))
    return found


@lru_cache(maxsize=256)  # a type is looked up once, not once a request
def _find(module: str, kind: str) -> Server | str | None:
    name = f"{module}.{kind}"
    for server in SERVERS:
        if name in server.calls:
            return server
    return _OWN_WRAPPERS.get(name)


def sends_trailers(http_version: str) -> bool:
    """Return whether trailers arrive over *http_version* on every server, as middleware hides which one it is."""
    return all(http_version not in server.breaks_trailers_over for server in SERVERS)


def is_disconnect(error: BaseException) -> bool:
    """Return whether *error*, which ``send()`` raised, means that the client has disconnected.

    An OSError means that since ASGI 2.4. Spec: "Disconnected Client - send exception".
    """
    return isinstance(error, OSError) or any(text in str(error) for text in _DISCONNECT_MESSAGES)
