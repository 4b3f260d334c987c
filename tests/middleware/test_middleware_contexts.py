"""Around rawasgi a source sees the context variables and the spans that it sees in Starlette's own response."""

from typing import Any

import pytest
import stacks
import telemetry
import twins
from exchanging import disconnect, exchange, run_unwatched
from stacks import PLACES

TRACED = [
    *((place, "opentelemetry") for place in PLACES),
    ("in fastapi", "fastapi telemetry"),
]


def body_of(app: Any, path: str, method: str = "GET", body: list[bytes] | None = None, **options: Any) -> str:
    outcome = run_unwatched(exchange(app, method, path, [], body or [], **options))
    assert (outcome.status, outcome.error) == (200, "")
    return outcome.body


@pytest.mark.parametrize("place", PLACES)
def test_a_source_sees_what_a_middleware_set_and_nothing_of_its_receive(place: str) -> None:
    stack = stacks.stack(place, "variables")
    ours = body_of(stack.ours, f"{stack.prefix}/variables")
    assert ours == "set unset\n" * 3
    assert ours == body_of(stack.theirs, f"{stack.prefix}/variables", validated=False)


@pytest.mark.parametrize("place", PLACES)
def test_a_source_that_reads_the_body_sees_nothing_of_receive(place: str) -> None:
    stack = stacks.stack(place, "variables")
    assert body_of(stack.ours, f"{stack.prefix}/length", "POST", [b"a", b"b"]) == "2"
    assert twins.received.get() == "unset"


@pytest.mark.parametrize(("place", "name"), TRACED)
@pytest.mark.parametrize("path", ["/ready", "/traced"])
def test_spans_have_the_parents_that_they_have_in_starlette(place: str, name: str, path: str) -> None:
    stack = stacks.stack(place, name)
    found = []
    for app in (stack.ours, stack.theirs):
        telemetry.exporter.clear()
        body_of(app, stack.prefix + path, validated=False)
        found.append(telemetry.parents())
    ours, theirs = found
    server = next(span for span, parent in ours if not parent)
    sends = {parent for span, parent in ours if span.endswith("send")}
    ours = {pair for pair in ours if not pair[0].endswith("send")}
    theirs = {pair for pair in theirs if not pair[0].endswith("send")}
    if path == "/ready":
        for spans in (ours, theirs):  # a stream that never waits may be over before receive() is called
            spans.discard((f"{server} http receive", server))
    else:
        assert {("source", server), ("item", "source")} <= ours
    assert ours == theirs
    # What came before is sent while the source computes the next item: the span of a send may be in that of the item.
    assert sends <= {server, "source", "item"}


@pytest.mark.parametrize(("place", "name"), TRACED)
def test_the_span_of_a_request_ends_when_its_client_leaves(place: str, name: str) -> None:
    stack = stacks.stack(place, name)
    telemetry.exporter.clear()
    end = run_unwatched(disconnect(stack.ours, f"{stack.prefix}/idle", []))
    assert end.log == ("idle stopped", "idle closed")
    assert any(span.name.startswith("GET") and span.parent is None for span in telemetry.exporter.get_finished_spans())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", ["/error", "/fails"])
def test_sentry_gets_each_error_once_and_its_transaction(place: str, path: str) -> None:
    stack = stacks.stack(place, "sentry")
    found = []
    for app in (stack.ours, stack.theirs):
        stacks.envelopes.clear()
        outcome = run_unwatched(exchange(app, "GET", stack.prefix + path, [], validated=False))
        assert outcome.error == "LookupError"
        found.append([noted(item.payload.json) for envelope in stacks.envelopes for item in envelope.items])
    assert found[0] == found[1]
    assert sorted(found[0]) == ["LookupError", "transaction"]


def noted(event: Any) -> str:
    """Return the error that *event* is about, or its type; a transaction is named by Starlette's own routes only."""
    errors = event.get("exception", {}).get("values", [])
    name: str = errors[-1]["type"] if errors else event["type"]
    return name
