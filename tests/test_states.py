"""The tables, held against the same grammar written as regular expressions, over all short exchanges."""

import re
from collections.abc import Iterator
from itertools import product
from typing import get_args, get_type_hints

import pytest

from rawasgi import asgi
from rawasgi.errors import AppError, OutOfOrder, ServerError
from rawasgi.states import FLAGS, HTTP, LIFESPAN, TABLES, WEBSOCKET, Order, Table

Letters = dict[str, str]  # a letter for each event

HTTP_SENT = {
    "d": ">http.response.debug",
    "h": ">http.response.early_hint",
    "s": ">http.response.start",
    "t": ">http.response.start+trailers",
    "p": ">http.response.push",
    "B": ">http.response.body+more_body",
    "b": ">http.response.body",
    "Z": ">http.response.zerocopysend+more_body",
    "z": ">http.response.zerocopysend",
    "f": ">http.response.pathsend",
    "R": ">http.response.trailers+more_trailers",
    "r": ">http.response.trailers",
}
HTTP_RECEIVED = {"R": "<http.request+more_body", "r": "<http.request", "x": "<http.disconnect"}
WEBSOCKET_BOTH = {
    "c": "<websocket.connect",
    "r": "<websocket.receive",
    "x": "<websocket.disconnect",
    "a": ">websocket.accept",
    "m": ">websocket.send",
    "k": ">websocket.close",
    "s": ">websocket.http.response.start",
    "B": ">websocket.http.response.body+more_body",
    "b": ">websocket.http.response.body",
}
LIFESPAN_BOTH = {
    "u": "<lifespan.startup",
    "c": ">lifespan.startup.complete",
    "f": ">lifespan.startup.failed",
    "d": "<lifespan.shutdown",
    "C": ">lifespan.shutdown.complete",
    "F": ">lifespan.shutdown.failed",
}


def after(table: Table, events: list[str]) -> Order:
    """The order when these events have been; raises if they may not be."""
    order = Order(table)
    for event in events:
        kind, _, flag = event[1:].partition("+")
        message: dict[str, object] = {"type": kind, **({flag: True} if flag else {})}
        if event.startswith(">"):
            order.sent(message)
        else:
            order.received(message)
    return order


def allowed(table: Table, letters: Letters, length: int, begun: str = "") -> Iterator[tuple[str, bool]]:
    """All exchanges of at most *length* messages that the table allows, and whether the app is then done."""
    try:
        order = after(table, [letters[letter] for letter in begun])
    except (OutOfOrder, ServerError):
        return
    yield begun, order.complete
    for letter in letters if len(begun) < length else ():
        yield from allowed(table, letters, length, begun + letter)


def matching(grammar: str, letters: Letters, length: int) -> set[str]:
    """All words of at most *length* letters that match."""
    words = ("".join(word) for size in range(length + 1) for word in product(letters, repeat=size))
    return {word for word in words if re.fullmatch(grammar, word)}


def test_a_response_is_complete_exactly_when_the_grammar_says_so() -> None:
    body = r"([pBZ]*[bz]|p*f)"
    grammar = rf"h*(dh*)?(s{body}|t{body}R*r)"
    assert {word for word, done in allowed(HTTP, HTTP_SENT, 5) if done} == matching(grammar, HTTP_SENT, 5)


def test_nothing_but_the_beginning_of_a_response_is_legal() -> None:
    body, piece = r"([pBZ]*[bz]|p*f)", r"[pBZ]*"
    grammar = rf"h*(dh*)?((s|t){piece}|s{body}|t{body}R*r?)?"
    assert {word for word, _ in allowed(HTTP, HTTP_SENT, 5)} == matching(grammar, HTTP_SENT, 5)


def test_a_request_is_its_body_and_then_disconnects() -> None:
    assert {word for word, _ in allowed(HTTP, HTTP_RECEIVED, 6)} == matching("R*r?x*", HTTP_RECEIVED, 6)


def test_a_websocket_follows_the_grammar() -> None:
    ended = r"(ca[rm]*k|c?k|c?s[Bc]*b)[crx]*"
    left = r"(c|ca[rm]*|c?s[Bc]*)x[xamksBb]*"
    words = dict(allowed(WEBSOCKET, WEBSOCKET_BOTH, 5))
    assert words.keys() == matching(rf"(c|ca[rm]*|c?s[Bc]*)?|{ended}|{left}", WEBSOCKET_BOTH, 5)
    assert {word for word, done in words.items() if done} == matching(rf"{ended}|{left}", WEBSOCKET_BOTH, 5)


