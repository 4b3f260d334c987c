"""The servers that the tests know, and what each cannot do."""

from collections.abc import Iterable

import pytest

# One process, for a worker takes a second to start, and two to stop; and no grace for what is open in the end, which
# HTTP/3 always is: it waits for one more datagram.
ALONE = ("--workers=0", "--graceful-timeout=0")
# They say nothing unless something is wrong.
SERVERS = {
    "uvicorn": [
        *["uvicorn", "--http=httptools", "--loop=uvloop", "--host=127.0.0.1", "--port={port}"],
        *["--log-level=warning", "--no-access-log"],
    ],
    "uvicorn-h11": [
        *["uvicorn", "--http=h11", "--loop=asyncio", "--host=127.0.0.1", "--port={port}"],
        *["--log-level=warning", "--no-access-log"],
    ],
    "hypercorn": ["hypercorn", "--bind=127.0.0.1:{port}", "--log-level=warning", *ALONE],
    "granian": [
        *["granian", "--interface=asgi", "--loop=asyncio", "--host=127.0.0.1", "--port={port}"],
        *["--log-level=warning", "--workers-kill-timeout=3"],
    ],
    "daphne": ["daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"],
    # Over HTTP/2 with TLS, and over HTTP/3; and over HTTP/1.1, for who asks what is open.
    "hypercorn-h2": [
        *["hypercorn", "--bind=127.0.0.1:{port}", "--insecure-bind=127.0.0.1:{plain}", "--certfile={certificate}"],
        *["--keyfile={key}", "--log-level=warning", *ALONE],
    ],
    "hypercorn-h3": [
        *["hypercorn", "--quic-bind=127.0.0.1:{port}", "--bind=127.0.0.1:{port}", "--insecure-bind=127.0.0.1:{plain}"],
        *["--certfile={certificate}", "--keyfile={key}", "--log-level=warning", *ALONE],
    ],
}
GATEWAYS = {"hypercorn-h2": "gateway_h2.OverH2", "hypercorn-h3": "gateway_h3.OverH3"}

UNREAD = "what comes of the request's body after the answer ends the connection, with all its streams; naked ASGI too"
ALL_OVER = (
    "what comes of the request's body after the answer ends HTTP/3 for all until it is started anew; naked ASGI too"
)
OTHERWISE = "each request has a stream of its own there"
# What does not hold on a server, whatever its app does; measured with the versions that setup.cfg asks for.
CANNOT = {
    ("uvicorn", "HTTP/1.0"): "httptools' protocol sends chunks to an HTTP/1.0 client, too",
    ("granian", "pipelining"): "it stops reading after a pipelined request and does not say that a write failed",
    ("granian", "fairness"): "a client that takes all it can get holds up others, for seconds; naked ASGI too",
    ("daphne", "pipelining"): "it takes the second request only after the first answer",
    ("daphne", "backpressure"): "its send() never waits: whoever writes without end fills its memory",
    ("daphne", "truncation"): "it leaves the connection open when the app fails in the midst of an answer",
    ("hypercorn-h2", "HTTP/1.0"): OTHERWISE,
    ("hypercorn-h2", "pipelining"): OTHERWISE,
    ("hypercorn-h2", "order"): OTHERWISE,
    ("hypercorn-h2", "backpressure"): "its send() never waits: whoever writes without end fills its memory",
    ("hypercorn-h2", "truncation"): "it leaves the stream open when the app fails in the midst of an answer",
    ("hypercorn-h2", "early answer"): UNREAD,
    ("hypercorn-h3", "HTTP/1.0"): OTHERWISE,
    ("hypercorn-h3", "pipelining"): OTHERWISE,
    ("hypercorn-h3", "order"): OTHERWISE,
    ("hypercorn-h3", "backpressure"): "its send() never waits: whoever writes without end fills its memory",
    ("hypercorn-h3", "truncation"): "it leaves the stream open when the app fails in the midst of an answer",
    ("hypercorn-h3", "fairness"): "ten clients that take all they can get hold up others, for seconds; naked ASGI too",
    ("hypercorn-h3", "early answer"): ALL_OVER,
    (
        "hypercorn-h3",
        "leaving",
    ): "it tells nobody: a write finds out that a stream was stopped, and nothing, that a connection was closed",
}


def on_all(*subjects: str, but: str = "") -> pytest.MarkDecorator:
    """Run a test on each server that can do *subjects*; on the others it is skipped, with the reason. Not on *but*."""
    return _on([name for name in SERVERS if name != but], subjects)


def on_http_1(*subjects: str) -> pytest.MarkDecorator:
    """As ``on_all``, for what HTTP/1 alone is about."""
    return _on([name for name in SERVERS if name not in GATEWAYS], subjects)


def on_gateways(*subjects: str) -> pytest.MarkDecorator:
    """As ``on_all``, for what HTTP/1 has not."""
    return _on(GATEWAYS, subjects)


def _on(names: Iterable[str], subjects: Iterable[str]) -> pytest.MarkDecorator:
    servers = []
    for name in names:
        reasons = [reason for subject in subjects if (reason := CANNOT.get((name, subject)))]
        marks = [pytest.mark.skip(reason=f"{name}: {reason}") for reason in reasons]
        servers.append(pytest.param(name, marks=marks, id=name))
    return pytest.mark.parametrize("server", servers, indirect=True)
