"""A request's head and its parameters. Its body: test_request_body.py."""

import decimal
import enum
import json
import time
from collections.abc import Callable
from typing import Unpack
from urllib.parse import parse_qs
from uuid import UUID

import clock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.dev.client import Result, fetch
from rawasgi.dev.scopes import Options
from rawasgi.handling import handler
from rawasgi.request import Request


def ask(read: Callable[[Request], object], target: str = "/", **options: Unpack[Options]) -> Result:
    """The answer of a handler that returns what *read* makes of the request."""

    async def answer(request: Request) -> dict[str, object]:
        return {"read": read(request)}

    return clock.run(fetch(handler(answer), target, **options))


def read(function: Callable[[Request], object], target: str = "/", **options: Unpack[Options]) -> object:
    answer = ask(function, target, **options)
    assert answer.status == 200, answer.text
    value = answer.json()
    assert isinstance(value, dict)
    return value["read"]


def refusal(function: Callable[[Request], object], target: str = "/", **options: Unpack[Options]) -> object:
    """What the response says of the one bad parameter."""
    answer = ask(function, target, **options)
    assert answer.status == 422
    assert answer.header("content-type") == "application/problem+json"
    value = answer.json()
    assert isinstance(value, dict)
    assert value.keys() == {"title", "status", "detail", "errors"}
    (error,) = value["errors"]
    assert value["detail"] == error["msg"]
    return error


# The head


def test_shows_the_head() -> None:
    assert read(lambda request: [request.method, request.path], "/a%20b") == ["GET", "/a b"]
    assert read(repr, "/x") == "<Request GET /x>"


def test_a_header_is_the_first_of_its_name_in_any_case() -> None:
    headers = [("X-Tag", "first"), ("x-tag", "second")]
    assert read(lambda request: request.header("x-TAG"), headers=headers) == "first"
    assert read(lambda request: request.header("x-none"), headers=headers) is None
    assert read(lambda request: len(list(request.headers)), headers=headers) == 3  # with Host


def test_a_header_is_latin_1_and_the_last_event_id_utf_8() -> None:
    headers = [(b"x-tag", b"caf\xe9"), (b"last-event-id", "第7".encode())]
    assert read(lambda request: request.header("x-tag"), headers=headers) == "café"
    assert read(lambda request: request.last_event_id, headers=headers) == "第7"
    assert read(lambda request: request.last_event_id) is None
    assert read(lambda request: request.last_event_id, headers=[(b"last-event-id", b"\xff")]) == "\ufffd"


@pytest.mark.parametrize("host", [b"", b"\xff\xfe", b"a:b:c", b"[::1", b"evil.com/..", b"a b", b'"><script>'])
def test_a_garbage_host_breaks_nothing_cve_2026_48710(host: bytes) -> None:
    assert read(lambda request: request.path, "/x", headers=[(b"host", host)]) == "/x"


def test_two_hosts_break_nothing_cve_2026_34525() -> None:
    headers = [("host", "a.example"), ("host", "b.example")]
    assert read(lambda request: request.header("host"), headers=headers) == "a.example"


def test_state_is_what_the_lifespan_left_or_empty() -> None:
    assert read(lambda request: request.state, state={"db": 1}) == {"db": 1}
    assert read(lambda request: request.state) == {}