def test_a_lifespan_follows_the_grammar() -> None:
    words = dict(allowed(LIFESPAN, LIFESPAN_BOTH, 6))
    assert words.keys() == matching("(u(f|c(d[CF]?)?)?)?", LIFESPAN_BOTH, 6)
    assert {word for word, done in words.items() if done} == matching("uf|ucd[CF]", LIFESPAN_BOTH, 6)


@pytest.mark.parametrize("protocol", TABLES)
def test_each_row_can_be_reached_is_alone_and_says_its_section(protocol: str) -> None:
    table = TABLES[protocol]
    reached = {table.sending, table.receiving}
    for _ in table.rows:
        reached |= {row.then for row in table.rows if row.state in reached}
    assert {row.state for row in table.rows} <= reached
    assert len({(row.state, row.event) for row in table.rows}) == len(table.rows)
    assert all(row.spec for row in table.rows)


@pytest.mark.parametrize(
    ("protocol", "arrow", "union"),
    [
        ("http", ">", asgi.HTTPSent),
        ("http", "<", asgi.HTTPReceived),
        ("websocket", ">", asgi.WebSocketSent),
        ("websocket", "<", asgi.WebSocketReceived),
        ("lifespan", ">", asgi.LifespanSent),
        ("lifespan", "<", asgi.LifespanReceived),
    ],
)
def test_the_tables_have_each_message_of_asgi_and_its_flag(protocol: str, arrow: str, union: object) -> None:
    expected = set()
    for shape in get_args(union):
        (kind,) = get_args(get_type_hints(shape)["type"])
        expected |= {f"{arrow}{kind}"} | {f"{arrow}{kind}+{key}" for key in FLAGS if key in get_type_hints(shape)}
    assert {row.event for row in TABLES[protocol].rows if row.event.startswith(arrow)} == expected


def test_who_breaks_the_order_is_named_and_told_the_way_out() -> None:
    with pytest.raises(OutOfOrder) as app:
        Order(HTTP).sent({"type": "http.response.trailers"})
    assert isinstance(app.value, AppError)
    assert str(app.value) == "http.response.trailers cannot be sent when 'idle': send http.response.start"
    with pytest.raises(ServerError) as server:
        after(LIFESPAN, ["<lifespan.startup", "<lifespan.startup"])
    assert str(server.value) == "lifespan.startup cannot be received when 'starting': give nothing any more"


def test_the_way_out_names_extensions_only_where_there_is_no_other() -> None:
    assert HTTP.legal("started", ">") == ["http.response.body"]
    assert HTTP.legal("trailers", ">") == ["http.response.trailers"]
    assert HTTP.legal("complete", ">") == []
    assert HTTP.legal("request", "<") == ["http.request", "http.disconnect"]
    assert WEBSOCKET.legal("handshake", ">") == ["websocket.accept", "websocket.close"]
    with pytest.raises(OutOfOrder, match=r"when 'complete': send nothing any more$"):
        after(HTTP, [">http.response.start", ">http.response.body", ">http.response.body"])
    with pytest.raises(ServerError, match=r"give http\.disconnect$"):
        after(HTTP, ["<http.request", "<http.request"])


def test_what_is_refused_moves_nothing() -> None:
    order = after(WEBSOCKET, ["<websocket.connect"])
    with pytest.raises(OutOfOrder):
        order.sent({"type": "websocket.send"})
    with pytest.raises(ServerError):
        order.received({"type": "websocket.receive"})
    assert repr(order) == "<Order sending='handshake' receiving='handshake'>"
    order.sent({"type": "websocket.accept"})
    assert order.state == "open"


def test_the_two_sides_of_http_do_not_wait_for_each_other() -> None:
    order = after(HTTP, [">http.response.start", ">http.response.body"])
    assert (order.sending, order.receiving) == ("complete", "request")
    order.received({"type": "http.request", "more_body": True})
    order.received({"type": "http.disconnect"})
    assert (order.sending, order.receiving) == ("complete", "disconnected")


def test_a_flag_that_is_false_or_of_another_message_is_no_flag() -> None:
    order = Order(HTTP)
    order.sent({"type": "http.response.start", "trailers": False, "more_body": True})
    order.sent({"type": "http.response.body", "more_body": False, "trailers": True})
    assert order.complete
