"""The start of a stream waits for its first item, for a bounded time."""

import asyncio
from collections.abc import AsyncIterator, Callable

import clock
import pytest
from known_server import both, known

from rawasgi import Request, Response, Router, handler, respond, streams
from rawasgi.asgi import App, Receive, Scope, Send, Sent
from rawasgi.compression import compress
from rawasgi.dev.client import HTTPClient, connect
from rawasgi.errors import HTTPError
from rawasgi.failures import told
from rawasgi.formats import ndjson, sse
from rawasgi.formats.multipart import Part
from rawasgi.handling import Kind
from rawasgi.shutdown import Drain
from rawasgi.streams import TooManyThreads

DELAY = 0.5  # the default of a handler
ITEMS: dict[str, tuple[Kind, object]] = {
    "stream": (respond.stream, "first"),
    "sse": (respond.sse, "first"),
    "ndjson": (respond.ndjson, 1),
    "json_seq": (respond.json_seq, 1),
    "csv": (respond.csv, ["a"]),
    "json_array": (respond.json_array, 1),
    "multipart": (respond.multipart, Part(b"a")),
    "chat_chunks": (respond.chat_chunks, {"a": 1}),
    "ui_messages": (respond.ui_messages, {"type": "data-row", "data": 1}),
}
kinds = pytest.mark.parametrize(("kind", "item"), ITEMS.values(), ids=ITEMS)


class Answered:
    """What came of one request: when, and what."""

    def __init__(self, app: App, method: str = "GET", path: str = "/", leave: float | None = None) -> None:
        self.times: list[tuple[float, str]] = []
        clock.run(self._script(app, method, path, leave))

    async def _script(self, app: App, method: str, path: str, leave: float | None) -> None:
        async def timed(scope: Scope, receive: Receive, send: Send) -> None:
            async def noted(message: Sent) -> None:
                self.times.append((clock.now(), str(message["type"]).removeprefix("http.response.")))
                await send(message)

            await app(scope, receive, noted)

        self.error: BaseException | None = None
        async with connect(timed, method, path) as client:
            if leave is not None:
                await asyncio.sleep(leave)
                await client.leave()
            try:
                await client.finished()
            except Exception as error:
                self.error = error
        self.client: HTTPClient = client

    @property
    def status(self) -> int:
        return self.client.status

    @property
    def started(self) -> float:
        return self.times[0][0]


def source(*steps: object, log: list[object] | None = None) -> AsyncIterator[object]:
    """An item, an error, or seconds to wait, each in its turn; its clean-up takes a second."""

    async def items() -> AsyncIterator[object]:
        try:
            for step in steps:
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        except asyncio.CancelledError:
            if log is not None:
                log.append(("cancelled", clock.now()))
            raise
        finally:
            if log is not None:
                await asyncio.sleep(1)
                log.append(("closed", clock.now()))

    return items()


def generating(*steps: object) -> Callable[[Request], AsyncIterator[object]]:
    async def endpoint(request: Request) -> AsyncIterator[object]:
        async with streams.owned(source(*steps)) as items:
            async for item in items:
                yield item

    return endpoint


# Before the first item


@both
@kinds
def test_an_http_error_after_a_wait_has_its_status_in_every_format(
    kind: Kind, item: object, by: Callable[[App], App]
) -> None:
    answer = Answered(by(handler(generating(0.2, 0.2, HTTPError(429, "slow down")), kind)))
    assert (answer.status, answer.client.body, answer.error) == (429, b"slow down", None)


@both
@pytest.mark.parametrize(
    ("error", "status"), [(LookupError("mine"), 500), (TooManyThreads("full"), 503), (HTTPError(404), 404)]
)
def test_any_error_has_a_status(error: Exception, status: int, by: Callable[[App], App]) -> None:
    answer = Answered(by(handler(generating(0.2, error), respond.sse)))
    assert answer.status == status
    assert answer.error is (error if status == 500 else None)


