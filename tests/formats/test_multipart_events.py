"""The events of a multipart body: the same as its parts, as early as they can be, in bounded memory and linear time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.formats.endings import CutOff
from rawasgi.formats.limits import TooLarge
from rawasgi.formats.multipart_events import Event, NotMultipart, Parser

HEAD = b"--b\r\nX-A: 1\r\n\r\n"
HEADERS = ((b"x-a", b"1"),)


def joined(events: list[Event]) -> list[Event]:
    """With the pieces of each body in one."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += event
        else:
            found.append(event)
    return found


def test_each_byte_comes_as_soon_as_it_cannot_be_of_a_delimiter() -> None:
    parser = Parser("b")
    assert parser.feed(HEAD[:-1]) == []
    assert parser.feed(HEAD[-1:]) == [HEADERS]
    assert parser.feed(b"one") == [b"one"]
    assert parser.feed(b"two\r") == [b"two"]
    assert parser.feed(b"\n--") == []
    assert parser.feed(b"a\r\r\n-") == [b"\r\n--a\r"]
    assert parser.feed(b"-b") == [None]
    assert not parser.is_complete
    assert parser.feed(b"--ignored") == []
    assert parser.is_complete
    parser.end()


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (HEAD + b"\r\n--b--", [HEADERS, None]),
        (b"--b\r\nX-A: 1\r\n\r\n--b--", [HEADERS, None]),
        (b"--b\r\nX-A: 1\r\n--b--", [HEADERS, None]),
        (b"--b\r\n\r\n--b--", [(), None]),
        (b"--b\r\n\r\n\r\n--b--", [(), None]),
        (b"--b\r\n\r\n1\r\n--b--", [(), b"1", None]),
        (b"--b\r\n\r\n\r\n\r\n--b--", [(), b"\r\n", None]),
    ],
)
def test_a_part_may_lack_headers_or_a_body(body: bytes, events: list[Event]) -> None:
    for size in (1, 2, 3, 100):
        parser = Parser("b")
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        assert joined([event for chunk in chunks for event in parser.feed(chunk)]) == events
        parser.end()


@given(st.text("-b\r\n: ", max_size=30), st.lists(st.integers(0, 1000), max_size=8))
def test_the_events_of_any_stream_are_the_same_however_it_is_cut(text: str, places: list[int]) -> None:
    def read(chunks: list[bytes]) -> tuple[list[Event], str]:
        parser = Parser("b", limit_bytes=6)
        events: list[Event] = []
        try:
            for chunk in chunks:
                events += parser.feed(chunk)
            parser.end()
        except (NotMultipart, TooLarge, CutOff) as error:
            return joined([*events, *error.items]), type(error).__name__  # type: ignore[list-item]
        return joined(events), ""

    stream = b"--b\r\n" + text.encode()
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    pieces = [stream[start:stop] for start, stop in pairwise(edges)]
    assert read([stream]) == read([bytes([byte]) for byte in stream]) == read(pieces)


@pytest.mark.parametrize("piece", [b"x", b"\r", b"\r\n", b"\r\n--", b"\r\n--boundar", b"\r\n--boundary\r\n\r\n"])
def test_no_more_is_kept_than_may_begin_a_delimiter(piece: bytes) -> None:
    parser = Parser("boundary")
    parser.feed(b"--boundary\r\n\r\n")
    for _ in range(1_000):
        parser.feed(piece)
        assert len(parser._rest) < len("\r\n--boundary\r\n")


class Counting(bytearray):
    """Counts its operations, and the bytes that they look at or copy."""

    operations = 0

    def find(self, wanted: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        at = super().find(wanted, start, end)
        self.operations += 1 + (len(self) if at < 0 else at + len(wanted)) - start
        return at

    def rfind(self, wanted: bytes, start: int = 0) -> int:  # type: ignore[override]
        self.operations += 1 + len(self) - start
        return super().rfind(wanted, start)

    def startswith(self, prefix: bytes) -> bool:  # type: ignore[override]
        self.operations += 1 + len(prefix)
        return super().startswith(prefix)

    def __getitem__(self, place: slice) -> bytearray:  # type: ignore[override]
        found = super().__getitem__(place)
        self.operations += 1 + len(found)
        return found

    def __delitem__(self, place: slice) -> None:  # type: ignore[override]
        self.operations += 1  # from the front, which moves no byte
        super().__delitem__(place)


@pytest.mark.parametrize("start", [b"", b"--b\r\n", b"--b\r\n\r\n"])
@pytest.mark.parametrize("piece", [b"x", b" ", b"\r", b"\r\n", b"\r\n-", b"\r\n--", b"\r\n--b\r\n\r\n", b"x: 1\r\n"])
def test_each_byte_is_looked_at_a_few_times_however_many_there_are(start: bytes, piece: bytes) -> None:
    def operations(*chunks: bytes) -> int:
        parser = Parser("b", 10_000_000)
        rest = parser._rest = Counting(parser._rest)
        try:
            for chunk in chunks:
                parser.feed(chunk)
        except NotMultipart:  # at once
            pass
        assert parser._rest is rest
        return rest.operations

    size = 10_000
    assert operations(start, *[piece] * size) < 30 * size * len(piece)
    assert operations(start + piece * size + b"\r\n--b--") < 30 * size * len(piece)
