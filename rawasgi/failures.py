"""A stream that fails after it began tells its client, in its own format and in words that are safe."""

import logging
import secrets
from collections.abc import AsyncIterable, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any, TypeVar

from rawasgi import streams
from rawasgi.errors import Disconnected, HTTPError
from rawasgi.formats.endings import Done, Failure
from rawasgi.streams import DeadlineExceeded, Stream, TooManyThreads

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("rawasgi")

_AGAIN = frozenset({408, 429, 503, 504})  # statuses that may pass (RFC 9110, 15.5.9, 15.6.4, 15.6.5; RFC 6585, 4)
_LATE = {
    "first": "the first item took too long",
    "idle": "the next item took too long",
    "total": "the stream took too long in total",
}


class Told(Stream[T]):
    """What ``told`` returns."""

    __slots__ = ("_failed", "_source")

    def __init__(self, source: AsyncIterable[Any], failed: Callable[[Exception], Failure]) -> None:
        concluded: Stream[Any] = streams.conclude(source, Done, failed)
        super().__init__(concluded, concluded)
        self._source = source
        self._failed = failed

    def encoded(self, encode: Callable[[Any], bytes], end: Callable[[], bytes] = bytes) -> Stream[bytes]:
        """Return what *encode* makes of each item, of the last one with *end()* after it. Read it instead of this.

        If *encode* raises, the source has failed, and is closed at once.
        """
        return streams.conclude(
            self._source,
            lambda count: encode(Done(count)) + end(),
            lambda error: encode(self._failed(error)) + end(),
            encode,
        )


def told(
    source: AsyncIterable[T], known: Callable[[Exception], Failure | None] = lambda error: None
) -> "Told[T | Done | Failure]":
    """Yield from *source*, then a Done, or a Failure if it failed; every format of ``respond`` has a frame for both.

    *known(error)* may return the Failure for an error that is the client's business; else ``failure_from`` decides. A
    Failure of *known* without an id gets one, under which the log has the error. One that has an id is sent as it is,
    and nothing is logged.

    An error before the first item and the first wait is raised: it is still an answer of its own. So is a later one
    while the start of the response waits for the first item (``max_start_delay``), and so is Disconnected: there is
    nobody to tell. What is told already stays as it is. If this stream itself is given to ``respond``, an item that the
    format cannot encode is a failure of *source* as well. Order, Reads ahead, Closes: as ``streams.conclude``.
    """

    def failed(error: Exception) -> Failure:
        if isinstance(error, Disconnected):
            raise error
        failure = known(error)
        if failure is None:
            return failure_from(error)
        return failure if failure.id is not None else _logged(failure, error)

    return source if isinstance(source, Told) else Told(source, failed)


def failure_from(error: Exception) -> Failure:
    """Return what a client may know of *error*; each has an id, under which the log (``rawasgi``) has the rest.

    An HTTPError is meant for the client; of a TimeoutError it may know which deadline it was. TooManyThreads and all
    else tell nothing of us. Logged: an HTTPError below 500 and TooManyThreads as a warning in one line, all else as an
    error with its traceback.
    """
    if isinstance(error, HTTPError):
        phrase = HTTPStatus(error.status).phrase if error.status in HTTPStatus._value2member_map_ else "error"
        failure = Failure(phrase.lower().replace(" ", "_"), error.text or phrase, retry=error.status in _AGAIN)
        return _logged(failure, error, with_traceback=error.status >= 500)
    if isinstance(error, TooManyThreads):
        return _logged(Failure("busy", "too many streams at once: ask again later", retry=True), error)
    if isinstance(error, TimeoutError):
        late = _LATE[error.which] if isinstance(error, DeadlineExceeded) else "the source took too long"
        return _logged(Failure("timeout", late, retry=True), error, with_traceback=True)
    return _logged(Failure(), error, with_traceback=True)


def _logged(failure: Failure, error: Exception, *, with_traceback: bool = False) -> Failure:
    """Return *failure* with a new id, and log *error* under it."""
    failure = replace(failure, id=secrets.token_hex(8))
    if with_traceback:
        logger.error("stream failed, id %s", failure.id, exc_info=error)
    else:
        logger.warning("stream failed, id %s: %r", failure.id, error)
    return failure
