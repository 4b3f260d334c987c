"""Every row against all apps: status, headers and body are the same, or stand in DIFFERENCES with the reason."""

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import clock
import pytest
from settling import settled

from examples import naked, raw, twin
from examples.catalogue import MORE, ROWS, Row
from rawasgi.asgi import App
from rawasgi.dev.client import connect, websocket
from rawasgi.formats import sse

# Each is held against the spec while it is replayed, FastAPI too: it breaks no rule here.
# The casts: those two take any mapping for a scope.
APPS = {"raw": raw.app, "twin": twin.app, "naked": naked.app}


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange: the *example* of a row, or something else of the same path."""

    name: str
    row: Row
    target: str
    method: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def _case(number: int, name: str = "", target: str = "", method: str = "", body: bytes = b"", **headers: str) -> Case:
    row = (ROWS + MORE)[number - 1]
    pairs = tuple((key.replace("_", "-"), value) for key, value in headers.items())
    full_name = f"{number} {name}" if name else str(number)
    return Case(full_name, row, target or row.example, method or row.method, pairs, body or row.body or b"")


EXAMPLES = [_case(row.number) for row in ROWS + MORE]
VARIANTS = [
    _case(3, "POST", method="POST"),
    _case(3, "HEAD", method="HEAD"),
    _case(8, "whole", "/conditional-stream"),
    _case(8, "bad", "/conditional-stream?stream=perhaps"),
    _case(10, "system", "/stream-robust?fail=system"),
    _case(10, "none", "/stream-robust?fail=none"),
    _case(10, "bad", "/stream-robust?fail=perhaps"),
    _case(11, "in time", "/stream-timeout"),
    _case(14, "gzip", accept_encoding="br;q=0.5, gzip"),
    _case(14, "refused", accept_encoding="gzip;q=0, identity"),
    _case(17, "missing", "/logs?lines=7"),
    _case(19, "resumed", last_event_id="8"),
    _case(19, "forged", last_event_id="-1; drop"),
    _case(20, "HEAD", method="HEAD"),
    _case(20, "first", range="bytes=0-99"),
    _case(20, "rest", range="bytes=199900-"),
    _case(20, "last", range="bytes=-16"),
    _case(20, "past", range="bytes=200000-"),
    _case(20, "other", range="bytes=0-99", if_range='"another file"'),
    _case(20, "all", if_none_match="*"),
    _case(20, "new", if_none_match='"another file"'),
    _case(22, "CSV", "/rows?count=3&format=csv"),
    _case(22, "CSV by Accept", "/rows?count=3", accept="text/csv"),
    _case(22, "neither", accept="image/png"),
    _case(22, "no format", "/rows?format=xml"),
    _case(24, "bad count", "/parameterized/many"),
    _case(24, "bad delay", "/parameterized/3?delay=-1"),
    _case(25, "none", "/json/0"),
    _case(25, "bad", "/json/-1"),
    _case(31, "emoji", "/text?text=👩‍👩‍👧 né 🇫🇷&delay=0"),
    _case(32, "no prompt", "/chat"),
    _case(32, "long", "/chat?prompt=" + 10_001 * "x"),
    _case(34, "whole", body=b'{"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}]}'),
    _case(34, "no messages", body=b'{"model": "gpt-4"}'),
    _case(34, "no JSON", body=b"{"),
    _case(43, "whole", "/formats/array"),
    _case(44, "failing", "/formats/json-seq?fail=true"),
    _case(45, "failing", "/formats/csv?fail=true"),
    _case(49, "JSON", accept="application/json"),
    _case(49, "NDJSON", "/formats/negotiated?fail=true", accept="application/x-ndjson"),
    _case(49, "failing", "/formats/negotiated?fail=true"),
    _case(49, "none", accept="text/html"),
    _case(50, "gzip", accept_encoding="gzip"),
    _case(52, "above", "/files/../../setup.cfg"),
    _case(52, "range", range="bytes=0-9"),
    _case(58, "whole", body=b'{"model": "gpt-4", "input": "hi", "max_output_tokens": 1}'),
    _case(58, "no input", body=b'{"model": "gpt-4"}'),
    _case(59, "whole", body=b'{"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'),
    _case(59, "no most", body=b'{"model": "c", "messages": [{"role": "user", "content": "hi"}]}'),
    _case(60, "no messages", body=b'{"id": "c1", "messages": []}'),
    _case(37, "unknown", "/tasks/3?task=nobody"),
    _case(37, "none", "/tasks/0"),
]
CASES = {case.name: case for case in EXAMPLES + VARIANTS}


# What differs on purpose


@dataclass(frozen=True, slots=True)
class Difference:
    """*what* of *app* ("status", "body", headers) is not what raw has, in *cases*; as *reading* reads it, the body is.

    Who mends a difference must strike it out here.
    """

    app: str
    what: str
    cases: frozenset[str]
    reason: str
    reading: Callable[[bytes], object] | None = None


def _rows(kinds: str, *more: str) -> frozenset[str]:
    """The examples of the rows of *kinds*, and *more* cases."""
    return frozenset(case.name for case in EXAMPLES if case.row.kind in kinds.split()) | set(more)


def events(body: bytes) -> object:
    """What a client sees of the events."""
    return [(event.event, event.id, value(event.data or "")) for event in sse.Decoder().feed(body)]


def words(body: bytes) -> object:
    """What a client sees of the events, but their ids."""
    return [(event.event, value(event.data or "")) for event in sse.Decoder().feed(body)]


def lines(body: bytes) -> object:
    return [value(line) for line in body.decode().splitlines()]


def places(body: bytes) -> object:
    """Where in the request the errors are."""
    found = json.loads(body)
    return [(error["loc"], error["input"]) for error in found.get("errors", found["detail"])]


def reason(body: bytes) -> object:
    found = value(body.decode())
    return found["detail"] if isinstance(found, dict) else found


def parts(body: bytes) -> object:
    """The pictures."""
    return [picture.partition(b"\r\n--")[0] for picture in body.split(b"\r\n\r\n")[1:]]


def texts(body: bytes) -> object:
    return [json.loads(text) for text in body.split(b"\x1e")[1:]]


def unpacked(body: bytes) -> object:
    return lines(gzip.decompress(body))


def kind(body: bytes) -> object:
    return json.loads(body)["error"]["type"]


def value(text: str) -> object:
    try:
        return cast(object, json.loads(text))
    except ValueError:
        return text


BAD = frozenset({"8 bad", "10 bad", "22 no format", "32 long", "24 bad count", "24 bad delay", "25 bad",
                 "32 no prompt", "37 none"})  # fmt: skip
FORMATS = frozenset(str(row.number) for row in MORE if row.document == "formats")
FILE = frozenset({"20", "20 HEAD", "20 other", "20 new", "20 first", "20 rest", "20 last"})
SSE_VARIANTS = ("10 system", "10 none", "11 in time", "14 gzip", "14 refused", "17 missing", "19 resumed", "19 forged",
                "49 failing")  # fmt: skip

DIFFERENCES = (
    Difference("twin", "content-type", _rows("sse", *SSE_VARIANTS),
               "FastAPI adds a charset to every text/*; event streams are always UTF-8 (HTML, 9.2.5) and need none"),
    Difference("twin", "x-accel-buffering",
               _rows("text ndjson", "4", "22 CSV", "22 CSV by Accept", "25 none", "31 emoji") - FORMATS,
               "whatever streams tells nginx not to hold it back, text too"),
    Difference("twin", "body",
               frozenset({"9", "10", "38", "48", "49", "60", "10 system", "49 failing"}),
               "text is UTF-8, where json.dumps, as the documents call it, escapes it; chats are compact", events),
    Difference("twin", "body", frozenset({"19", "37", "42"}),
               "compact; and ids of a journal, the last word's too", words),
    Difference("twin", "body", frozenset({"19 resumed", "19 forged"}),
               "an id that a journal never gave is told by a gap, and all follows; the twin counts on from any number"),
    Difference("twin", "body", frozenset({"22", "25", "49 NDJSON"}), "compact, in NDJSON", lines),
    Difference("twin", "body", frozenset({"43", "43 whole", "49 JSON"}), "compact, in an array", json.loads),
    Difference("twin", "body", frozenset({"44", "44 failing"}), "compact, in a text sequence", texts),
    Difference("twin", "etag", FILE | {"20 all"}, "time and size as they are, where FastAPI has an MD5 of both"),
    Difference("twin", "content-disposition", FILE, "both names of the file, filename and filename*"),
    Difference("naked", "content-disposition", frozenset({"20"}), "one name of the file"),
    Difference("twin", "accept-ranges", frozenset({"20 all"}), "a 304 says again that there are ranges"),
    Difference("twin", "accept-ranges body content-length vary", frozenset({"20 past"}),
               "a 416 says that there are ranges, and has the body of every error"),
    Difference("twin", "body content-type", frozenset({"46", "47"}), "a boundary that nobody can know", parts),
    Difference("twin", "body", frozenset({"50"}), "compact, in NDJSON", lines),
    Difference("twin", "body", frozenset({"50 gzip"}), "compact, and flushed once more than it must be", unpacked),
    Difference("twin", "body content-length content-type", frozenset({"22 neither", "49 none"}),
               "an error without details is text, where FastAPI has it as JSON", reason),
    Difference("twin", "body content-length content-type vary", frozenset({"52 above"}), "as those", reason),
    Difference("twin", "etag", frozenset({"52", "52 range"}), "time and size as they are, where FastAPI has an MD5"),
    Difference("twin", "body content-length content-type vary", BAD,
               "the same place and input of the error, in other words, and as problem details (RFC 9457)", places),
    Difference("twin", "body content-length", frozenset({"34 no JSON"}), "the same error, in other words", kind),
    Difference("twin", "body content-length content-type vary", frozenset({"3 POST", "37 unknown", "60 no messages"}),
               "an error without details is text, where FastAPI has it as JSON", reason),
    Difference("twin", "allow", frozenset({"3 POST"}), "HEAD and OPTIONS are answered, and so they are named"),
    Difference("twin", "status allow cache-control content-length content-type x-accel-buffering",
               frozenset({"3 HEAD"}), "HEAD goes with GET (RFC 9110, 9.3.2), where FastAPI has a 405"),
    Difference("naked", "content-type", frozenset({"3"}), "the charset, as the twin has it"),
    Difference("naked", "x-accel-buffering", _rows("text ndjson"), "said for events only, as in the twin"),
    Difference("naked", "body", frozenset({"25"}), "spaces, as in the twin", lines),
    Difference("naked", "accept-ranges etag last-modified", frozenset({"20"}), "the whole file only"),
    Difference("naked", "body", frozenset({"41"}), "an echo"),
)  # fmt: skip


# Replaying


@dataclass(frozen=True, slots=True)
class Seen:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


def differing(one: Seen, other: Seen) -> set[str]:
    """The names of what differs: "status", "body", headers."""
    fields = {name for name in {*one.headers, *other.headers} if one.headers.get(name) != other.headers.get(name)}
    return {name.decode() for name in fields} | {
        name for name in ("status", "body") if getattr(one, name) != getattr(other, name)
    }


async def see(app: App, case: Case) -> Seen:
    headers = [("content-type", "application/json"), *case.headers] if case.body else case.headers
    async with connect(app, case.method, case.target, body=case.body, headers=headers) as client:
        await client.finished()
    fields = {name: settled(value) for name, value in client.headers}
    assert len(fields) == len(client.headers), "a header that is given twice"
    return Seen(client.status, fields, settled(client.body))


TALK = ("你好", '{"type": "cancel"}', '{"type": "close"}')


async def talk(app: App, case: Case) -> Seen:
    """Say each of TALK when what was said before is answered, and note the frames and how it was closed."""
    heard = []
    async with websocket(app, case.target) as client:
        await client.accepted()
        for said in TALK:
            await client.say(said)
            try:
                heard.append(str(await client.hear()))
                while '"start"' in heard[-1] or '"token"' in heard[-1]:
                    heard.append(str(await client.hear()))
            except EOFError:
                heard.append(f"closed with {client.code} {client.reason}")
    return Seen(client.status, dict(client.headers), "\n".join(heard).encode())


# Their threads are their own: no clock knows of them.
THREADS = (20, 22, 28, 52)


def replay(name: str, case: Case) -> Seen:
    """What the app of that name answers."""
    one = (talk if case.method == "WS" else see)(APPS[name], case)
    return asyncio.run(one) if case.row.number in THREADS else clock.run(one)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0")
    monkeypatch.setenv("RAWASGI_CACHE", str(tmp_path))
    monkeypatch.setenv("RAWASGI_SAMPLE_BYTES", "200000")
    monkeypatch.setenv("CHAT_BACKEND", "embedded")
    for name in ("RAWASGI_LOG_FILE", "RAWASGI_ROWS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def compared(app: str) -> list[Case]:
    """What the naked app has is compared as the documents have it; what it lacks, it says itself."""
    return [case for case in EXAMPLES if case.row.naked] if app == "naked" else EXAMPLES + VARIANTS


@pytest.mark.parametrize(
    ("app", "case"),
    [pytest.param(app, case, id=f"{app} {case.name}") for app in ("twin", "naked") for case in compared(app)],
)
def test_what_differs_is_what_the_table_says(app: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    if case.name == "17 missing":
        monkeypatch.setenv("RAWASGI_LOG_FILE", "/nonexistent.log")
    ours, theirs = replay("raw", case), replay(app, case)
    known = [difference for difference in DIFFERENCES if difference.app == app and case.name in difference.cases]
    named = [name for difference in known for name in difference.what.split()]
    assert sorted(named) == sorted(differing(ours, theirs))
    for difference in known:
        if difference.reading is not None:
            assert difference.reading(ours.body) == difference.reading(theirs.body)


def test_the_table_speaks_of_what_is_compared() -> None:
    names = {app: {case.name for case in compared(app)} for app in ("twin", "naked")}
    assert all(difference.cases <= names[difference.app] for difference in DIFFERENCES if difference.app == "twin")
    assert all(difference.cases & names["naked"] for difference in DIFFERENCES if difference.app == "naked")


def test_every_row_of_the_catalogue_is_replayed() -> None:
    assert tuple(case.row for case in EXAMPLES) == ROWS + MORE
