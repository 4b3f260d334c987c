"""One call of an app, by a server and its client in one.

Theory of operation. Spec and servers leave much open, so a *Personality* says how this server behaves. There is room
for ``window_bytes`` that the script has not read, as there is in a socket; then ``send`` waits until the script reads
or leaves. So an endless stream can be read, and one that nobody reads stops. As on every server, ``send`` to a client
that left does nothing, or raises OSError from spec_version 2.4 on, and nothing but ``cancel()`` ever cancels the app.
All waiting is one list of futures: whoever changes something wakes all, and each looks for itself.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, NamedTuple, NoReturn, Self, TypedDict, Unpack, cast

from rawasgi.asgi import App, Received, Scope, Sent
from rawasgi.dev.validation import validate
from rawasgi.states import TABLES, Order

BURST = 10_000  # so many sends without one turn of the loop are a frozen server
OVERHEAD_BYTES = 1024  # what a message takes of the window beside its body


@dataclass(frozen=True, slots=True)
class Personality:
    """How a server behaves where the spec leaves it open. The defaults are those of uvicorn."""

    repeats_disconnect: bool = True  # False: receive() blocks for ever after it gave the disconnect (hypercorn, daphne)
    body_first: bool = True  # the disconnect is given only when what came of the body was read (all servers)
    gives_way: bool = False  # send() lets other tasks run (granian, hypercorn on trio)
    raises: bool | None = None  # send() to a client that left raises OSError; None: from spec_version 2.4 on
    holds_start: bool = False  # status and headers leave with the first body message (granian, daphne)
    window_bytes: int = 1 << 20  # so much may be unread before send() waits


UVICORN = Personality()


class Recorded(NamedTuple):
    """One message, and who gave it: ``send`` is the app's, ``receive`` the server's."""

    direction: Literal["send", "receive"]
    message: Mapping[str, object]


class ClientLeft(OSError):
    """What send() raises when the client left, from spec_version 2.4 on. If it escapes the app, that is no failure."""


class Unfinished(AssertionError):
    """The app did not return."""


class Frozen(AssertionError):
    """The app sends and sends, and never lets another task run: it froze the whole server."""


class How(TypedDict, total=False):
    """How the app is run, and how the server behaves."""

    personality: Personality  # UVICORN
    validated: bool  # True: the scope and each message go through validate()
    patience: float  # 10 seconds to return in when the client has left


class Exchange(ABC):
    """The app runs from ``async with`` on; leaving it, the client leaves, and the app has *patience* seconds to return.

    Raises, on leaving: what the app raised, if the script has not seen it; Unfinished.
    """

    _over = False  # nothing more is coming from the client but the disconnect

    def __init__(self, app: App, scope: Scope, **how: Unpack[How]) -> None:
        self.scope = scope
        self.personality: Personality = how.get("personality", UVICORN)
        self.patience: float = how.get("patience", 10.0)
        self.messages: list[Recorded] = []
        self.order: Order = Order(TABLES[scope["type"]])
        self.version: tuple[int, ...] = tuple(int(part) for part in scope["asgi"].get("spec_version", "2.0").split("."))
        self._app = validate(app) if how.get("validated", True) else app
        self._inbox: deque[Received] = deque()
        self._unread: deque[tuple[Sent, bytes, int]] = deque()
        self._room = self.personality.window_bytes
        self._stalled = self._left = self._told = self._seen = False
        self._burst = 0
        self._waiting: list[asyncio.Future[None]] = []

    # The script

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._call())
        self._task.add_done_callback(lambda _: self._changed())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            await self._end(cancel=True)
            if self.exception is not None and self.exception is not error:
                error.add_note(f"The app had raised {self.exception!r}.")
            return
        self._leave()
        await self._must_end()
        if not self._seen:
            self._raise()

    @property
    def exception(self) -> BaseException | None:
        """What the app raised; None if it runs, has returned or was cancelled."""
        if not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    async def message(self) -> Sent:
        """The next message that the client sees, whichever it is. Raises: what the app raised; EOFError if it ended."""
        return (await self._next())[0]

    async def _next(self) -> tuple[Sent, bytes]:
        """The next message and the bytes that came with it; now there is room for as many again."""
        await self._until(lambda: bool(self._unread) or self._left or self._task.done())
        if not self._unread:
            self._nothing_more()
        message, data, cost = self._unread.popleft()
        if not self._stalled:
            self._room = min(self._room + cost, self.personality.window_bytes)
            self._changed()
        return message, data

    def stall(self, after_bytes: int = 0) -> None:
        """Stop reading: after *after_bytes* more bytes send() waits until resume(), or until the client leaves."""
        self._stalled = True
        self._room = after_bytes

    def resume(self) -> None:
        """Read on."""
        self._stalled = False
        self._room = self.personality.window_bytes
        self._changed()

    async def finished(self) -> None:
        """Read on until the app has returned. Raises: what it raised; Unfinished, if the client has left."""
        if self._left:
            await self._must_end()
        while not self._task.done():
            if not self._stalled:
                self._room = self.personality.window_bytes
            self._changed()
            await self._change()
        self._raise()

    async def cancel(self) -> None:
        """Cancel the app, as a server does that shuts down, and wait for its end. Raises: what else it raised."""
        if not await self._end(cancel=True):
            raise Unfinished(f"the app must end when it is cancelled, but ran on for {self.patience} s")
        self._raise()

    def _leave(self) -> None:
        self._left = self._over = True
        self._changed()

    async def _must_end(self) -> None:
        """Wait for the app's end, since it knows that nothing more can come."""
        if not await self._end(cancel=False):
            obeyed = await self._end(cancel=True)
            raise Unfinished(
                f"the app must return when receive() gives {self._disconnect()['type']}, but ran {self.patience} s more"
                f"{' until it was cancelled' if obeyed else ', even cancelled'}: wait for receive() beside the work"
            )

    async def _end(self, cancel: bool) -> bool:
        if cancel:
            self._task.cancel()
        loop = asyncio.get_running_loop()
        end, kept = loop.time() + self.patience, None
        while not self._task.done() and loop.time() < end:
            try:
                await asyncio.wait({self._task}, timeout=end - loop.time())
            except asyncio.CancelledError as error:  # the app's clean-up takes some turns, of which anyio cancels each
                if not cancel:
                    raise
                kept = error
        if kept is not None:
            raise kept
        return self._task.done()

    def _nothing_more(self) -> NoReturn:
        self._raise()
        raise EOFError(f"no more messages: {'the client has left' if self._left else 'the app has returned'}")

    def _raise(self) -> None:
        error = self.exception
        if error is not None and not isinstance(error, ClientLeft):
            self._seen = True
            raise error

    # The server, as the app sees it

    async def _call(self) -> None:
        await self._app(self.scope, self.receive, self.send)

    async def receive(self) -> Received:
        await self._until(lambda: bool(self._inbox) or self._over)
        if self._inbox and (self.personality.body_first or not self._over):
            message = self._inbox.popleft()
        else:
            await self._until(lambda: self.personality.repeats_disconnect or not self._told)
            self._told = True
            message = self._disconnect()
        self.order.received(cast(Mapping[str, object], message))
        self.messages.append(Recorded("receive", dict(message)))
        return message

    async def send(self, message: Sent) -> None:
        self.messages.append(Recorded("send", dict(message)))
        if self.personality.gives_way:
            await asyncio.sleep(0)
        await self._until(lambda: self._left or self._room > 0)
        self._count()
        if self._left:
            if self.version >= (2, 4) if self.personality.raises is None else self.personality.raises:
                raise ClientLeft("the client has left")
            return
        self.order.sent(cast(Mapping[str, object], message))
        self._deliver(message)
        self._changed()

    def _count(self) -> None:
        if not self._burst:
            asyncio.get_running_loop().call_soon(self._turn)
        self._burst += 1
        if self._burst > BURST:
            whom = "a client that left" if self._left else "a client that reads all"
            raise Frozen(f"the app sent {BURST:,} messages to {whom} and let no other task run: give way")

    def _turn(self) -> None:
        self._burst = 0

    @abstractmethod
    def _disconnect(self) -> Received:
        """What receive() gives when the exchange is over."""

    @abstractmethod
    def _deliver(self, message: Sent) -> None:
        """Let the client see *message*, with _see()."""

    def _see(self, message: Sent, data: bytes = b"") -> None:
        cost = len(data) if self._stalled else len(data) + OVERHEAD_BYTES
        self._room -= cost
        self._unread.append((message, data, cost))

    # Waiting

    async def _until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            await self._change()

    async def _change(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _changed(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()
