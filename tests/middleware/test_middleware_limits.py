"""What a middleware raises out of receive() reaches that middleware, and is no error of ours."""

from typing import Any

import pytest
import stacks
from exchanging import Outcome, exchange, run_unwatched
from stacks import LIMIT_BYTES, PLACES

TOO_LONG = [b"x" * (LIMIT_BYTES // 2)] * 3
LIMITS = ["body limit", "starlette body limit"]


def post(app: Any, path: str, **options: Any) -> Outcome:
    return run_unwatched(exchange(app, "POST", path, [], TOO_LONG, **options))


@pytest.mark.parametrize("sized", [True, False], ids=["with its length", "without its length"])
@pytest.mark.parametrize("path", ["/length", "/before"])
@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("place", PLACES)
def test_a_body_over_the_limit_is_refused(place: str, name: str, path: str, sized: bool) -> None:
    stack = stacks.stack(place, name)
    for app in (stack.ours, stack.theirs):
        outcome = post(app, stack.prefix + path, sized=sized)
        assert (outcome.status, outcome.error) == (413, "")
        assert "Content Too Large" in outcome.body  # FastAPI says it in JSON


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("place", ["around a router", "in fastapi"])
def test_a_body_that_gets_too_long_mid_stream_ends_the_call_with_an_error(place: str, name: str) -> None:
    """The answer has started: what is left is to raise, so that the server cuts the connection."""
    stack = stacks.stack(place, name)
    outcome = post(stack.ours, f"{stack.prefix}/during", sized=False, in_turn=True)
    assert outcome.status == 200
    assert outcome.body.startswith("started\n")
    assert outcome.error in ("HTTPException", "RuntimeError", "_RequestBodyTooLarge")
