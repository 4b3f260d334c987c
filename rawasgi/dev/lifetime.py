"""The life of an app in a server: startup, requests, shutdown."""

from types import TracebackType
from typing import Self, Unpack

from rawasgi.asgi import App, Received, Scope, Sent
from rawasgi.dev.exchange import Exchange, How, Personality
from rawasgi.errors import ProtocolError


class LifespanFailed(RuntimeError):
    """The app could not start, or not stop: its message."""


class LifespanClient(Exchange):
    """A server's whole life: inside of ``async with`` the app has started; after it, it has stopped.

    ``state`` is what requests get a copy of. ``supported``: the app knows lifespan (if it raises, servers go on).
    Raises: LifespanFailed.
    """

    def __init__(self, app: App, scope: Scope, **how: Unpack[How]) -> None:
        super().__init__(app, scope, **how)
        self.supported: bool = True
        self.state: dict[str, object] = scope.get("state", {})
        self._failure: str | None = None
        self._inbox.append({"type": "lifespan.startup"})

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self._until(lambda: self.order.state == "running" or self._task.done() or self._failure is not None)
        if self.order.state != "running":
            await self._end(cancel=False)
            error = self.exception
            self._check()
            self.supported = False
            self._seen = not isinstance(error, ProtocolError)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise LifespanFailed(self._failure)

    def _leave(self) -> None:
        self._over = self.order.state == "running"
        self._changed()

    def _disconnect(self) -> Received:
        return {"type": "lifespan.shutdown"}

    def _deliver(self, message: Sent) -> None:
        if message["type"] == "lifespan.startup.failed" or message["type"] == "lifespan.shutdown.failed":
            self._failure = message.get("message", "")
        self._see(message)


def lifespan(app: App, *, state: dict[str, object] | None = None, **options: Unpack[How]) -> LifespanClient:
    """A server's life. *state* is what the app gets; None: an empty one."""
    scope: Scope = {
        "type": "lifespan",
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "state": {} if state is None else state,
    }
    options["personality"] = Personality(repeats_disconnect=False)
    return LifespanClient(app, scope, **options)
