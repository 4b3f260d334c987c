"""A paced source waits for futures of its own: the task waits for those itself, until something else comes first."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import clock
import pytest
from known_server import KnownServer
from test_driving import SCOPE

from rawasgi import respond
from rawasgi.asgi import Received, Sent
from rawasgi.response import Response
from rawasgi.sending import Streaming
from rawasgi.streams.waiting import Waiter

Future = asyncio.Future[None]


class Exchange:
    """A response under way, whose source waits for one future after another.

    ``waits``: the futures, as the source comes to them. ``told``: what came of each. ``sent``: the pieces of the body.
    """

    def __init__(self, ends: bool = False) -> None:
        self.loop = asyncio.get_running_loop()
        self.waits: asyncio.Queue[Future] = asyncio.Queue()
        self.told: list[object] = []
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.left = asyncio.Event()
        self._ends = ends  # by an error, which it takes for an item if not

    async def source(self) -> AsyncIterator[str]:
        while True:
            future = self.loop.create_future()
            self.waits.put_nowait(future)
            try:
                self.told.append(await future)
            except (LookupError, asyncio.CancelledError) as error:
                self.told.append(repr(error))
                if self._ends:
                    raise
            yield "item"

    async def receive(self) -> Received:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Sent) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            self.sent.put_nowait(message["body"])

    async def answer(self, response: Response) -> None:
        server = KnownServer(self.receive, self.send)
        await response(SCOPE, server.receive, server.send)

    def bodies(self) -> list[bytes]:
        """Return what was sent since the last time."""
        return [self.sent.get_nowait() for _ in range(self.sent.qsize())]

    async def lent(self) -> Future:
        """Let the source go on until the task waits for a future of it; return that."""
        for _ in range(3):
            (await self.waits.get()).set_result(None)
        future = await self.waits.get()
        await asyncio.sleep(0)
        assert holder(future) == "Task"
        self.told.clear()
        self.bodies()
        return future


def holder(future: Future) -> str:
    """Return whose callback *future* will call."""
    return "Task" if "task_wakeup" in repr(future) else "Waiter" if "Waiter._go_on" in repr(future) else repr(future)


def play(script: Callable[[Exchange, "asyncio.Task[None]"], Awaitable[None]], **how: Any) -> Exchange:
    """Run *script* beside an endless response, and end that."""

    async def main() -> Exchange:
        exchange = Exchange(how.pop("ends", False))
        body = Streaming(exchange.source(), **how)
        task = asyncio.create_task(exchange.answer(Response(body)))
        async with asyncio.timeout(60):
            try:
                await script(exchange, task)
            finally:
                exchange.left.set()
            await asyncio.wait([task])
        return exchange

    return clock.run(main())


def test_the_task_waits_for_the_future_of_a_paced_source_itself() -> None:
    async def script(exchange: Exchange, task: "asyncio.Task[None]") -> None:
        for _ in range(5):
            future = await exchange.lent()
            future.set_result(None)
            await asyncio.sleep(0)
            assert (exchange.told, exchange.bodies()) == ([None], [b"item"])

    play(script)


def test_a_beat_comes_between_and_the_source_is_woken_once() -> None:
    async def script(exchange: Exchange, task: "asyncio.Task[None]") -> None:
        future = await exchange.lent()
        for _ in range(2):
            assert await exchange.sent.get() == b": beat\n\n"
            assert holder(future) == "Waiter"
        assert exchange.told == []
        future.set_result(None)
        await exchange.waits.get()
        assert exchange.told == [None]

    play(script, beat=b": beat\n\n", every=0.01)


def test_what_is_woken_in_the_turn_in_which_the_future_is_done_is_woken_once() -> None:
    async def script(exchange: Exchange, task: "asyncio.Task[None]") -> None:
        future = await exchange.lent()
        waiter = woken(future)
        future.set_result(None)
        waiter._fire()
        following = await exchange.waits.get()
        assert exchange.told == [None]
        assert not following.done()

    def woken(future: Future) -> Waiter:
        (found,) = [each for each in waiters if each.lent is future]
        return found

    waiters: list[Waiter] = []
    made = Waiter.__init__

    def noted(waiter: Waiter, *arguments: Any) -> None:
        made(waiter, *arguments)
        waiters.append(waiter)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Waiter, "__init__", noted)
        play(script)


@pytest.mark.parametrize("ends", [False, True])
def test_an_error_of_the_future_is_the_source_s(ends: bool) -> None:
    async def script(exchange: Exchange, task: "asyncio.Task[None]") -> None:
        future = await exchange.lent()
        future.set_exception(LookupError("lost"))
        if ends:
            with pytest.raises(LookupError, match="lost"):
                await task
        else:
            await exchange.waits.get()
            assert exchange.bodies() == [b"item"]
        assert exchange.told == ["LookupError('lost')"]

    play(script, ends=ends)


@pytest.mark.parametrize("text", [(), ("enough",)])
def test_a_future_that_somebody_cancels_is_the_source_s_affair(text: tuple[str, ...]) -> None:
    async def script(exchange: Exchange, task: "asyncio.Task[None]") -> None:
        future = await exchange.lent()
        future.cancel(*text)
        await exchange.waits.get()
        assert exchange.told == [repr(asyncio.CancelledError(*text))]
        assert exchange.bodies() == [b"item"]
        assert not task.done()

    play(script)


@pytest.mark.parametrize("text", [(), ("enough",)])
@pytest.mark.parametrize("done", [False, True])
def test_a_cancellation_of_the_task_reaches_the_source(text: tuple[str, ...], done: bool) -> None:
    async def script(exchange: Exchange, task: "asyncio.Task[None]") -> None:
        future = await exchange.lent()
        if done:
            future.set_result(None)
        task.cancel(*text)
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert exchange.told == [repr(asyncio.CancelledError(*text))]
        assert caught.value.args == text

    play(script, ends=True)


def test_a_source_s_own_timeout_is_its_own() -> None:
    async def source() -> AsyncIterator[str]:
        for _ in range(5):
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.get_running_loop().create_future()
            except TimeoutError:
                yield "late"

    async def script(exchange: Exchange, task: "asyncio.Task[None]") -> None:
        await exchange.answer(respond.stream(source()))
        assert exchange.bodies() == [*[b"late"] * 5]

    play(script)


def test_who_leaves_ends_the_wait() -> None:
    async def script(exchange: Exchange, task: "asyncio.Task[None]") -> None:
        future = await exchange.lent()
        exchange.left.set()
        await task
        assert future.cancelled()
        assert exchange.told == ["CancelledError()"]

    play(script, ends=True)


def test_a_task_of_the_source_is_waited_for_as_a_future_is() -> None:
    async def source() -> AsyncIterator[str]:
        for _ in range(5):
            await asyncio.create_task(asyncio.sleep(0))
            yield "item"

    async def script(exchange: Exchange, task: "asyncio.Task[None]") -> None:
        await exchange.answer(respond.stream(source()))
        assert exchange.bodies() == [*[b"item"] * 5]

    play(script)


class Waiting:
    """Waits for one future of *exchange* after another. Python 3.11 cannot close a generator while it waits."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def __aiter__(self) -> "Waiting":
        return self

    async def __anext__(self) -> str:
        future = self.exchange.loop.create_future()
        self.exchange.waits.put_nowait(future)
        await future
        return "item"

    async def aclose(self) -> None:
        self.exchange.told.append("closed")


def test_a_response_that_is_closed_by_hand_in_the_middle_of_a_wait_closes_its_source() -> None:
    async def main() -> None:
        exchange = Exchange()
        running = exchange.answer(Response(Streaming(Waiting(exchange))))
        task = asyncio.create_task(running)
        future = await exchange.lent()
        running.close()
        gc.collect()
        assert exchange.told == ["closed"]
        future.set_result(None)
        with pytest.raises(RuntimeError, match="cannot reuse"):
            await task

    asyncio.run(main())
