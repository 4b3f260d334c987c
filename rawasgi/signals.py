"""Call a function on a signal, before the handler that was installed first, and lose no signal on the way.

asyncio's own handlers, as granian sets them, learn of a signal by one byte in the pipe by which all threads wake the
loop. If the pipe is full (some 280 wake-ups that the loop has not read yet), the byte is lost, and the server runs on
for ever. ``_pipe_for_signals`` gives signals a pipe of their own.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def before_handlers(signals: Iterable[int], callback: Callable[[], None]) -> Iterator[None]:
    """Call *callback* in the running loop for each of *signals*, and then the handler that was installed before.

    At the end of the block the former handlers are restored, except where the block has installed another.
    """
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in signals}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback)
        handler = previous[number]
        if callable(handler):
            handler(number, frame)

    for number in previous:
        signal.signal(number, handle)
    try:
        with _pipe_for_signals(loop):
            yield
    finally:
        for number, handler in previous.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)


@contextmanager
def _pipe_for_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Deliver each signal to the handlers of *loop*, also while the pipe that wakes the loop is full.

    Does nothing without a wake-up descriptor, and on uvloop, whose descriptor is for signals only. At the end of the
    block restores the descriptor that was set before it, unless the block has set another.
    """
    previous_fd = signal.set_wakeup_fd(-1)
    if previous_fd == -1 or not isinstance(loop, asyncio.SelectorEventLoop):
        signal.set_wakeup_fd(previous_fd)
        yield
        return
    reader, writer = socket.socketpair()

    def forward() -> None:
        try:
            # One at a time: what does not fit stays here, and the loop calls again when it has emptied its own pipe.
            os.write(previous_fd, reader.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return
        reader.recv(1)

    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        loop.add_reader(reader, forward)
        signal.set_wakeup_fd(writer.fileno())
        try:
            yield
        finally:
            loop.remove_reader(reader)
            current = signal.set_wakeup_fd(previous_fd)
            if current != writer.fileno():  # the block has set another
                signal.set_wakeup_fd(current)
