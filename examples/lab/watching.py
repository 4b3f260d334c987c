"""``watched(app, side)``: the same app; a call that has ``lab=<id>`` in its query is traced for the page to see."""

import asyncio
import sys
from collections.abc import Awaitable
from dataclasses import asdict
from time import perf_counter
from types import FrameType
from typing import cast
from urllib.parse import parse_qsl

from examples.lab.lines import Sources
from examples.lab.shown import shown, text_of
from examples.lab.topics import ID, Topics, told
from rawasgi import headers as fields
from rawasgi.asgi import App, HTTPScope, Receive, Received, Scope, Send, Sent, WebSocketScope
from rawasgi.dev.tracing import Traced, trace
from rawasgi.formats.sse import Event
from rawasgi.journal import Ended, MemoryJournal

MOST_MESSAGES = 1000  # of one call; of those that follow only the number is told
HELD_UP = 0.1  # seconds after which a send that has not returned is told
SOURCE_LIMIT, SOURCE_EVERY = 20.0, 0.01  # seconds: how long a source that was left open is watched, and how closely


def watched(app: App, side: str, topics: "Watching", coded: App | None = None) -> App:
    """Return *app*, which tells *topics* what it sends and receives when its query has ``lab=<id>``.

    That, and ``lab-coding=gzip``, are taken out of the query. The browser's Accept-Encoding, which no page can set, is
    replaced: by gzip, for *coded*, the app with its compression around it, else by identity.
    """

    def watching(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan" or b"lab=" not in (scope["query_string"] or b""):
            return app(scope, receive, send)
        rest, name, coding = asked(scope["query_string"] or b"")
        if name is None:
            return app(scope, receive, send)
        gzip = coding == "gzip"
        mine = scope.copy()
        mine["query_string"] = rest
        mine["headers"] = fields.replace(list(scope["headers"]), b"accept-encoding", b"gzip" if gzip else b"identity")
        return topics.watch(coded if gzip and coded is not None else app, side, name, mine, receive, send)

    return watching


def asked(query: bytes) -> tuple[bytes, str | None, str]:
    """Return *query* without what is the lab's, the run's id, and the coding."""
    parts = query.decode("latin-1").split("&")
    ours = dict(parse_qsl("&".join(part for part in parts if part.startswith(("lab=", "lab-coding=")))))
    rest = "&".join(part for part in parts if not part.startswith(("lab=", "lab-coding=")))
    name = ours.get("lab", "")
    return rest.encode("latin-1"), name if ID.fullmatch(name) else None, ours.get("lab-coding", "")


class Watching:
    """All calls that are watched; for a lifespan: ``async with``."""

    def __init__(self) -> None:
        self.topics = Topics()
        self._after: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Watching":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._after:
            task.cancel()
        await asyncio.gather(*self._after, return_exceptions=True)
        await self.topics.close()

    async def watch(
        self, app: App, side: str, name: str, scope: HTTPScope | WebSocketScope, receive: Receive, send: Send
    ) -> None:
        call = Call(await self.topics.open(name), side, self.topics.begun)
        task = asyncio.create_task(call.pump())
        self._after.add(task)
        task.add_done_callback(self._after.discard)
        call.begin(scope)
        await trace(call.looking(app), call.tell)(scope, call.receiving(receive), call.sending(send))


class Call:
    """One call of an app, and what is told of it. Its last word comes when its sources are closed, too."""

    def __init__(self, journal: MemoryJournal, side: str, origin: float) -> None:
        self._journal = journal
        self._side = side
        self._begun = perf_counter() - origin
        self._origin = origin
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._sources = Sources()
        self._places: list[dict[str, object]] = []
        self._sent: object = None
        self._received: object = None
        self._messages = self._bytes = 0
        self._ended = asyncio.Event()

    # Around the app

    def looking(self, app: App) -> App:
        """*app*, with a ``send`` that sees who calls it."""

        async def looked(scope: Scope, receive: Receive, send: Send) -> None:
            response = asyncio.current_task()

            def sending(message: Sent) -> Awaitable[None]:
                self._look(sys._getframe(1), response if asyncio.current_task() is not response else None)
                return send(message)

            await app(scope, receive, sending)

        return looked

    def _look(self, frame: FrameType, response: "asyncio.Task[object] | None") -> None:
        if self._messages < MOST_MESSAGES:
            self._places = [asdict(place) for place in self._sources.places(frame, response)]

    def sending(self, send: Send) -> Send:
        """*send*, which tells when it is held up: the tracer tells of a message only when it is through."""

        async def sent(message: Sent) -> None:
            self._sent = message
            held_up = asyncio.get_running_loop().call_later(HELD_UP, self._hold, message, perf_counter())
            try:
                await send(message)
            finally:
                held_up.cancel()

        return sent

    def receiving(self, receive: Receive) -> Receive:
        async def received() -> Received:
            message = await receive()
            self._received = message
            return message

        return received

    # What is told

    def begin(self, scope: HTTPScope | WebSocketScope) -> None:
        method = scope["method"] if scope["type"] == "http" else "WS"
        query = (scope["query_string"] or b"").decode("latin-1")
        target = scope["path"] + (f"?{query}" if query else "")
        self._tell("call", self._begun, method=method, target=target, scope=shown(cast(dict[str, object], scope)))

    def tell(self, traced: Traced) -> None:
        at = self._begun + traced.at
        if traced.arrow == "=":
            self._tell("ended", at, end=traced.what, problem=traced.problem, messages=self._messages, bytes=self._bytes)
            self._ended.set()
            return
        message = self._sent if traced.arrow == ">" else self._received
        self._messages += traced.arrow == ">"
        self._bytes += traced.size if traced.arrow == ">" else 0
        if self._messages > MOST_MESSAGES:
            return
        self._tell(
            "message",
            at,
            arrow=traced.arrow,
            type=traced.what,
            took=round(traced.took, 6),
            state=traced.state,
            size=traced.size,
            detail=traced.detail,
            problem=traced.problem,
            text=text_of(message),
            message=shown(message),
            places=self._places if traced.arrow == ">" else [],
        )

    def _hold(self, message: Sent, since: float) -> None:
        self._tell("held", since - self._origin, type=message["type"])

    def _tell(self, kind: str, at: float, **what: object) -> None:
        self._events.put_nowait(told(kind, side=self._side, at=round(at, 6), **what))

    # Afterwards

    async def pump(self) -> None:
        """Keep what is told in the journal, to the end of the last source, or until that was waited for long enough."""
        watching = asyncio.create_task(self._watch_sources())
        try:
            over = False
            while not over:
                event = await self._events.get()
                await self._journal.append(event)
                over = event.event == "over"
        except Ended:
            pass  # it was thrown away for later runs
        finally:
            watching.cancel()

    async def _watch_sources(self) -> None:
        await self._ended.wait()
        ended = now = perf_counter()
        open_ = still = self._sources.open()
        self._tell("source", now - self._origin, seen=len(self._sources), open=open_)
        while still and now - ended < SOURCE_LIMIT:
            await asyncio.sleep(SOURCE_EVERY)
            still, now = self._sources.open(), perf_counter()
        if open_:
            self._tell("source", now - self._origin, seen=len(self._sources), open=still, late=round(now - ended, 3))
        self._tell("over", now - self._origin)
