"""What the page asks for: what is seen of a call, the lines that made a message, the code of a row, the checker."""

import asyncio
import itertools
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import clock
import pytest

from examples import demo
from examples.lab import watching
from examples.lab.lines import ROOT
from examples.lab.topics import MOST, Topics, told
from examples.lab.watching import Watching, asked, watched
from rawasgi import respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.dev.client import connect, fetch, websocket
from rawasgi.formats import sse
from rawasgi.formats.sse import Event

RUN = "0123456789abcdef"
NUMBERS = itertools.count()
PREFIXES = {"rawasgi": "", "FastAPI": "/fastapi", "naked": "/naked"}
Seen = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0")
    monkeypatch.setenv("RAWASGI_CACHE", str(tmp_path))
    monkeypatch.setenv("RAWASGI_SAMPLE_BYTES", "200000")
    monkeypatch.setenv("CHAT_BACKEND", "embedded")


@pytest.fixture(autouse=True)
def seeing(monkeypatch: pytest.MonkeyPatch) -> Watching:
    """The demo's own, with topics of this test's loop."""
    monkeypatch.setattr(demo.watching, "topics", Topics())
    monkeypatch.setattr(watching, "SOURCE_EVERY", 0.001)
    return demo.watching


async def followed(run: str = RUN) -> list[Seen]:
    """What was told of a run of one call, to its end."""
    answer = await fetch(demo.both, f"/lab/messages/{run}")
    events = list(sse.Decoder().feed(answer.body))
    assert events.pop().event == "end"
    return [json.loads(event.data or "") for event in events]


def of(found: list[Seen], kind: str) -> list[Seen]:
    return [each for each in found if each["kind"] == kind]


def seen(target: str, **how: Any) -> list[Seen]:
    async def main() -> list[Seen]:
        run, mark = f"run-{next(NUMBERS):08}", "&" if "?" in target else "?"
        await fetch(demo.both, f"{target}{mark}lab={run}", **how)
        return await followed(run)

    return asyncio.run(main())


# What is seen


@pytest.mark.parametrize("side", PREFIXES)
def test_each_message_is_told_and_then_the_end_and_the_source(side: str) -> None:
    found = seen(f"{PREFIXES[side]}/stream")
    assert [each["kind"] for each in found if each["kind"] != "message"] == ["call", "ended", "source", "over"]
    assert {each["side"] for each in found} == {side}
    bodies = [each["text"] for each in of(found, "message") if each["type"] == "http.response.body" and each["size"]]
    assert bodies == [f"data: {number}\n\n" for number in range(5)]
    end = of(found, "ended")[0]
    assert (end["end"], end["problem"], end["bytes"]) == ("complete", None, 45)
    assert of(found, "source")[0]["open"] == []
    assert [each["at"] for each in found] == sorted(each["at"] for each in found)


def test_the_app_sees_nothing_of_it() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await respond.text("ok")(scope, receive, send)

    async def main() -> None:
        async with Watching() as watching:
            both = watched(app, "rawasgi", watching)
            await fetch(both, f"/x?a=1&lab={RUN}&b=%26", headers={"accept-encoding": "br"})
            await fetch(both, "/x?a=1&lab=short", headers={"accept-encoding": "br"})

    asyncio.run(main())
    watched_scope, plain = cast(list[dict[str, Any]], scopes)
    assert watched_scope["query_string"] == b"a=1&b=%26"
    assert (b"accept-encoding", b"identity") in watched_scope["headers"]
    assert plain["query_string"] == b"a=1&lab=short"
    assert (b"accept-encoding", b"br") in plain["headers"]


def test_what_is_not_watched_is_the_app_itself() -> None:
    awaited = object()

    def app(*_: object) -> object:
        return awaited

    both = watched(cast(App, app), "rawasgi", Watching())
    scope = cast(Scope, {"type": "http", "query_string": b"a=1"})
    assert both(scope, cast(Receive, None), cast(Send, None)) is awaited


def test_the_lab_takes_only_what_is_its_own_out_of_the_query() -> None:
    assert asked(b"lab=0123456789&lab-coding=gzip&x=lab=9&relab=1") == (b"x=lab=9&relab=1", "0123456789", "gzip")
    assert asked(b"lab=../../etc") == (b"", None, "")
    assert asked(b"lab=" + b"a" * 41) == (b"", None, "")


@pytest.mark.parametrize("prefix", ["", "/fastapi"])
def test_gzip_is_the_middlewares_to_set(prefix: str) -> None:
    found = seen(f"{prefix}/simple?lab-coding=gzip", headers={"accept-encoding": "identity"})
    assert "b'content-encoding', b'gzip'" in of(found, "message")[1]["message"]


def test_a_websocket_is_seen_too() -> None:
    async def main() -> list[Seen]:
        async with websocket(demo.both, f"/ws?lab={RUN}") as client:
            await client.accepted()
            await client.say("hi")
            while '"done"' not in str(await client.hear()):
                pass
            await client.leave(1000)
        return await followed()

    found = asyncio.run(main())
    kinds = [each["type"] for each in of(found, "message")]
    assert kinds[:2] == ["websocket.connect", "websocket.accept"]
    assert "websocket.send" in kinds
    assert kinds[-1] == "websocket.disconnect"


def test_who_follows_first_misses_nothing() -> None:
    async def main() -> list[Seen]:
        following = asyncio.create_task(followed())
        await asyncio.sleep(0)
        await fetch(demo.both, f"/simple?lab={RUN}")
        return await following

    assert of(asyncio.run(main()), "ended")[0]["end"] == "complete"


