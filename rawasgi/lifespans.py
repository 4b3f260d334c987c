"""What lives as long as the app: opened before its first request, closed after its last."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from rawasgi.asgi import App, LifespanScope, Receive, Scope, Send
from rawasgi.errors import ServerError

Living: TypeAlias = AbstractAsyncContextManager[Mapping[str, object] | None]


def lifespan(app: App, open_: Callable[[], Living]) -> App:
    """Return *app*, living inside ``async with open_()``; what that gives is each request's ``state``.

    Receives: lifespan.startup, lifespan.shutdown. Sends: lifespan.startup.complete or .failed, then
    lifespan.shutdown.complete or .failed; a failure says its kind and text, and is raised as well.
    Spec: Lifespan, "Lifespan State".
    """

    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _run(open_(), scope, receive, send)
        else:
            await app(scope, receive, send)

    return live


async def _run(manager: Living, scope: LifespanScope, receive: Receive, send: Send) -> None:
    await _expect(receive, "lifespan.startup")
    started = asked = False
    try:
        async with manager as state:
            if state:
                _state(scope).update(state)
            started = True
            await send({"type": "lifespan.startup.complete"})
            await _expect(receive, "lifespan.shutdown")
            asked = True
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if not started:
            await send({"type": "lifespan.startup.failed", "message": text})
        elif asked:
            await send({"type": "lifespan.shutdown.failed", "message": text})
        raise
    await send({"type": "lifespan.shutdown.complete"})


def _state(scope: LifespanScope) -> dict[str, object]:
    if "state" not in scope:
        raise ServerError("the server has no lifespan state (scope['state']): keep the state in the app, and give None")
    return scope["state"]


async def _expect(receive: Receive, wanted: str) -> None:
    message = await receive()
    if message["type"] != wanted:
        raise ServerError(f"the server must send {wanted}, not {message['type']!r}")
