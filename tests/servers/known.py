"""The servers that the tests know, and what each cannot do."""

import pytest

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
    "hypercorn": ["hypercorn", "--bind=127.0.0.1:{port}", "--log-level=warning"],
    "granian": [
        *["granian", "--interface=asgi", "--loop=asyncio", "--host=127.0.0.1", "--port={port}"],
        *["--log-level=warning", "--workers-kill-timeout=3"],
    ],
    "daphne": ["daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"],
    # Over HTTP/2 with TLS, and over HTTP/3; and over HTTP/1.1, for who asks what is open.
    "hypercorn-h2": [
        *["hypercorn", "--bind=127.0.0.1:{port}", "--insecure-bind=127.0.0.1:{plain}", "--certfile={certificate}"],
        *["--keyfile={key}", "--log-level=warning"],
    ],
    "hypercorn-h3": [
        *["hypercorn", "--quic-bind=127.0.0.1:{port}", "--bind=127.0.0.1:{port}", "--insecure-bind=127.0.0.1:{plain}"],
        *["--certfile={certificate}", "--keyfile={key}", "--log-level=warning"],
        "--graceful-timeout=0",  # it waits so long for its own UDP, always
    ],
}
GATEWAYS = {"hypercorn-h2": "gateway_h2.OverH2", "hypercorn-h3": "gateway_h3.OverH3"}

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
    ("hypercorn-h3", "HTTP/1.0"): OTHERWISE,
    ("hypercorn-h3", "pipelining"): OTHERWISE,
    ("hypercorn-h3", "order"): OTHERWISE,
    ("hypercorn-h3", "backpressure"): "its send() never waits: whoever writes without end fills its memory",
    ("hypercorn-h3", "truncation"): "it leaves the stream open when the app fails in the midst of an answer",
    ("hypercorn-h3", "leaving"): "it tells nobody: the next write finds a stream that was stopped, nothing one closed",
}


def on_all(*subjects: str) -> pytest.MarkDecorator:
    """Run a test on each server that can do *subjects*; on the others it is skipped, with the reason."""
    servers = []
    for name in SERVERS:
        reasons = [reason for subject in subjects if (reason := CANNOT.get((name, subject)))]
        marks = [pytest.mark.skip(reason=f"{name}: {reason}") for reason in reasons]
        servers.append(pytest.param(name, marks=marks, id=name))
    return pytest.mark.parametrize("server", servers, indirect=True)