def test_who_comes_back_goes_on_where_it_was() -> None:
    async def main() -> tuple[list[Event], list[Event]]:
        await fetch(demo.both, f"/simple?lab={RUN}")
        whole = await fetch(demo.both, f"/lab/messages/{RUN}")
        events = list(sse.Decoder().feed(whole.body))
        rest = await fetch(demo.both, f"/lab/messages/{RUN}", headers={"last-event-id": events[4].id or ""})
        return events, list(sse.Decoder().feed(rest.body))

    events, rest = asyncio.run(main())
    assert rest == events[5:]


def test_old_runs_give_way_to_new_ones_and_end() -> None:
    async def main() -> list[object]:
        topics = Topics()
        first = topics.follow("the-first", None, 1)
        journal = await topics.open("the-first")
        await journal.append(told("call", side="rawasgi"))
        heard: list[object] = [await anext(first)]
        for number in range(MOST):
            await topics.open(f"another-{number}")
        heard += [each async for each in first]
        return heard

    heard = clock.run(main())
    assert isinstance(heard[-1], Event)
    assert len(heard) == 2


def test_a_call_of_many_messages_is_told_in_part_and_counted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_MESSAGES", 10)
    found = seen("/fastapi/rows?count=50")
    assert len([each for each in of(found, "message") if each["arrow"] == ">"]) == 10
    assert of(found, "ended")[0]["messages"] >= 50


def test_a_send_that_is_held_up_is_told_before_it_is_through() -> None:
    let = asyncio.Event()

    async def send(_: object) -> None:
        await let.wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def main() -> list[str]:
        let.clear()
        async with Watching() as seeing:
            scope: Any = {"type": "http", "method": "GET", "path": "/", "query_string": f"lab={RUN}".encode()}
            scope |= {"headers": [], "asgi": {"version": "3.0"}, "http_version": "1.1"}
            app = watched(respond.text("ok"), "rawasgi", seeing)
            call = asyncio.ensure_future(app(scope, receive, send))
            kinds = []
            async with aclosing(seeing.topics.follow(RUN, None, 1)) as entries:
                async for each in entries:
                    kinds.append(json.loads(cast(Any, each).event.data)["kind"])
                    if kinds[-1] == "held":
                        let.set()
                        break
            await call
        return kinds

    assert clock.run(main()) == ["call", "held"]


# Sources


@pytest.mark.parametrize("side", PREFIXES)
def test_a_source_that_is_closed_with_its_answer_is_said_to_be(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0.01")
    found = left(f"{PREFIXES[side]}/disconnect")
    assert of(found, "ended")[0]["end"] == "client left"
    assert [(each["seen"], each["open"]) for each in of(found, "source")] == [(1, [])]


def test_a_source_that_stays_open_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0.01")
    monkeypatch.setattr(watching, "SOURCE_LIMIT", 0.02)
    theirs, ours = left("/fastapi/sync"), left("/sync", "another-run")
    first, last = of(theirs, "source")
    assert first["open"] == ["blocking"]
    assert last["late"] > 0  # who closed it meanwhile, if anybody, was the garbage collector
    assert [each["open"] for each in of(ours, "source")] == [[]]


def left(target: str, run: str = RUN) -> list[Seen]:
    async def main() -> list[Seen]:
        async with connect(demo.both, "GET", f"{target}?lab={run}") as client:
            while not await client.chunk():
                pass
            await client.leave()
            await client.finished()
            return await followed(run)

    return asyncio.run(main())


# Lines


def placed(target: str) -> list[set[str]]:
    """Of each body that was sent the code that stood on a line of its own, as text."""
    found = [each for each in of(seen(target), "message") if each["arrow"] == ">" and each["size"]]
    return [{line(place) for place in each["places"]} for each in found]


def line(place: dict[str, Any]) -> str:
    lines = (ROOT / str(place["file"])).read_text(encoding="utf-8").splitlines()
    return lines[int(place["line"]) - 1].strip()


def test_by_hand_the_sender_and_its_source_are_marked() -> None:
    for lines in placed("/naked/simple"):
        assert 'await send({"type": "http.response.body", "body": body, "more_body": more_body})' in lines
        assert "await send_body(encode(item), True)" in lines
        assert lines & {'yield f"数据 {number}\\n"', "await pause(0.5)"}


@pytest.mark.parametrize("prefix", ["", "/fastapi"])
def test_a_suspended_generator_is_found_behind_the_framework(prefix: str) -> None:
    for lines in placed(f"{prefix}/simple"):
        assert lines & {'yield f"数据 {number}\\n"', "await pause(0.5)"}


def test_a_chain_of_generators_is_marked_in_each() -> None:
    assert all({"yield event", "yield frame(item.data, item.name, item.id) if isinstance(item, Item) else frame(item)"}
               <= lines for lines in placed("/fastapi/stream-error")[:-1])  # fmt: skip


def test_a_blocking_generator_is_found_in_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0.1")  # or its thread is through before its first item is sent
    assert {'yield f"同步数据 {number}\\n"'} <= set().union(*placed("/fastapi/sync"))
    assert set().union(*placed("/sync")) & {'yield f"同步数据 {number}\\n"', "hold(0.5)"}


def test_what_has_returned_is_not_marked() -> None:
    assert placed("/infer/home") == placed("/fastapi/infer/home") == [set()]
