"""``app``: the app that the environment names, drained: what ``rawasgi serve`` gives to a server."""

import os

from rawasgi.asgi import App, Receive, Received, Scope, Send
from rawasgi.dev.serving import APP, collect_less, load
from rawasgi.shutdown import Drain


def __getattr__(name: str) -> App:
    if name != "app":
        raise AttributeError(name)
    if APP not in os.environ:
        raise AttributeError(f"the environment must name the app in {APP}: run it by rawasgi serve")
    app = drained(load(os.environ[APP]))
    collect_less()
    return app


def drained(inner: App) -> App:
    """Return *inner*, which stops well when the process gets a signal."""
    drain = Drain()
    outer = drain(inner)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with drain.on_signals():  # from before the app's own lifespan until nothing is open
                await _live(inner, scope, receive, send)
        else:
            await outer(scope, receive, send)

    return app


async def _live(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    """The app's own lifespan; for an app that has none, and so raises, one that does nothing."""
    begun = False

    async def receiving() -> Received:
        nonlocal begun
        begun = True
        return await receive()

    try:
        await inner(scope, receiving, send)
    except Exception:
        if begun:
            raise
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
