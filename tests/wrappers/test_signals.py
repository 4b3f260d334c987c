"""Signals: the callback, the former handler, and no signal lost."""

import asyncio
import os
import signal
import socket
from contextlib import suppress

import clock
import pytest

from rawasgi.signals import before_handlers


@pytest.mark.parametrize("before", [False, True], ids=["the signal comes later", "the signal came before"])
def test_no_signal_is_lost_while_threads_wake_the_loop_more_often_than_it_can_see(before: bool) -> None:
    """asyncio learns of it by the same pipe, and does not when that is full."""
    calls: list[None] = []

    async def script() -> None:
        loop = asyncio.get_running_loop()
        handled = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, handled.set)
        pipe = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(pipe)
        try:
            with before_handlers([signal.SIGUSR1], lambda: calls.append(None)):
                if before:
                    signal.raise_signal(signal.SIGUSR1)
                with suppress(BlockingIOError):
                    while True:
                        os.write(pipe, b"\0")
                if not before:
                    signal.raise_signal(signal.SIGUSR1)
                await handled.wait()
            assert signal.set_wakeup_fd(pipe) == pipe
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)

    asyncio.run(asyncio.wait_for(script(), clock.PATIENCE))
    assert calls == [None]


def test_the_pipe_of_signals_that_the_block_sets_is_kept() -> None:
    async def script() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, lambda: None)
        reader, writer = socket.socketpair()
        with reader, writer:
            writer.setblocking(False)
            try:
                with before_handlers([signal.SIGUSR2], lambda: None):
                    signal.set_wakeup_fd(writer.fileno())
                assert signal.set_wakeup_fd(-1) == writer.fileno()
            finally:
                loop.remove_signal_handler(signal.SIGUSR1)

    asyncio.run(script())
