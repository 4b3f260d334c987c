"""Which bytes a Range header asks for (RFC 9110, 14)."""

import pytest
from cost import growth
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.ranges import content_range, parse, unsatisfied

SIZE = 50


@pytest.mark.parametrize(
    ("header", "slices"),
    [
        (b"bytes=0-9", [(0, 10)]),
        (b"bytes=0-0", [(0, 1)]),
        (b"bytes=10-", [(10, 50)]),
        (b"bytes=-10", [(40, 50)]),
        (b"bytes=-99", [(0, 50)]),
        (b"bytes=40-99", [(40, 50)]),
        (b"bytes=0-99999999999999999999999999", [(0, 50)]),
        (b"bytes=-" + b"9" * 5000, [(0, 50)]),
        (b"bytes=00000000000000000000000000001-2", [(1, 3)]),
        (b"BYTES=1-2", [(1, 3)]),  # a range unit is case-insensitive (14.1)
        (b"bytes= 1-2 ,\t4-5", [(1, 3), (4, 6)]),
        (b"bytes=,1-2,,4-5,", [(1, 3), (4, 6)]),  # empty list elements (5.6.1.2)
    ],
)
def test_ranges_are_read_as_14_1_2_has_them(header: bytes, slices: list[tuple[int, int]]) -> None:
    assert parse(header, SIZE) == slices


@pytest.mark.parametrize(
    "header",
    [
        *[b"", b"bytes", b"bytes=", b"bytes=,", b"bytes=-", b"bytes=a-b", b"bytes=1-2x", b"bytes=--5", b"bytes=1--2"],
        *[b"items=0-9", b"bytes 0-9", b"bytes=5-4", b"bytes=0-9,5-4", b"bytes=0x1-2", b"bytes=1_0-2_0", b"bytes=+1-+2"],
        *[b"bytes=1.0-2", b"bytes=1 -2", "bytes=\u0661-\u0662".encode(), b"bytes=0-1;2-3", b"bytes=0-1=", b"=0-1"],
    ],
)
def test_what_is_malformed_or_another_unit_is_ignored_as_14_2_says(header: bytes) -> None:
    assert parse(header, SIZE) is None


@pytest.mark.parametrize("header", [b"bytes=50-", b"bytes=99-100", b"bytes=-0", b"bytes=50-60,-0,70-"])
def test_what_lies_past_the_end_cannot_be_satisfied(header: bytes) -> None:
    assert parse(header, SIZE) == []


def test_what_can_be_satisfied_of_several_is() -> None:
    assert parse(b"bytes=0-4,90-99", SIZE) == [(0, 5)]


def test_of_an_empty_body_no_byte_can_be_had_and_its_end_cannot_be_said() -> None:
    assert parse(b"bytes=0-", 0) == []
    assert parse(b"bytes=-5", 0) is None


@pytest.mark.parametrize(
    ("header", "slices"),
    [
        (b"bytes=0-4,3-9", [(0, 10)]),  # they overlap
        (b"bytes=0-4,5-9", [(0, 10)]),  # they touch
        (b"bytes=20-29,0-9", [(20, 30), (0, 10)]),  # as asked
        (b"bytes=20-29,0-9,25-34", [(20, 35), (0, 10)]),  # where the first of it stood
        (b"bytes=30-39,0-9,5-14,35-", [(30, 50), (0, 15)]),
    ],
)
def test_what_overlaps_is_sent_once_in_the_order_asked(header: bytes, slices: list[tuple[int, int]]) -> None:
    assert parse(header, SIZE) == slices


def test_more_than_a_hundred_ranges_are_ignored() -> None:
    many = [b"%d-%d" % (3 * n, 3 * n) for n in range(101)]
    assert len(parse(b"bytes=" + b",".join(many[:100]), 1000) or ()) == 100
    assert parse(b"bytes=" + b",".join(many), 1000) is None
    assert parse(b"bytes=0-1" + b"," * 500, 1000) is None


def test_CVE_2011_3192_and_CVE_2025_62727_a_hundred_whole_copies_are_one() -> None:
    assert parse(b"bytes=" + b",".join([b"0-"] * 100), SIZE) == [(0, SIZE)]


@pytest.mark.parametrize("filling", [b",", b"0-1,", b"9", b" ", b"-", b"1-,-1,"])
def test_the_work_is_linear_whatever_the_header_holds(filling: bytes) -> None:
    assert growth(lambda size: parse(b"bytes=1" + filling * (size // len(filling)), SIZE), 4_000, 64_000) < 64


specs = st.one_of(
    st.builds(lambda a, b: (a, b), st.integers(0, 60), st.integers(0, 60)),
    st.builds(lambda a: (a, None), st.integers(0, 60)),
    st.builds(lambda b: (None, b), st.integers(0, 60)),
)


@given(st.lists(specs, min_size=1, max_size=8), st.integers(0, 50))
def test_the_bytes_are_those_that_each_range_means(wanted: list[tuple[int | None, int | None]], size: int) -> None:
    """Against the plain reading of 14.1.2, byte by byte."""
    header = b"bytes=" + ",".join(f"{'' if a is None else a}-{'' if b is None else b}" for a, b in wanted).encode()
    got = parse(header, size)
    if any(a is not None and b is not None and b < a for a, b in wanted):
        assert got is None
        return
    if got is None:
        assert size == 0
        return
    bytes_wanted: set[int] = set()
    for a, b in wanted:
        if a is None:
            assert b is not None
            bytes_wanted |= set(range(size)[max(0, size - b) :])
        else:
            bytes_wanted |= set(range(a, size if b is None else min(b + 1, size)))
    covered = [place for start, stop in got for place in range(start, stop)]
    assert len(covered) == len(set(covered)), "nothing twice"
    assert set(covered) == bytes_wanted


def test_what_is_said_of_a_part() -> None:
    assert content_range((0, 5), 10) == b"bytes 0-4/10"
    assert unsatisfied(10) == b"bytes */10"
