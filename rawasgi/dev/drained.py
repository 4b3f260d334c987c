"""The app that the environment names, drained: what ``rawasgi serve`` gives to a server. Importing it loads the app."""

import os

from rawasgi.asgi import Receive, Scope, Send
from rawasgi.dev.serving import APP, load
from rawasgi.shutdown import Drain

drain = Drain()
inner = load(os.environ[APP])
drained = drain(inner)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        async with drain.on_signals():  # from before the app's own lifespan until nothing is open
            await _live(scope, receive, send)
    else:
        await drained(scope, receive, send)


async def _live(scope: Scope, receive: Receive, send: Send) -> None:
    """The app's own lifespan; for an app that has none, and so raises, one that does nothing."""
    begun = False

    async def receiving() -> object:
        nonlocal begun
        begun = True
        return await receive()

    try:
        await inner(scope, receiving, send)  # type: ignore[arg-type]  # as it came
    except Exception:
        if begun:
            raise
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
