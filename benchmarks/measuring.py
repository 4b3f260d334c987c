"""From what a client took to figures: of one piece, or a second; and what the server's processor had to do for it."""

import json
from collections.abc import Callable

from benchmarks.clients import Answer, Taken
from benchmarks.question import Figure, Sample, Turn
from benchmarks.serving import Served
from rawasgi.formats import sse


def costs(unit: str) -> tuple[Figure, ...]:
    """The figures that cost() measures."""
    return Figure(f"us {_a(unit)}"), Figure(f"server, us {_a(unit)}")


def rates(unit: str) -> tuple[Figure, ...]:
    """The figures that rate() measures."""
    return Figure(f"{unit}s a second", more=True), Figure(f"server, us {_a(unit)}")


def _a(unit: str) -> str:
    return f"an {unit}" if unit[0] in "aeiou" else f"a {unit}"


def cost(turn: Turn, work: Callable[[], Taken]) -> Sample:
    """Return microseconds for one, and of the server's processor."""
    taken, processor = with_processor(turn.served, work)
    return taken.seconds / taken.count * 1e6, processor


def rate(turn: Turn, work: Callable[[], Taken]) -> Sample:
    """Return how many a second, and microseconds of the server's processor for one."""
    taken, processor = with_processor(turn.served, work)
    return taken.count / taken.seconds, processor


def with_processor(served: Served, work: Callable[[], Taken]) -> tuple[Taken, float | None]:
    """Return what *work* took, and microseconds of the server's processor for one."""
    before = served.processor_seconds()
    taken = work()
    after = served.processor_seconds()
    return taken, None if before is None or after is None else (after - before) / taken.count * 1e6


# What is compared, where the framing may differ


def events(answer: Answer) -> object:
    """The JSON of each event; a heartbeat, CRLF or LF, spaces and escapes in JSON are each app's own."""
    decoded = sse.Decoder().feed(answer.body)
    return answer.status, [(event.event, json.loads(event.data or "null")) for event in decoded]


def lines(answer: Answer) -> object:
    """The JSON of each line: spaces, escapes and the media type are each app's own."""
    return answer.status, [json.loads(line) for line in answer.body.splitlines()]


def value(answer: Answer) -> object:
    """Media type and JSON: spaces, escapes and a newline at the end are each app's own."""
    return answer.status, answer.media_type, json.loads(answer.body)
