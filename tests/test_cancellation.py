"""A handler that returns its response is cancelled when its client disconnects."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import clock
import pytest
from known_server import KnownServer, both, known

from rawasgi import Request, Router, handler
from rawasgi.asgi import App, HTTPScope, Receive, Received, Scope, Send, Sent
from rawasgi.cancellation import can_wait
from rawasgi.dev.client import HTTPClient, connect, fetch
from rawasgi.errors import Disconnected, HTTPError
from rawasgi.inbox import Inbox
from rawasgi.streams import begun

Endpoint = Callable[[Request], Awaitable[object]]
KIB = 1024
SCOPE: HTTPScope = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [],
}


def left(app: App, after: float = 1, body: bytes | None = b"") -> HTTPClient:
    """The exchange of a client that disconnects *after* seconds."""

    async def script() -> HTTPClient:
        async with connect(app, "POST", body=body) as client:
            await asyncio.sleep(after)
            await client.leave()
            await client.finished()
        return client

    return clock.run(script())


def is_unanswered(client: HTTPClient, by: object) -> bool:
    """Whether a server got no response, and what may be a middleware an empty one, with nginx's status; no error."""
    sent = [each.message for each in client.messages if each.direction == "send"]
    statuses = [each["status"] for each in sent if "status" in each]
    assert client.body == b""
    return client.exception is None and statuses == ([] if by is known else [499])


@both
def test_it_is_cancelled_at_its_await_and_its_clean_up_finishes(
    by: Callable[[App], App], caplog: pytest.LogCaptureFixture
) -> None:
    log: list[object] = []

    async def endpoint(request: Request) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log.append(("cancelled", clock.now()))
            raise
        finally:
            await asyncio.sleep(1)
            log.append(("cleaned up", clock.now()))
        return "never"

    with caplog.at_level(logging.DEBUG, "rawasgi"):
        client = left(by(handler(endpoint)))
    assert log == [("cancelled", 1), ("cleaned up", 2)]
    assert is_unanswered(client, by)
    assert caplog.records == []


@both
def test_one_that_is_not_to_be_cancelled_goes_on(by: Callable[[App], App]) -> None:
    log: list[float] = []

    async def endpoint(request: Request) -> None:
        await asyncio.sleep(5)
        log.append(clock.now())

    left(by(handler(endpoint, cancel_on_disconnect=False)))
    assert log == [5]


def test_a_route_and_a_router_can_say_so() -> None:
    log: list[str] = []

    def endpoint(name: str) -> Endpoint:
        async def function(request: Request) -> None:
            await asyncio.sleep(5)
            log.append(name)

        return function

    for router, default in ((Router(), "cancelled"), (Router(cancel_on_disconnect=False), "goes on")):
        router.post("/", name="a")(endpoint(default))
        router.post("/on", name="b", cancel_on_disconnect=True)(endpoint("cancelled"))
        router.post("/off", name="c", cancel_on_disconnect=False)(endpoint("goes on"))

        async def script(router: Router = router) -> None:
            for path in ("/", "/on", "/off"):
                async with connect(router, "POST", path) as client:
                    await asyncio.sleep(1)
                    await client.leave()
                    await client.finished()

        clock.run(script())
    assert log == ["goes on", "goes on", "goes on"]


