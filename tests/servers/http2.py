"""A client of HTTP/2 that shows what others hide: early hints, pushes, trailers."""

import asyncio
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
from serving import PATIENCE

Fields = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    """What came of one request, *order* in the order that it came."""

    order: list[str] = field(default_factory=list)
    hints: list[Fields] = field(default_factory=list)
    headers: Fields = field(default_factory=list)
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    pushed: list[Fields] = field(default_factory=list)


async def fetch(port: int, path: str, *headers: tuple[str, str]) -> Answer:
    """GET *path* by HTTP/2 without TLS, by prior knowledge (RFC 9113, 3.3)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    connection.initiate_connection()
    pseudo = [(":method", "GET"), (":scheme", "http"), (":authority", "house"), (":path", path)]
    connection.send_headers(1, [*pseudo, *headers], end_stream=True)
    answer = Answer()
    over = False
    try:
        async with asyncio.timeout(PATIENCE):
            while not over:
                writer.write(connection.data_to_send())
                data = await reader.read(65536)
                assert data, f"the connection was closed after {answer}"
                for event in connection.receive_data(data):
                    over = take(connection, event, answer) or over
    finally:
        writer.close()
    return answer


def take(connection: h2.connection.H2Connection, event: h2.events.Event, answer: Answer) -> bool:
    """Note what *event* says; return whether the answer is over."""
    if isinstance(event, h2.events.DataReceived):
        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    if isinstance(event, h2.events.PushedStreamReceived):
        answer.order.append("push")
        answer.pushed.append(fields(event.headers))
    elif getattr(event, "stream_id", None) != 1:
        return False
    elif isinstance(event, h2.events.InformationalResponseReceived):
        answer.order.append("hint")
        answer.hints.append(fields(event.headers))
    elif isinstance(event, h2.events.ResponseReceived):
        answer.order.append("headers")
        answer.headers = fields(event.headers)
    elif isinstance(event, h2.events.DataReceived):
        answer.body += event.data
    elif isinstance(event, h2.events.TrailersReceived):
        answer.order.append("trailers")
        answer.trailers = fields(event.headers)
    return isinstance(event, h2.events.StreamEnded)


def fields(headers: object) -> Fields:
    assert isinstance(headers, list)
    return [(bytes(name), bytes(value)) for name, value in headers]
