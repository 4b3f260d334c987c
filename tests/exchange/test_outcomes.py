"""Why a response ended: one value, for ``on_end`` and ``Drain``, whatever the response is and whatever is around it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import clock
import pytest
from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import StreamingResponse

from rawasgi import HTTPError, Request, Router, files, respond, streams
from rawasgi.asgi import App, Receive, Scope, Send, Sent
from rawasgi.background import after, on_end
from rawasgi.compression import compress
from rawasgi.dev.client import HTTPClient, connect, fetch, lifespan, websocket
from rawasgi.failures import told
from rawasgi.formats.endings import CutOff, Failure
from rawasgi.handling import handler
from rawasgi.lifespans import lifespans
from rawasgi.outcomes import Outcome
from rawasgi.response import Response
from rawasgi.sending import Streaming
from rawasgi.shutdown import Drain
from rawasgi.websocket import WebSocket, websocket_app

Script = Callable[[HTTPClient], Awaitable[object]]


async def rows(count: int = 2, error: Exception | None = None, pause: float = 1) -> AsyncIterator[str]:
    for number in range(count):
        yield f"{number}\n"
        await asyncio.sleep(pause)
    if error is not None:
        raise error


async def finished(client: HTTPClient) -> None:
    await client.finished()


async def left(client: HTTPClient) -> None:
    await client.started()
    await client.leave()
    await client.finished()


async def stalled(client: HTTPClient) -> None:
    await client.started()
    client.stall()
    await client.finished()


async def cancelled(client: HTTPClient) -> None:
    await client.started()
    await client.cancel()


async def early(client: HTTPClient) -> None:
    await asyncio.sleep(0.5)
    await client.cancel()


def ends(
    app: App,
    script: Script = finished,
    raises: type[BaseException] | None = None,
    around: Callable[[App], App] = lambda app: app,
    **options: object,
) -> Outcome:
    """Return what ``on_end`` is called with, once, for the response of *app* that *script* reads."""
    outcomes: list[Outcome] = []

    async def note(outcome: Outcome) -> None:
        await asyncio.sleep(0)
        outcomes.append(outcome)

    async def main() -> None:
        error: BaseException | None = None
        async with connect(around(on_end(app, note)), **options) as client:  # type: ignore[arg-type]
            try:
                await script(client)
            except BaseException as raised:
                error = raised
        assert type(error) is (raises or type(None)), error

    clock.run(main())
    (outcome,) = outcomes
    return outcome


async def late(scope: Scope, receive: Receive, send: Send) -> None:
    """A stream of which the server waits for the sources of others."""
    await asyncio.sleep(1)
    await respond.stream(rows())(scope, receive, send)


FAULT = LookupError("the source's")
STREAMS: list[tuple[Callable[[], App], Script, type[BaseException] | None, Outcome]] = [
    (lambda: respond.stream(rows()), finished, None, Outcome.COMPLETE),
    (lambda: respond.sse(told(rows())), finished, None, Outcome.COMPLETE),
    (lambda: respond.sse(told(rows(2, FAULT))), finished, None, Outcome.REPORTED),
    (lambda: respond.stream(rows(100)), left, None, Outcome.DISCONNECTED),
    (lambda: respond.sse(told(rows(100, FAULT))), left, None, Outcome.DISCONNECTED),
    (lambda: respond.stream(rows(100), send=5), stalled, None, Outcome.SLOW),
    (
        lambda: respond.stream(streams.timeout(rows(2, pause=9), 5)),
        finished,
        streams.DeadlineExceeded,
        Outcome.DEADLINE,
    ),
    (lambda: respond.stream(streams.deadline(rows(9), 5)), finished, streams.DeadlineExceeded, Outcome.DEADLINE),
    (lambda: respond.stream(rows(0, FAULT)), finished, LookupError, Outcome.FAILED_BEFORE_START),
    (lambda: respond.stream(rows(2, FAULT)), finished, LookupError, Outcome.FAILED),
    (lambda: respond.stream(rows(100)), cancelled, None, Outcome.CUT),
]


@pytest.mark.parametrize(("make", "script", "raises", "outcome"), STREAMS, ids=lambda value: getattr(value, "name", ""))
def test_each_end_of_a_stream_is_an_outcome_of_its_own(
    make: Callable[[], App], script: Script, raises: type[BaseException] | None, outcome: Outcome
) -> None:
    assert ends(make(), script, raises) is outcome


FORMATS: list[Callable[..., Response]] = [
    respond.json_array,
    respond.multipart,
    respond.chat_chunks,
    respond.ui_messages,
]


@pytest.mark.parametrize("make", FORMATS)
def test_a_format_that_reports_a_failure_by_itself_is_reported(make: Callable[..., Response]) -> None:
    async def source() -> AsyncIterator[object]:
        await asyncio.sleep(1)
        raise FAULT
        yield  # which makes it a generator

    assert ends(make(source())) is Outcome.REPORTED


@pytest.mark.parametrize("make", [respond.sse, respond.ndjson, *FORMATS[:1]])
def test_an_item_that_cannot_be_encoded_is_reported(make: Callable[..., Response]) -> None:
    async def source() -> AsyncIterator[object]:
        yield 1
        await asyncio.sleep(1)
        yield object()

    assert ends(make(told(source()))) is Outcome.REPORTED


def test_what_is_reported_is_seen_through_the_wrappers_of_streams() -> None:
    source = streams.merge(streams.map(told(rows(2, FAULT)), lambda item: item), rows(9))
    body = streams.heartbeat(streams.buffer(source, 2), 60, lambda: "beat")
    assert ends(respond.sse(body)) is Outcome.REPORTED


def test_a_failure_that_a_conclusion_leaves_out_is_not_reported() -> None:
    assert ends(respond.stream(streams.conclude(rows(2, FAULT), lambda count: None, lambda error: None))) is (
        Outcome.COMPLETE
    )


def test_a_failure_that_the_source_itself_yields_is_an_item() -> None:
    async def source() -> AsyncIterator[object]:
        yield Failure("its own")

    assert ends(respond.sse(source())) is Outcome.COMPLETE


# Other responses


def raising(error: BaseException) -> App:
    @handler
    async def fails(request: Request) -> str:
        raise error

    return fails


WHOLE: list[tuple[App, type[BaseException] | None, Outcome]] = [
    (respond.text("whole"), None, Outcome.COMPLETE),
    (respond.empty(), None, Outcome.COMPLETE),
    (raising(HTTPError(404)), None, Outcome.COMPLETE),
    (raising(FAULT), LookupError, Outcome.FAILED_BEFORE_START),
]


@pytest.mark.parametrize(("app", "raises", "outcome"), WHOLE)
def test_a_body_that_is_sent_whole_has_an_outcome_as_well(
    app: App, raises: type[BaseException] | None, outcome: Outcome
) -> None:
    assert ends(app, raises=raises) is outcome


@pytest.mark.parametrize("held_back", ["http.response.start", "http.response.body"])
def test_a_whole_body_that_cannot_be_sent_is_not_complete(held_back: str) -> None:
    def slow_server(app: App) -> App:
        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            async def late(message: Sent) -> None:
                await asyncio.sleep(message["type"] == held_back)
                await send(message)

            await app(scope, receive, late)

        return served

    async def leaving(client: HTTPClient) -> None:
        await asyncio.sleep(0.5)
        await client.leave()
        await client.finished()

    app = respond.text("whole")
    assert ends(app, leaving, around=slow_server, spec_version="2.4") is Outcome.DISCONNECTED


def test_an_error_of_a_stream_that_becomes_a_response_is_the_outcome() -> None:
    @handler
    async def refused(request: Request) -> AsyncIterator[str]:
        raise HTTPError(404)
        yield "never"

    assert ends(refused) is Outcome.FAILED_BEFORE_START


def test_the_response_to_head_is_complete_though_its_source_is_closed_unread() -> None:
    assert ends(respond.stream(rows()), method="HEAD") is Outcome.COMPLETE


def test_a_source_that_cannot_be_closed_for_head_has_failed_before_the_start() -> None:
    class Source:
        def __aiter__(self) -> "Source":
            return self

        async def __anext__(self) -> str:
            raise StopAsyncIteration

        async def aclose(self) -> None:
            raise FAULT

    response = Response(Streaming(Source()))
    assert ends(response, raises=LookupError, method="HEAD") is Outcome.FAILED_BEFORE_START


COPIED, ITSELF = "http.response.zerocopysend", "http.response.pathsend"
FILES = [
    *((extension, finished, Outcome.COMPLETE) for extension in (COPIED, ITSELF, "neither")),
    *((extension, stalled, Outcome.SLOW) for extension in (COPIED, "neither")),
    *((extension, cancelled, Outcome.CUT) for extension in (COPIED, "neither")),
]


@pytest.mark.parametrize(("extension", "script", "outcome"), FILES)
def test_a_file_however_it_is_sent(extension: str, script: Script, outcome: Outcome, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    app = files.file(tmp_path / "file")
    assert ends(app, script, scope={"extensions": {extension: {}}}) is outcome


# Around other apps


async def through(request: object, call_next: Callable[[object], Awaitable[object]]) -> object:
    return await call_next(request)


def in_fastapi(response: App) -> App:
    app = FastAPI()
    app.add_middleware(BaseHTTPMiddleware, dispatch=through)  # type: ignore[arg-type]
    app.mount("/", cast(Any, response))
    return cast(App, app)


@pytest.mark.parametrize(
    ("source", "script", "raises", "outcome"),
    [
        (lambda: rows(), finished, None, Outcome.COMPLETE),
        (lambda: rows(9), left, None, Outcome.DISCONNECTED),
        (lambda: rows(2, FAULT), finished, LookupError, Outcome.FAILED),
        (lambda: rows(0, FAULT), finished, LookupError, Outcome.FAILED_BEFORE_START),
    ],
    ids=["complete", "disconnected", "failed", "failed before"],
)
@pytest.mark.parametrize("ours", [True, False], ids=["rawasgi", "starlette"])
def test_a_response_below_a_middleware_is_judged_by_its_messages(
    source: Callable[[], AsyncIterator[str]],
    script: Script,
    raises: type[BaseException] | None,
    outcome: Outcome,
    ours: bool,
) -> None:
    if not ours and outcome is Outcome.FAILED_BEFORE_START:
        outcome = Outcome.FAILED  # Starlette's own response starts before its source does
    response = respond.stream(source()) if ours else StreamingResponse(source())
    assert ends(in_fastapi(cast(App, response)), script, raises) is outcome


def test_what_works_after_the_response_counts_to_it() -> None:
    async def work() -> None:
        raise FAULT

    assert ends(after(respond.stream(rows()), work), raises=LookupError) is Outcome.COMPLETE


def test_an_app_that_is_cancelled_before_it_responds_is_cut() -> None:
    assert ends(late, early) is Outcome.CUT


def test_the_outcome_inside_and_outside_of_compress_is_the_same() -> None:
    outcomes: list[Outcome] = []

    async def note(outcome: Outcome) -> None:
        outcomes.append(outcome)

    app = on_end(compress(on_end(respond.sse(told(rows(2, FAULT))), note)), note)
    clock.run(fetch(app, headers={"accept-encoding": "gzip"}))
    assert outcomes == [Outcome.REPORTED, Outcome.REPORTED]


def test_an_error_of_the_callback_is_raised() -> None:
    async def callback(outcome: Outcome) -> None:
        raise ValueError(outcome.name)

    with pytest.raises(ValueError, match="COMPLETE"):
        clock.run(fetch(on_end(respond.text("whole"), callback)))


def test_lifespans_and_websockets_pass() -> None:
    outcomes: list[Outcome] = []

    async def note(outcome: Outcome) -> None:
        outcomes.append(outcome)

    @websocket_app
    async def quiet(websocket: WebSocket) -> None:
        pass

    async def main() -> None:
        async with lifespan(on_end(lifespans([]), note)), websocket(on_end(quiet, note)) as client:
            await client.finished()

    clock.run(main())
    assert outcomes == []


# Drain


def test_drain_counts_the_responses_that_end_after_it_has_begun_by_outcome() -> None:
    drain = Drain()
    router = Router()
    router.mount("/stream", respond.sse(rows(100)))
    router.mount("/binary", respond.stream(rows(100), "application/octet-stream"))
    router.mount("/foreign", in_fastapi(respond.sse(rows(100))))
    router.mount("/foreign-binary", in_fastapi(respond.stream(rows(100), "application/octet-stream")))

    @router.get("/sized")
    async def sized(request: Request) -> Response:
        return respond.stream(rows(2), headers={"content-length": "4"})

    app = drain(router)

    async def main() -> None:
        await fetch(app, "/nothing")  # before it begins
        async with (
            connect(app, target="/stream") as stream,
            connect(app, target="/binary") as binary,
            connect(app, target="/foreign/") as foreign,
            connect(app, target="/foreign-binary/") as foreign_binary,
            connect(app, target="/sized") as sized_client,
        ):
            for client in (stream, binary, foreign, foreign_binary, sized_client):
                await client.started()
            drain.begin()
            for client in (binary, foreign_binary):
                with pytest.raises(CutOff):
                    await client.finished()
            await stream.finished()
            await foreign.finished()
            await sized_client.finished()
        assert (await fetch(app, "/stream")).status == 503

    clock.run(main())
    assert drain.outcomes == {Outcome.DRAINED: 4, Outcome.COMPLETE: 1}