@both
@pytest.mark.parametrize("error", [None, HTTPError(503), Disconnected(), LookupError("mine")])
def test_one_that_takes_no_notice_sends_nothing_all_the_same(
    by: Callable[[App], App], error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def endpoint(request: Request) -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(1)
        if error is not None:
            raise error
        return "too late"

    async def script() -> HTTPClient:
        async with connect(by(handler(endpoint))) as client:
            await asyncio.sleep(1)
            await client.leave()
            with suppress(LookupError):
                await client.finished()
            assert clock.now() == 2
        return client

    client = clock.run(script())
    if isinstance(error, LookupError):  # a fault of its own, for the log
        assert client.exception is error
    else:
        assert is_unanswered(client, by)
    assert caplog.records == []


@both
def test_the_task_of_the_server_is_as_it_was(by: Callable[[App], App]) -> None:
    """It may serve the next request of the same connection."""

    async def endpoint(request: Request) -> None:
        await asyncio.sleep(60)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await by(handler(endpoint))(scope, receive, send)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(1)  # nothing is thrown in here

    left(app)


# The cancellation of somebody else


@both
@pytest.mark.parametrize("first", ["server", "client", "same turn"])
def test_a_cancellation_by_the_server_is_raised_on(by: Callable[[App], App], first: str) -> None:
    log: list[object] = []

    async def endpoint(request: Request) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            log.append(clock.now())
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(1)

    async def main() -> None:
        gone = asyncio.Event()
        body: list[Received] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Received:
            if body:
                return body.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Sent) -> None:
            raise AssertionError(message)

        task = asyncio.ensure_future(by(handler(endpoint))(SCOPE, receive, send))
        await asyncio.sleep(1)
        if first != "server":
            gone.set()
        if first == "client":
            await asyncio.sleep(0.5)
        task.cancel()
        if first == "server":
            await asyncio.sleep(0)
            gone.set()
        await asyncio.wait([task])
        assert task.cancelled()
        assert len(log) == 1

    clock.run(main())


@both
def test_a_cancellation_that_was_swallowed_before_is_not_raised_again(by: Callable[[App], App]) -> None:
    async def endpoint(request: Request) -> None:
        await asyncio.sleep(60)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1)
        await handler(endpoint)(scope, receive, send)
        assert task.cancelling() == 1

    assert is_unanswered(left(by(app)), by)


@both
def test_one_that_cancels_itself_is_cancelled(by: Callable[[App], App]) -> None:
    async def endpoint(request: Request) -> None:
        await asyncio.sleep(1)
        raise asyncio.CancelledError

    async def script() -> None:
        async with connect(by(handler(endpoint))) as client:
            await client.cancel()
        assert client.messages == []

    clock.run(script())


@both
def test_timeouts_and_groups_in_it_work(by: Callable[[App], App]) -> None:
    log: list[str] = []

    async def slow(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            log.append(name)

    async def endpoint(request: Request) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await slow("timed out")
        try:
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                group.create_task(slow("a"))
                group.create_task(slow("b"))
        finally:
            async with asyncio.timeout(1):
                await asyncio.sleep(0.5)
            log.append("over")

    client = left(by(handler(endpoint)), after=2)
    assert (log[0], sorted(log[1:3]), log[3]) == ("timed out", ["a", "b"], "over")
    assert is_unanswered(client, by)


@both
def test_a_timeout_that_ends_with_the_client_does_not_hide_the_disconnect(by: Callable[[App], App]) -> None:
    async def endpoint(request: Request) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(60)
        await asyncio.sleep(5)
        return "never"

    client = left(by(handler(endpoint)), after=1)
    assert is_unanswered(client, by)


# In the turn of the disconnect


@both
@pytest.mark.parametrize("turns", range(6))
def test_one_that_ends_about_then_is_either_cancelled_or_answers(by: Callable[[App], App], turns: int) -> None:
    done = asyncio.Event()
    log: list[str] = []

    async def endpoint(request: Request) -> str:
        try:
            await done.wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        log.append("returned")
        return "in time"

    async def script() -> None:
        async with connect(by(handler(endpoint))) as client:
            await asyncio.sleep(1)
            await client.leave()
            for _ in range(turns):
                await asyncio.sleep(0)
            done.set()
            await client.finished()
        assert len(log) == 1
        assert client.exception is None

    clock.run(script())


@both
def test_a_client_that_was_gone_before_is_found_after_a_tenth_of_a_second(by: Callable[[App], App]) -> None:
    log: list[float] = []

    async def endpoint(request: Request) -> None:
        try:
            await asyncio.sleep(0.04)
            await asyncio.sleep(60)
        finally:
            log.append(clock.now())

    assert is_unanswered(left(by(handler(endpoint)), after=0), by)
    assert log == [0.1]


@both
def test_a_client_known_to_be_gone_cancels_it_too(by: Callable[[App], App]) -> None:
    async def endpoint(request: Request) -> str:
        await asyncio.sleep(60)
        return "never"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        inbox = Inbox.of(receive)
        while (await inbox())["type"] != "http.disconnect":
            pass
        await handler(endpoint)(scope, inbox, send)

    assert is_unanswered(left(by(app)), by)


@both
def test_it_is_cancelled_once(by: Callable[[App], App]) -> None:
    log: list[float] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        inbox = Inbox.of(receive)

        async def endpoint(request: Request) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                inbox.leave()  # what else wakes it
                await asyncio.sleep(1)
                log.append(clock.now())

        await handler(endpoint)(scope, inbox, send)

    left(by(app))
    assert log == [2]


def test_once_it_has_returned_nothing_is_cancelled() -> None:
    """Its result and the disconnect come in one turn, and the cancellation would come in the next."""
    log: list[object] = []

    async def main() -> None:
        done, gone = asyncio.Event(), asyncio.Event()

        async def endpoint(request: Request) -> str:
            await done.wait()
            return "in time"

        async def receive() -> Received:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Sent) -> None:
            await asyncio.sleep(1)
            log.append(message["type"])

        server = KnownServer(receive, send)
        answering = asyncio.ensure_future(handler(endpoint)(SCOPE, server.receive, server.send))
        await asyncio.sleep(1)
        gone.set()
        done.set()
        await answering

    clock.run(main())
    assert log == ["http.response.start", "http.response.body"]


