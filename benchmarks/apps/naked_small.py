"""Naked, with a compressor that remembers less."""

from benchmarks.apps import naked
from rawasgi.asgi import App


def compressed() -> App:
    """The chat and the silent stream in gzip: a window of 4 KiB, and tables to fit."""
    return naked.compressed(wbits=12, level=5)
