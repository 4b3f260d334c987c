"""Around rawasgi each middleware lets a disconnect through: the source is closed at once, before the call returns."""

from typing import Any

import pytest
import stacks
from exchanging import End, disconnect, run_unwatched
from stacks import ROWS, STACKS

SOURCES = ["idle", "silent", "ticking", "hot"]


CUT = "send() raises, from 2.4 on: two task groups cancel the app anew in each iteration, its clean-up too"
START_AGAIN = "SlowAPIASGIMiddleware sends http.response.start again with each http.response.body"


def exception(place: str, name: str, source: str, spec_version: str) -> str:
    """Why the source is not closed in time there, nor Starlette's own; "" if there is no reason."""
    if name == "slowapi asgi" and place != "in fastapi" and source in ("ticking", "hot"):
        return START_AGAIN
    blocked = source in ("silent", "ticking")  # its start or its next item waits in send()
    return CUT if blocked and spec_version == "2.4" and name == "starlette base twice" else ""


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("place", "name"), STACKS)
def test_a_disconnect_closes_the_source_at_once(place: str, name: str, source: str, spec_version: str) -> None:
    row, stack = ROWS[name], stacks.stack(place, name)
    path = f"{stack.prefix}/{source}"
    end = run_unwatched(disconnect(stack.ours, path, row.headers, spec_version=spec_version))
    wanted = End((f"{source} stopped", f"{source} closed"), True, 0.0)
    if not exception(place, name, source, spec_version):
        assert end == wanted
    else:
        assert end != wanted, "it works: the exception is no longer needed"
        options: dict[str, Any] = {"spec_version": spec_version, "validated": False}
        theirs = run_unwatched(disconnect(stack.theirs, path, row.headers, **options))
        assert theirs != wanted
        assert end.log[: len(theirs.log)] == theirs.log, "Starlette's own comes further"