# Query parameters


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("function", "target", "value"),
    [
        (lambda r: r.query("q"), "/?q=a", "a"),
        (lambda r: r.query("q"), "/?q=a+b%20c", "a b c"),
        (lambda r: r.query("q"), "/?q=%E4%BD%A0", "你"),
        (lambda r: r.query("q"), "/?%E4%BD%A0=x&q=", ""),
        (lambda r: r.query("q"), "/?q", ""),
        (lambda r: r.query("q"), "/?q=a;r=b", "a;r=b"),
        (lambda r: r.query("q"), "/?q=a=b", "a=b"),
        (lambda r: r.query("q"), "/?q=first&q=last", "last"),
        (lambda r: r.query("q"), "/?q=%ff", "\ufffd"),
        (lambda r: r.query("q"), "/?q=%zz%", "%zz%"),
        (lambda r: r.query("q", str, "none"), "/?r=1", "none"),
        (lambda r: r.query("", str, "none"), "/?&r=1&&", "none"),
        (lambda r: r.query("n", int), "/?n=-12", -12),
        (lambda r: r.query("n", int), "/?n=%2B12", 12),
        (lambda r: r.query("n", int, 3), "/", 3),
        (lambda r: r.query("n", int, minimum=1, maximum=3), "/?n=1", 1),
        (lambda r: r.query("n", int, minimum=1, maximum=3), "/?n=3", 3),
        (lambda r: r.query("x", float), "/?x=0.5", 0.5),
        (lambda r: r.query("x", float), "/?x=.5", 0.5),
        (lambda r: r.query("x", float), "/?x=5.", 5.0),
        (lambda r: r.query("x", float), "/?x=-1e3", -1000.0),
        (lambda r: r.query("x", float, default=0.5), "/", 0.5),
        (
            lambda r: [r.query(n, bool) for n in "abcdef"],
            "/?a=true&b=1&c=ON&d=false&e=0&f=No",
            [True] * 3 + [False] * 3,
        ),
        (lambda r: str(r.query("u", UUID)), "/?u=" + "0" * 31 + "1", "00000000-0000-0000-0000-000000000001"),
        (lambda r: str(r.query("d", decimal.Decimal)), "/?d=1.10", "1.10"),
        (lambda r: r.query("c", Colour).name, "/?c=red", "RED"),
    ],
)
def test_reads_a_query_parameter_as_its_type(function: Callable[[Request], object], target: str, value: object) -> None:
    assert read(function, target) == value


def test_a_query_may_be_raw_utf_8_as_curl_sends_it_and_any_bytes() -> None:
    def query(raw: bytes) -> object:
        return read(lambda request: request.query("q"), scope={"query_string": raw})

    assert query("q=你好".encode()) == "你好"
    assert query("q=你%E5%A5%BD".encode()) == "你好"
    assert query(b"q=\xff\x00") == "\ufffd\x00"