# With the body


@both
def test_no_chunk_is_lost_meanwhile(by: Callable[[App], App]) -> None:
    body = [bytes([number]) * KIB for number in range(20)]

    async def endpoint(request: Request) -> bytes:
        await asyncio.sleep(1)  # some arrive here, and are kept
        whole = b""
        async for chunk in request.stream():
            whole += chunk
            await asyncio.sleep(1)
        return whole

    async def script() -> None:
        async with connect(by(handler(endpoint)), "POST", body=None) as client:
            for number, chunk in enumerate(body, 1):
                await client.say(chunk, number < len(body))
                await asyncio.sleep(0.3)
            await client.finished()
            assert client.body == b"".join(body)

    clock.run(script())


@both
def test_a_body_that_is_larger_than_what_is_kept_is_read_whole(by: Callable[[App], App]) -> None:
    body = [bytes([number]) * 64 * KIB for number in range(20)]

    async def endpoint(request: Request) -> bytes:
        await asyncio.sleep(1)
        return await request.body(2 * KIB * KIB)

    async def script() -> None:
        async with connect(by(handler(endpoint)), "POST", body=body) as client:
            await client.finished()
            assert client.body == b"".join(body)

    clock.run(script())


@both
@pytest.mark.parametrize(("before", "after"), [(0, 0.01), (0, 1), (0.05, 1), (0.5, 1)])
def test_a_read_that_waits_raises_disconnected_instead_and_nothing_is_cancelled(
    by: Callable[[App], App], before: float, after: float
) -> None:
    log: list[object] = []

    async def endpoint(request: Request) -> None:
        await asyncio.sleep(before)
        try:
            await request.body()
        except Disconnected:
            await asyncio.sleep(5)  # keeps what has arrived
            log.append(clock.now())
            raise

    client = left(by(handler(endpoint)), after, body=None)
    assert log == [after + 5]
    assert is_unanswered(client, by)


@both
def test_a_task_that_reads_gets_disconnected_and_the_handler_is_cancelled(by: Callable[[App], App]) -> None:
    log: list[object] = []

    async def read(request: Request) -> None:
        try:
            await request.body()
        except BaseException as error:
            log.append(type(error).__name__)
            raise

    async def endpoint(request: Request) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(request))
            await asyncio.sleep(60)

    client = left(by(handler(endpoint)), body=None)
    assert log == ["Disconnected"]
    assert is_unanswered(client, by)


