"""Around rawasgi each middleware leaves the bytes as they are, and each item comes when it is there."""

from typing import Any

import clock
import pytest
import stacks
import twins
from exchanging import NOTHING, Outcome, exchange, run_unwatched
from stacks import ROWS, STACKS, Stack

CHUNKS = [b"one", b"two", b"three"]
ERROR = "LookupError"

# (method, path): the request's body, and what the client gets: status, body, what the call of the app raises
EXCHANGES: dict[tuple[str, str], tuple[list[bytes], tuple[int, object, str]]] = {
    ("GET", "/json"): (NOTHING, (200, '{"a":1}', "")),
    ("GET", "/large"): (NOTHING, (200, twins.LARGE, "")),
    ("GET", "/ready"): (NOTHING, (200, "0\n1\n2\n3\n4\n", "")),
    ("HEAD", "/ready"): (NOTHING, (200, "", "")),
    ("GET", "/many"): (NOTHING, (200, "".join(f"{number}" * 500 + "\n" for number in range(100)), "")),
    ("GET", "/paced"): (NOTHING, (200, {0: "0\n", 1: "1\n", 2: "2\n", 3: "3\n"}, "")),
    ("GET", "/nothing"): (NOTHING, (200, "", "")),
    ("GET", "/fails"): (NOTHING, (200, {0: "first\n"}, ERROR)),
    ("GET", "/error"): (NOTHING, (500, "Internal Server Error", ERROR)),
    ("GET", "/nowhere"): (NOTHING, (404, "Not Found", "")),
    ("GET", "/file"): (NOTHING, (200, twins.FILE.read_text(), "")),
    ("POST", "/length"): (CHUNKS, (200, "11", "")),
    ("POST", "/before"): (CHUNKS, (200, {0: "11\n", 1: "end\n"}, "")),
    ("POST", "/during"): (CHUNKS, (200, "started\none\ntwo\nthree\n", "")),
}

START_AGAIN = "SlowAPIASGIMiddleware sends http.response.start again with each http.response.body"
TWO_READERS = "Starlette's Request calls receive() itself, beside the response that waits for the disconnect"


def exception(place: str, name: str, path: str) -> str:
    """Why the client gets something else there, also of Starlette's own response; "" if there is no reason."""
    if name == "slowapi asgi" and place != "in fastapi" and path in ("/many", "/paced", "/before", "/during"):
        return START_AGAIN
    if place == "familiar" and path == "/during" and not ROWS[name].reads_body:
        return TWO_READERS
    return ""


def as_seen(outcome: Outcome, expected: tuple[int, object, str]) -> tuple[int, object, str]:
    return outcome.status, outcome.arrivals if isinstance(expected[1], dict) else outcome.body, outcome.error


async def outcomes(stack: Stack, app: Any, row: stacks.Row, validated: bool) -> dict[str, tuple[int, object, str]]:
    found = {}
    for (method, path), (body, expected) in EXCHANGES.items():
        before = clock.now()
        in_turn = path == "/during" and not row.reads_body
        outcome = await exchange(app, method, stack.prefix + path, row.headers, body, in_turn, validated=validated)
        outcome.pieces = [(when - before, text) for when, text in outcome.pieces]
        found[f"{method} {path}"] = as_seen(outcome, expected)
    return found


@pytest.mark.parametrize(("place", "name"), STACKS)
def test_same_bytes_at_the_same_time(place: str, name: str) -> None:
    row, stack = ROWS[name], stacks.stack(place, name)
    wanted = {f"{method} {path}": expected for (method, path), (_, expected) in EXCHANGES.items()}
    if row.reads_body:
        wanted["POST /during"] = (200, "started\nonetwothree\n", "")  # it comes as one chunk
    found = run_unwatched(outcomes(stack, stack.ours, row, True))
    different = {key for key in wanted if found[key] != wanted[key]}
    excepted = {f"{method} {path}" for method, path in EXCHANGES if exception(place, name, path)}
    assert {key: found[key] for key in different - excepted} == {key: wanted[key] for key in different - excepted}
    assert not excepted - different, "it works: the exception is no longer needed"
    if excepted:
        theirs = run_unwatched(outcomes(stack, stack.theirs, row, False))
        assert not {key for key in excepted if theirs[key] == wanted[key]}, "Starlette's own response gets through"


@pytest.mark.parametrize(("place", "name"), STACKS)
def test_headers_stay_and_the_middleware_adds_its_own(place: str, name: str) -> None:
    row, stack, bare = ROWS[name], stacks.stack(place, name), stacks.stack(place, "none")
    changed = {"content-length", "content-encoding", "vary"} if row.adds == "content-encoding" else {"vary"}

    async def script() -> None:
        for path in ("/json", "/ready", "/paced", "/file", "/nowhere"):
            with_it = (await exchange(stack.ours, "GET", stack.prefix + path, row.headers)).headers
            without = (await exchange(bare.ours, "GET", bare.prefix + path, [])).headers
            assert {key: with_it.get(key) for key in without.keys() - changed} == {
                key: without[key] for key in without.keys() - changed
            }
            assert not row.adds or row.adds in with_it or path == "/file"  # starlette-compress leaves its type out

    run_unwatched(script())


@pytest.mark.parametrize(("place", "name"), STACKS)
def test_a_file_by_pathsend(place: str, name: str) -> None:
    row, stack = ROWS[name], stacks.stack(place, name)
    options: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}, "validated": False}
    ours, theirs = (
        run_unwatched(exchange(app, "GET", f"{stack.prefix}/file", row.headers, **options))
        for app in (stack.ours, stack.theirs)
    )
    if name == "brotli-asgi" or (name == "slowapi asgi" and place != "in fastapi"):  # they drop what they do not know
        assert (ours.body, theirs.body) == ("", "")
    else:
        assert (ours.status, ours.body, ours.error) == (200, twins.FILE.read_text(), "")