@given(st.text(st.sampled_from("aé&=+%;4E你 #\x00"), max_size=40))
def test_a_query_is_what_urllib_makes_of_it(text: str) -> None:
    wanted = {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
    assert (
        read(lambda request: {name: request.query(name) for name in wanted}, scope={"query_string": text.encode()})
        == wanted
    )


@pytest.mark.parametrize("text", ["", "1_0", "１", "²", " 1", "0x10", "1.0", "1e3", "--1", "9" * 4001, "nan"])
def test_an_integer_is_ascii_digits(text: str) -> None:
    answer = refusal(lambda request: request.query("n", int), scope={"query_string": b"n=" + text.encode()})
    assert answer == {"loc": ["query", "n"], "msg": "query parameter 'n' must be an integer", "input": text}


@pytest.mark.parametrize("text", ["", "nan", "NaN", "inf", "-Infinity", "1e999", "1_0.0", "1,5", ".", "e5", "１.０"])
def test_a_number_is_finite_and_ascii(text: str) -> None:
    answer = refusal(lambda request: request.query("x", float), scope={"query_string": b"x=" + text.encode()})
    assert answer == {"loc": ["query", "x"], "msg": "query parameter 'x' must be a finite number", "input": text}


@pytest.mark.parametrize(
    ("function", "query", "says", "came"),
    [
        (lambda r: r.query("q"), "", "must be given", None),
        (lambda r: r.query("q", int), "r=1", "must be given", None),
        (lambda r: r.query("q", bool), "q=2", "must be true or false", "2"),
        (lambda r: r.query("q", int, minimum=1), "q=0", "must be 1 or more", "0"),
        (lambda r: r.query("q", float, maximum=2.5), "q=2.6", "must be 2.5 or less", "2.6"),
        (lambda r: r.query("q", UUID), "q=x", "must be a valid UUID", "x"),
        (lambda r: r.query("q", Colour), "q=blue", "must be a valid Colour", "blue"),
        (lambda r: r.query("q", lambda text: json.loads(text)), "q={", "must be a valid <lambda>", "{"),
        (lambda r: r.query("q", decimal.Decimal), "q=x", "must be a valid Decimal", "x"),
        (
            lambda r: r.query("q", decimal.Decimal, minimum=decimal.Decimal(0)),
            "q=nan",
            "must be a valid Decimal",
            "nan",
        ),
    ],
)
def test_says_what_is_wrong_with_a_query_parameter(
    function: Callable[[Request], object], query: str, says: str, came: str | None
) -> None:
    detail = refusal(function, f"/?{query}")
    assert detail == {"loc": ["query", "q"], "msg": f"query parameter 'q' {says}", "input": came}


@pytest.mark.parametrize(("fields", "status"), [(1000, 200), (1001, 400), (60_000, 400)])
def test_a_query_has_at_most_1000_fields_cve_2026_54283(fields: int, status: int) -> None:
    query = b"&".join([b"q=1"] * fields)
    answer = ask(lambda request: request.query("q", int), scope={"query_string": query})
    assert answer.status == status
    assert status == 200 or answer.text == "the query must have at most 1000 fields"


@pytest.mark.parametrize(
    "query",
    [
        *(b"q=" + text * (60_000 // len(text)) for text in (b"%", b"%41", b"%zz", b"%41.", b"+", b"\xff", b"=", b"&")),
        *(b"q=" + digits for digits in (b"1" * 60_000, b"1" * 30_000 + b"." + b"1" * 30_000 + b"x", b"e1" * 30_000)),
    ],
    ids=lambda query: repr(query[2:7]),
)
def test_no_query_of_60_kb_costs_more_than_20_ms_cve_2026_53539(query: bytes) -> None:
    def timed(request: Request) -> float:
        before = time.process_time()
        for read_as in (str, int, float):
            try:
                request.query("q", read_as, default=0)  # type: ignore[arg-type]  # each in its turn
            except Exception:
                pass
        return time.process_time() - before

    assert min(float(str(read(timed, scope={"query_string": query}))) for _ in range(5)) < 0.020


# Path parameters


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (lambda r: r.param("text"), "七"),
        (lambda r: r.param("number", int), 7),
        (lambda r: r.param("number", int, minimum=7, maximum=7), 7),
        (lambda r: r.param("number", float), 7.0),
        (lambda r: r.param("number"), 7),
        (lambda r: r.param("number", str), "7"),
        (lambda r: r.param("number", lambda text: text * 2), "77"),
        (lambda r: r.param("ratio", float), 1e22),
    ],
)
def test_reads_a_path_parameter_as_its_type(function: Callable[[Request], object], value: object) -> None:
    params = {"text": "七", "number": 7, "ratio": 1e22}
    assert read(function, scope={"path_params": params}) == value


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda r: r.param("p", int), "must be an integer"),
        (lambda r: r.param("p", str, maximum="a"), "must be a or less"),
        (lambda r: r.param("p", str, minimum="c"), "must be c or more"),
    ],
)
def test_says_what_is_wrong_with_a_path_parameter(function: Callable[[Request], object], says: str) -> None:
    detail = refusal(function, scope={"path_params": {"p": "b"}})
    assert detail == {"loc": ["path", "p"], "msg": f"path parameter 'p' {says}", "input": "b"}


@pytest.mark.parametrize("scope", [{}, {"path_params": {"other": 1}}])
def test_a_path_parameter_that_the_route_has_not_is_the_programmers_error(scope: dict[str, object]) -> None:
    with pytest.raises(KeyError, match="count"):
        ask(lambda request: request.param("count"), scope=scope)