@both
def test_a_group_of_nothing_but_disconnected_is_no_error_either(by: Callable[[App], App]) -> None:
    async def read(request: Request) -> None:
        await request.body()

    async def endpoint(request: Request) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(request))

    for cancels in (True, False):
        client = left(by(handler(endpoint, cancel_on_disconnect=cancels)), body=None)
        assert is_unanswered(client, by)


@both
def test_no_body_is_asked_for_that_may_be_refused(by: Callable[[App], App]) -> None:
    """A server writes 100 Continue when receive() is called."""
    calls: list[float] = []

    async def endpoint(request: Request) -> None:
        await asyncio.sleep(1)  # may it?
        await request.body()
        await asyncio.sleep(60)

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        async def called() -> Received:
            calls.append(clock.now())
            return await receive()

        await by(handler(endpoint))(scope, called, send)

    async def script() -> None:
        async with connect(counted, "POST", body=b"x", headers=[("expect", "100-continue")]) as client:
            await asyncio.sleep(5)
            await client.leave()
            await client.finished()
            assert clock.now() == 5

    clock.run(script())
    assert calls == [1, 1]


# What it costs


@both
def test_one_that_waits_for_its_body_only_calls_no_more_receive(by: Callable[[App], App]) -> None:
    calls: list[float] = []

    async def endpoint(request: Request) -> bytes:
        return await request.body()

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        async def called() -> Received:
            calls.append(clock.now())
            return await receive()

        await by(handler(endpoint))(scope, called, send)

    async def script() -> None:
        async with connect(counted, "POST", body=None) as client:
            await asyncio.sleep(1)
            await client.say("a")
            await asyncio.sleep(1)
            await client.say("b", more_body=False)
            await client.finished()

    clock.run(script())
    assert calls == [0, 1]


def test_one_that_does_not_wait_calls_no_receive() -> None:
    async def nothing(request: Request) -> str:
        return "nothing"

    async def ready(request: Request) -> str:
        return await nothing(request)

    async def receive() -> Received:
        raise AssertionError

    for endpoint in (nothing, ready, functools.partial(ready)):
        app = handler(endpoint)

        async def deaf(scope: Scope, _: Receive, send: Send, app: App = app) -> None:
            await app(scope, receive, send)
            assert len(asyncio.all_tasks()) == 2  # the script's, and this

        assert clock.run(fetch(deaf)).text == "nothing"


@both
def test_one_that_does_not_wait_for_long_calls_no_receive_either(by: Callable[[App], App]) -> None:
    async def endpoint(request: Request) -> str:
        for _ in range(3):
            await asyncio.sleep(0.03)
        return "soon"

    calls: list[float] = []

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        async def called() -> Received:
            calls.append(clock.now())
            return await receive()

        await handler(endpoint)(scope, called, send)

    async def script() -> None:
        async with connect(by(counted)) as client:
            await client.finished()
        await asyncio.sleep(1)  # no timer is left
        assert (client.body, calls) == (b"soon", [])

    clock.run(script())


def test_which_functions_can_wait() -> None:
    async def waits(request: Request) -> None:
        await asyncio.sleep(1)

    async def iterates(items: AsyncIterator[object]) -> None:
        async for _ in items:
            pass

    async def enters(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def never() -> None:
        pass

    class Called:
        async def __call__(self) -> None:
            pass

    assert [can_wait(each) for each in (waits, iterates, enters, never)] == [True, True, True, False]
    assert can_wait(functools.partial(never))
    assert can_wait(Called())


# What waits for a first item


@both
def test_begun_ends_and_its_source_is_closed(by: Callable[[App], App]) -> None:
    log: list[object] = []

    async def source() -> AsyncIterator[str]:
        try:
            await asyncio.sleep(60)
            yield "never"
        finally:
            await asyncio.sleep(1)
            log.append(clock.now())

    async def endpoint(request: Request) -> object:
        return await begun(source())

    client = left(by(handler(endpoint)))
    assert log == [2]
    assert is_unanswered(client, by)
