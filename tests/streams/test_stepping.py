"""Step, settle and Waiter: what an awaitable waits for is held by hand, and nobody else notices."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Awaitable, Callable, Generator
from contextvars import ContextVar
from typing import TypeVar

import clock
import pytest

from rawasgi.streams.stepping import Step, cancelling, give_way, is_cancelled, settle
from rawasgi.streams.waiting import Waiter

T = TypeVar("T")


def future() -> "asyncio.Future[object]":
    return asyncio.get_running_loop().create_future()


async def ready(value: T) -> T:
    return value


async def fail(error: BaseException) -> None:
    raise error


async def drive(awaitable: Awaitable[object]) -> object:
    """Await it, by hand."""
    step, waiter = Step(awaitable), Waiter()
    finished = step.advance()
    while not finished:
        if step.waits_for is None:
            await give_way()
        else:
            step.wake(waiter)
            await waiter
        if waiter.cancelled:
            waiter.cancelled = False
            finished = step.cancel()
        else:
            finished = step.ready() and step.advance()
    return step.value


class Iterated:
    """What ``await`` accepts though nothing can be sent to it: an iterator."""

    def __init__(self, *yields: object) -> None:
        self.yields = yields

    def __await__(self) -> Generator[object, None, None]:
        return iter(self.yields)  # type: ignore[return-value]  # an iterator will do for await


def test_a_step_that_is_ready_is_finished_at_once() -> None:
    async def main() -> None:
        step = Step(ready("value"))
        assert step.advance()
        assert step.value == "value"
        with pytest.raises(LookupError):
            Step(fail(LookupError())).advance()

    clock.run(main())


def test_a_step_tells_what_it_waits_for_and_goes_on_when_that_is_done() -> None:
    async def main() -> None:
        awaited = future()
        step = Step(awaited)
        assert not step.advance()
        assert step.waits_for is awaited
        assert not step.ready()
        awaited.set_result("value")
        assert step.ready()
        assert step.advance()
        assert step.value == "value"

    clock.run(main())


def test_a_step_that_only_gives_way_waits_for_nothing() -> None:
    async def main() -> None:
        for awaitable in (asyncio.sleep(0), Iterated(None)):
            step = Step(awaitable)
            assert not step.advance()
            assert step.waits_for is None
            assert step.ready()
            assert step.advance()

    clock.run(main())


def test_an_error_of_the_future_is_raised_in_the_awaitable_and_is_not_its_context() -> None:
    async def wait(awaited: "asyncio.Future[object]") -> BaseException | None:
        with pytest.raises(LookupError) as raised:
            await awaited
        return raised.value.__context__

    async def main() -> None:
        awaited = future()
        step = Step(wait(awaited))
        assert not step.advance()
        awaited.set_exception(LookupError())
        assert step.advance()
        assert step.value is None

    clock.run(main())


def test_cancelling_a_step_cancels_its_innermost_wait() -> None:
    async def main() -> None:
        awaited = future()
        step = Step(awaited)
        step.advance()
        with pytest.raises(asyncio.CancelledError):
            step.cancel()
        assert awaited.cancelled()

    clock.run(main())


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_step_that_cannot_cancel_its_wait_is_cancelled_where_it_waits(goes_on: bool) -> None:
    async def wait(first: Awaitable[object]) -> str:
        try:
            await first
        except asyncio.CancelledError:
            if goes_on:
                await asyncio.sleep(0)
        return "value"

    async def main() -> None:
        done = future()
        for first in (give_way(), done):
            step = Step(wait(first))
            assert not step.advance()
            if step.waits_for is done:
                done.set_result(None)
            assert step.cancel() == (not goes_on)
            assert not goes_on or step.advance()
            assert step.value == "value"

    clock.run(main())


def test_a_task_that_is_waited_for_may_take_its_time_to_be_cancelled() -> None:
    async def slow() -> str:
        try:
            return await asyncio.sleep(10, "too late")
        finally:
            await asyncio.sleep(5)

    async def main() -> None:
        driven = asyncio.create_task(drive(asyncio.create_task(slow())))
        await asyncio.sleep(1)
        driven.cancel()
        await asyncio.wait([driven])
        assert driven.cancelled()
        assert clock.now() == 6

    clock.run(main())


@pytest.mark.parametrize("how", [Step.advance, lambda step: step.throw(LookupError())])
def test_what_is_not_asyncios_is_refused_within_the_awaitable(how: Callable[[Step], bool]) -> None:
    async def wait() -> str:
        try:
            await give_way()
            await Iterated("foreign")
        except LookupError:
            with pytest.raises(RuntimeError, match="not for 'other': use asyncio"):
                await Iterated("other")
            return "value"
        return ""

    async def main() -> None:
        step = Step(wait())
        step.advance()
        if how is Step.advance:
            with pytest.raises(RuntimeError, match="a stream must wait for asyncio's futures, not for 'foreign'"):
                how(step)
        else:
            assert how(step)
            assert step.value == "value"

    clock.run(main())


def test_a_step_that_was_begun_elsewhere_is_gone_on_with() -> None:
    async def main() -> None:
        generator = ready_after(give_way()).__await__()
        step = Step.begun(generator)
        assert not step.hold(generator.send(None))
        assert step.waits_for is None
        assert step.advance()
        assert step.value == "value"

    async def ready_after(first: Awaitable[object]) -> str:
        await first
        return "value"

    clock.run(main())


def test_settling_brings_a_step_to_its_end_whatever_it_waits_for() -> None:
    async def slow(log: list[str]) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(5)
            with pytest.raises(LookupError):
                await asyncio.create_task(fail(LookupError()))
            log.append(f"settled at {clock.now():g}")

    async def main() -> None:
        log: list[str] = []
        step = Step(slow(log))
        step.advance()
        await settle(step)
        assert log == ["settled at 5"]

    clock.run(main())


@pytest.mark.parametrize("error", [asyncio.CancelledError(), StopAsyncIteration(), None])
def test_settling_is_silent_about_the_cancellation_and_the_end(error: BaseException | None) -> None:
    async def wait() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            if error is not None:
                raise error from None

    async def main() -> None:
        step = Step(wait())
        step.advance()
        await settle(step)
        assert clock.now() == 1

    clock.run(main())


def test_settling_raises_what_else_comes() -> None:
    async def wait() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise LookupError("clean-up")

    async def main() -> None:
        step = Step(wait())
        step.advance()
        with pytest.raises(LookupError, match="clean-up"):
            await settle(step)

    clock.run(main())


def test_settling_that_is_cancelled_itself_cuts_the_clean_up_off_and_is_cancelled() -> None:
    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(5)

    async def main() -> None:
        step = Step(slow())
        step.advance()
        settling = asyncio.create_task(settle(step))
        await asyncio.sleep(1)
        settling.cancel()
        await asyncio.wait([settling])
        assert settling.cancelled()
        assert clock.now() == 1

    clock.run(main())


def test_a_waiter_is_woken_by_the_first_of_what_it_watches_and_may_be_awaited_again() -> None:
    async def main() -> None:
        waiter, first, second = Waiter(), future(), future()
        waiter.watch(second)
        waiter.watch(first)
        loop = asyncio.get_running_loop()
        loop.call_later(1, first.set_result, None)
        loop.call_later(2, second.set_result, None)
        await waiter
        assert clock.now() == 1
        await waiter
        assert clock.now() == 2
        third = future()
        waiter.watch(third)
        loop.call_later(1, third.set_result, None)
        await waiter
        assert clock.now() == 3
        waiter.wake()
        await asyncio.sleep(0)
        assert waiter.woken
        await waiter
        assert not waiter.woken

    clock.run(main())


def test_a_cancellation_of_who_awaits_a_waiter_is_a_value_until_it_is_cleared() -> None:
    async def wait() -> str:
        waiter = Waiter()
        await waiter
        assert waiter.cancelled
        await waiter  # does not wait while it is set
        assert is_cancelled()
        assert cancelling() == 1
        return "went on"

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(1)
        task.cancel()
        assert await task == "went on"
        assert not is_cancelled()

    clock.run(main())


def test_a_cancellation_that_is_thrown_is_a_value_too() -> None:
    async def wait(waiter: Waiter) -> str:
        await waiter
        return "went on"

    async def main() -> None:
        waiter = Waiter()
        waiting = wait(waiter)
        assert waiting.send(None) is waiter
        with pytest.raises(StopIteration, match="went on"):
            waiting.throw(asyncio.CancelledError())
        assert waiter.cancelled

    clock.run(main())


def test_nobody_is_cancelled_outside_of_a_task() -> None:
    async def main() -> None:
        seen = future()
        asyncio.get_running_loop().call_soon(lambda: seen.set_result(is_cancelled()))
        assert await seen is False

    clock.run(main())


def test_steps_within_steps_are_woken_and_cancelled_through_all() -> None:
    async def wait() -> str:
        try:
            async with asyncio.timeout(3):
                await asyncio.sleep(100)
        except TimeoutError:
            await asyncio.sleep(1)
        return f"value at {clock.now():g}"

    async def main() -> None:
        assert await drive(drive(drive(wait()))) == "value at 4"
        task = asyncio.create_task(drive(drive(asyncio.sleep(100))))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert clock.now() == 5

    clock.run(main())


def test_a_task_that_waits_after_another_is_woken_in_its_own_context() -> None:
    var = ContextVar("var", default="main")

    async def main() -> None:
        waiter, first, second = Waiter(), future(), future()

        async def wait(name: str) -> str:
            var.set(name)
            await waiter
            return var.get()

        loop = asyncio.get_running_loop()
        loop.call_later(1, first.set_result, None)
        loop.call_later(2, second.set_result, None)
        one = asyncio.create_task(wait("one"))
        await asyncio.sleep(0)
        waiter.watch(first)
        waiter.watch(second)  # with the context of the first task
        assert await one == "one"
        assert await asyncio.create_task(wait("two")) == "two"
        assert clock.now() == 2
        assert var.get() == "main"

    clock.run(main())


def test_a_step_that_is_given_up_leaves_nothing_to_the_collector() -> None:
    """The frames of its traceback, and of whoever called, would stay until the collector comes."""

    class Held:
        pass

    async def waiting(future: asyncio.Future[None], held: Held) -> None:
        await future

    def ended() -> weakref.ref[Held]:
        held = Held()
        future = asyncio.get_running_loop().create_future()
        step = Step(waiting(future, held))
        step.advance()
        future.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            step.advance()
        return weakref.ref(held)

    async def script() -> None:
        gc.disable()
        try:
            assert ended()() is None
        finally:
            gc.enable()

    asyncio.run(script())
