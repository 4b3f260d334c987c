"""``app``: the app that the environment names, drained: what ``rawasgi serve`` gives to a server."""

import os

from rawasgi.asgi import App
from rawasgi.dev.serving import APP, collect_less, load
from rawasgi.lifespans import lifespan
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
    return lifespan(drain(inner), drain.on_signals)