def test_so_has_a_deadline() -> None:
    async def endpoint(request: Request) -> Response:
        return respond.sse(told(streams.timeout(source(9.0), 0.3)))

    assert Answered(handler(endpoint)).status == 504


@both
@kinds
def test_the_start_comes_with_the_first_item(kind: Kind, item: object, by: Callable[[App], App]) -> None:
    answer = Answered(by(handler(generating(0.2, item, 3.0), kind)))
    assert answer.times[:2] == [(0.2, "start"), (0.2, "body")]
    assert answer.times[-1][0] == 3.2
    assert answer.status == 200
    assert answer.client.body


def test_a_stream_that_turns_out_to_be_empty_is_one() -> None:
    answer = Answered(handler(generating(0.2), respond.ndjson))
    assert (answer.status, answer.times) == (200, [(0.2, "start"), (0.2, "body")])


# When the time has passed


@both
@kinds
def test_then_the_stream_starts_and_goes_on(kind: Kind, item: object, by: Callable[[App], App]) -> None:
    answer = Answered(by(handler(generating(0.2, 0.2, 0.2, item, 1.0, item), kind)))
    assert answer.started == DELAY  # all the waits together
    assert [at for at, kind_ in answer.times if kind_ == "body"][:3] == pytest.approx([DELAY, 0.6, 1.6])
    assert (answer.status, answer.error) == (200, None)


@both
def test_and_a_failure_is_told_in_its_format_as_ever(by: Callable[[App], App]) -> None:
    def endpoint(make: Callable[[AsyncIterator[object]], Response]) -> Callable[[Request], object]:
        async def function(request: Request) -> Response:
            return make(source(0.6, HTTPError(429, "slow down")))

        return function

    answer = Answered(by(handler(endpoint(lambda items: respond.ndjson(told(items))))))  # type: ignore[arg-type]
    assert (answer.status, answer.error) == (200, None)
    (last,) = ndjson.Decoder().feed(answer.client.body)
    assert isinstance(last, dict)
    assert last["error"]["code"] == "too_many_requests"
    error = HTTPError(429)
    answer = Answered(by(handler(generating(0.6, error))))
    assert (answer.status, answer.error) == (200, error)


def test_an_error_that_comes_with_an_item_is_told_after_it() -> None:
    async def endpoint(request: Request) -> Response:
        return respond.ndjson(told(source(0.2, 1, HTTPError(429))))

    answer = Answered(handler(endpoint))
    assert answer.status == 200
    first, last = ndjson.Decoder().feed(answer.client.body)
    assert first == 1
    assert isinstance(last, dict)
    assert last["error"]["code"] == "too_many_requests"


# How long


def test_a_response_a_route_and_a_router_can_say_so() -> None:
    def returning(**options: float) -> Callable[[Request], object]:
        async def function(request: Request) -> Response:
            return respond.stream(source(9.0), **options)  # type: ignore[arg-type]

        return function

    router = Router(max_start_delay=2.0)
    router.get("/router", name="a")(returning())  # type: ignore[type-var]
    router.get("/route", name="b", max_start_delay=3.0)(returning())  # type: ignore[type-var]
    router.get("/response", name="c", max_start_delay=3.0)(returning(max_start_delay=4.0))  # type: ignore[type-var]
    router.get("/never", name="d", max_start_delay=0)(returning())  # type: ignore[type-var]
    router.get("/generator", respond.sse)(generating(9.0))
    expected = {"/router": 2, "/route": 3, "/response": 4, "/never": 0, "/generator": 2}
    assert {path: Answered(router, path=path).started for path in expected} == expected


def test_a_response_without_a_handler_starts_at_its_first_wait() -> None:
    assert Answered(respond.stream(source(9.0))).started == 0  # type: ignore[arg-type]
    error = HTTPError(404)
    answer = Answered(respond.stream(source(0.2, error), max_start_delay=1))  # type: ignore[arg-type]
    assert answer.times == []
    assert answer.error is error


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_it_cannot_be_negative(seconds: float) -> None:
    with pytest.raises(ValueError, match="max_start_delay must be 0 or more seconds, not"):
        handler(generating(), max_start_delay=seconds)


