"""Run the coroutine of a response, and do whatever must be done while it waits.

Theory of operation
===================

**One task.** The coroutine that sends a stream (``sending.py``) is written as if nothing else existed. It is advanced
by hand (``streams/stepping.py``), so each of its waits is seen here, and ``Writer.phase`` says what waits: the source,
``send()``, or the clean-up of the source. Meanwhile three things are waited for: what the coroutine waits for, the
messages of ``receive()`` (``inbox.py``), and a clock (``clocks.py``). One ``Waiter`` is woken by whichever comes first.
So an idle stream costs one task, and the source lives in the task and the context of its response.

**The source waits.** What is buffered is sent first, by ``Writer.flush``, which is advanced by hand as well: the phase
is WRITING until that is through, and the source is not advanced meanwhile. Then the phase is PACED or IDLE. In PACED
the task does nothing but wait, in the inner loop of ``run``, for the source's own future if it can be lent
(``waiting.py``), as in a plain ``await``. It leaves that loop when anything else happens.

**Who is cancelled?** A cancellation of the task goes to the source if the source waits, because it may be the source's
own (``asyncio.timeout``, TaskGroup): then the source goes on. It goes there before any result that came in the same
turn, as in a Task. If the source ends by it, so do we. In WRITING the source does not wait, but what a wrapper reads
ahead may: so the cancellation waits for that send, at most min(send, cleanup) seconds. When the client disconnects, the
source alone is cancelled, in the same way; not if the server's cancellation has reached it before.

**Close, always, at once.** The step under way is brought to its end, then the source is closed, with a shield: a
cancellation that comes meanwhile is kept for afterwards. This takes no more than *cleanup* seconds; what takes longer
is cancelled, and if it resists, reported. Last, the tasks of a foreign ``receive()`` and ``send()`` are awaited.
"""

import asyncio
import sys
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any

from rawasgi.outcomes import Outcome
from rawasgi.streams.base import DeadlineExceeded
from rawasgi.streams.stepping import Step
from rawasgi.suspension import Limits, Suspension
from rawasgi.writing import PACED, RUNNING, Gone, Writer

_ENDED: Any = object()


@coroutine
def run(inner: Coroutine[Any, None, None], writer: Writer, limits: Limits) -> Generator[Any, None, None]:
    """Run *inner* to its end, and do whatever must be done while it waits."""
    suspension: Suspension | None = None
    try:
        # Most short responses never wait. Called like this their end is no exception, which would cost more.
        waits_for = next(inner.__await__(), _ENDED)
        if waits_for is _ENDED:
            return
        suspension = Suspension(writer, limits, Step(inner))
        step, waiter, buffer, resume = suspension.step, suspension.waiter, writer.buffer, inner.send
        beats = limits.beat is not None
        finished = step.hold(waits_for)
        while not finished:
            waits_for = step.waits_for
            if writer.phase is PACED:
                while not waiter.called:
                    if beats and writer.silence is None:
                        writer.silence = waiter.get_loop().time()
                    try:
                        if waits_for is None:
                            yield
                        elif waits_for is not step.waits_for and step.lend(waits_for, waiter):
                            yield waits_for
                            if waiter.called:
                                break
                            step.waits_for = None  # it is done, and well: an error of it would be thrown in here
                        else:
                            if waits_for is step.waits_for:
                                step.wake(waiter)
                            elif not step.follow(waits_for, waiter):
                                break
                            yield waiter.block()
                            if waiter.called or waiter.cancelled or not step.settled():
                                break
                            waiter.woken = False
                    except asyncio.CancelledError as error:
                        waiter.take(error)
                        break
                    except BaseException as error:
                        if not step.failed(error):
                            raise
                        break  # advance() throws it
                    waits_for = resume(None)
                    if buffer:
                        break
                    if writer.phase is RUNNING:  # the source waits again, after an item
                        writer.phase = PACED
                    elif writer.phase is not PACED:
                        break
            if waits_for is not step.waits_for and step.hold(waits_for):
                break
            finished = suspension.handle_events()
            if finished:
                break
            suspension.flush_buffer()
            if writer.phase is PACED and not waiter.called and (step.waits_for is None or not step.ready()):
                waiter.woken = False
                continue
            try:
                if suspension.arm():
                    yield
                elif not (waiter.woken or waiter.cancelled or waiter.called):
                    yield waiter.block()
            except asyncio.CancelledError as error:
                waiter.take(error)
            waiter.woken = False
            finished = suspension.advance()
    except (StopIteration, Gone):  # the end
        pass
    except asyncio.CancelledError:
        # The cancellation of a source that was aborted ends here: the client is gone, and no other task is cancelled.
        aborted = writer.outcome is not None and writer.outcome is not Outcome.COMPLETE
        writer.end(Outcome.CUT)
        if suspension is None or not (aborted or suspension.overdue):
            raise
    except DeadlineExceeded:
        writer.end(Outcome.DEADLINE)
        raise
    except BaseException:
        writer.end(Outcome.FAILED if writer.start is None else Outcome.FAILED_BEFORE_START)
        raise
    finally:
        if suspension is not None:
            suspension.stop()
            tasks = writer.close()
            if tasks and not isinstance(sys.exception(), GeneratorExit):
                yield from _ended(tasks, limits.cleanup).__await__()
    writer.end(Outcome.DISCONNECTED)
    if suspension is not None:
        suspension.raise_kept()


async def _ended(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Wait until *tasks*, which were cancelled, have ended, for at most *seconds*; keep a cancellation of ours."""
    loop = asyncio.get_running_loop()
    end, kept = loop.time() + seconds, None
    while (pending := [task for task in tasks if not task.done()]) and loop.time() < end:
        try:
            await asyncio.wait(pending, timeout=end - loop.time())
        except asyncio.CancelledError as error:
            kept = error
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # it is retrieved, so that asyncio does not log it: the response is over
    if kept is not None:
        raise kept
