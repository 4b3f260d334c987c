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
    """

    name: str
    version: str
    calls: tuple[str, ...]
    resumes_reading: bool = False


SERVERS = (
    Server(
        "uvicorn",
        "0.54.0",
        (
            "uvicorn.protocols.http.httptools_impl.RequestResponseCycle",
            "uvicorn.protocols.http.h11_impl.RequestResponseCycle",
        ),
        resumes_reading=True,
    ),
    Server("hypercorn", "0.18.0", ("hypercorn.protocol.http_stream.HTTPStream", "asyncio.queues.Queue")),
    Server("granian", "2.8.9", ("granian._granian.ASGIHTTPProtocol",)),
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


def is_disconnect(error: BaseException) -> bool:
    """Return whether *error*, which ``send()`` raised, means that the client has disconnected.

    An OSError means that since ASGI 2.4. Spec: "Disconnected Client - send exception".
    """
    return isinstance(error, OSError) or any(text in str(error) for text in _DISCONNECT_MESSAGES)
