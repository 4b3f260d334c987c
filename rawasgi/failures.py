"""A stream that fails after it began tells its client, in its own format and in words that are safe."""

import logging
import secrets
from collections.abc import AsyncIterable, Callable
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

    *known(error)* may return the Failure for an error that is the client's business; else ``failure_from`` decides. An
    error before the first item and the first wait is raised: it is still an answer of its own. So is Disconnected:
    there is nobody to tell. What is told already stays as it is. If this stream itself is given to ``respond``, an item
    that the format cannot encode is a failure of *source* as well.
    Order, Reads ahead, Closes: as ``streams.conclude``.
    """

    def failed(error: Exception) -> Failure:
        if isinstance(error, Disconnected):
            raise error
        return known(error) or failure_from(error)

    return source if isinstance(source, Told) else Told(source, failed)


def failure_from(error: Exception) -> Failure:
    """Return what a client may know of *error*.

    An HTTPError is meant for it; a TimeoutError, also which deadline it was, and TooManyThreads tell nothing of us. Of
    all else it gets an id, under which the log (``rawasgi``, with the traceback) has the rest.
    """
    if isinstance(error, HTTPError):
        phrase = HTTPStatus(error.status).phrase if error.status in HTTPStatus._value2member_map_ else "error"
        return Failure(phrase.lower().replace(" ", "_"), error.text or phrase, retry=error.status in _AGAIN)
    if isinstance(error, TooManyThreads):
        logger.warning("%s", error)
        return Failure("busy", "too many streams at once: ask again later", retry=True)
    late = _LATE[error.which] if isinstance(error, DeadlineExceeded) else "the source took too long"
    known = Failure("timeout", late, secrets.token_hex(8), retry=True)
    told = known if isinstance(error, TimeoutError) else Failure(id=secrets.token_hex(8))
    logger.error("stream failed, id %s", told.id, exc_info=error)
    return told
