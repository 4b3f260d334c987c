"""Why a response ended: one value for all who ask."""

import asyncio
from enum import Enum


class Outcome(Enum):
    """Why a response ended."""

    COMPLETE = "complete"
    REPORTED = "failed, and the stream told the client so in its own format"
    DISCONNECTED = "client disconnected"
    SLOW = "slow client: a send timed out"
    DEADLINE = "deadline: DeadlineExceeded.which names it"
    DRAINED = "drained: the server is shutting down"
    FAILED_BEFORE_START = "failed before the response started"
    FAILED = "failed after the response started"
    CUT = "cut: the task was cancelled"


COMPLETE, REPORTED = Outcome.COMPLETE, Outcome.REPORTED  # a member of an Enum is slow to get on Python 3.11


def outcome_of(known: Outcome | None, error: BaseException | None, status: int | None, is_ended: bool) -> Outcome:
    """Return why a response ended, as far as its messages show it.

    *known*: what the response itself has noted, which counts first. *error*: what the app raised. *status*: that of the
    response, None if it did not start. *is_ended*: its body was sent to the end, before the client disconnected. An
    error counts more than the end: middleware ends the body of an app that failed.
    """
    if known is not None:
        return known
    if error is None:
        return Outcome.COMPLETE if is_ended else Outcome.DISCONNECTED
    if isinstance(error, asyncio.CancelledError):
        return Outcome.CUT
    is_error_response = is_ended and status is not None and status >= 500
    return Outcome.FAILED_BEFORE_START if status is None or is_error_response else Outcome.FAILED