def test_a_wait_for_the_body_does_not_count() -> None:
    async def endpoint(request: Request) -> AsyncIterator[object]:
        await request.body()
        await asyncio.sleep(0.4)
        raise HTTPError(422)
        yield "never"

    async def script() -> None:
        async with connect(handler(endpoint), "POST", body=None) as client:
            await asyncio.sleep(3)
            await client.say("x", more_body=False)
            assert await client.started() == 422

    clock.run(script())


# In company


def test_there_is_no_heartbeat_before_the_start() -> None:
    def kind(items: AsyncIterator[object]) -> Response:
        return respond.sse(items, heartbeat=0.2)

    answer = Answered(handler(generating(1.1, "first"), kind))
    assert answer.started == DELAY
    sent = [at for at, what in answer.times if what == "body"]
    assert sent == pytest.approx([DELAY, 0.6, 0.8, 1.0, 1.1, 1.1], abs=0.01)
    assert Answered(handler(generating(0.4, HTTPError(404)), kind)).status == 404


@both
def test_an_item_of_a_wrapper_starts_the_stream_too(by: Callable[[App], App]) -> None:
    """A failure is told in the format then, although the source itself has given nothing."""

    async def endpoint(request: Request) -> Response:
        failing = told(source(0.25, LookupError()))
        return respond.sse(streams.heartbeat(failing, 0.1, lambda: "beat"))

    answer = Answered(by(handler(endpoint)))
    assert (answer.status, answer.started, answer.error) == (200, 0.1, None)
    assert [event.event for event in sse.Decoder().feed(answer.client.body)] == [None, None, "error"]


@both
def test_a_client_that_disconnects_closes_the_source_and_gets_nothing(by: Callable[[App], App]) -> None:
    log: list[object] = []

    async def endpoint(request: Request) -> Response:
        return respond.sse(source(60.0, log=log))

    answer = Answered(by(handler(endpoint)), leave=0.25)
    assert log == [("cancelled", 0.25), ("closed", 1.25)]
    statuses = [each.message["status"] for each in answer.client.messages if "status" in each.message]
    assert statuses == ([] if by is known else [499])
    assert (answer.client.body, answer.error) == (b"", None)


@both
def test_a_server_that_cancels_cancels_the_source(by: Callable[[App], App]) -> None:
    log: list[object] = []

    async def endpoint(request: Request) -> Response:
        return respond.sse(source(60.0, log=log))

    async def script() -> None:
        async with connect(by(handler(endpoint))) as client:
            await asyncio.sleep(0.25)
            await client.cancel()
        assert not any(each.direction == "send" for each in client.messages)

    clock.run(script())
    assert log == [("cancelled", 0.25), ("closed", 1.25)]


def test_head_does_not_wait() -> None:
    answer = Answered(handler(generating(0.2, HTTPError(404)), respond.sse), "HEAD")
    assert (answer.status, answer.started) == (200, 0)


def test_a_drained_stream_starts_and_ends_with_its_final_event() -> None:
    async def script() -> None:
        drain = Drain()
        async with connect(drain(handler(generating(60.0), respond.sse))) as client:
            await asyncio.sleep(0.25)
            drain.begin()
            await client.finished()
            assert clock.now() == DELAY
            (event,) = sse.Decoder().feed(client.body)
            assert event.event == "close"

    clock.run(script())


def test_a_compressed_one_waits_too() -> None:
    answer = Answered(compress(handler(generating(0.2, HTTPError(404, "no")), respond.sse)))
    assert (answer.status, answer.client.body) == (404, b"no")
    assert Answered(compress(handler(generating(9.0, "x"), respond.sse))).started == DELAY


def test_a_timeout_in_the_source_is_its_own() -> None:
    async def endpoint(request: Request) -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(0.2):
                await asyncio.sleep(60)
        except TimeoutError:
            raise HTTPError(504, "upstream") from None
        yield "never"

    assert Answered(handler(endpoint)).status == 504
