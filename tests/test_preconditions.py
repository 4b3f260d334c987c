"""Conditional requests (RFC 9110, 13)."""

import pytest
from cost import growth

from rawasgi.preconditions import check, http_date, is_same, parse_date

TAG, WEAK = b'"abc"', b'W/"abc"'
THEN = 784_111_777
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE, AFTER = http_date(THEN - 1), http_date(THEN + 1)


@pytest.mark.parametrize(
    "text", [DATE, b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"], ids=["IMF", "RFC 850", "asctime"]
)
def test_the_three_forms_of_a_date_are_read_5_6_7(text: bytes) -> None:
    assert parse_date(text) == THEN


def test_a_date_is_written_as_an_IMF_fixdate_5_6_7() -> None:
    assert http_date(THEN) == DATE
    assert parse_date(b"Sat, 31 Dec 2016 23:59:60 GMT") == parse_date(b"Sat, 31 Dec 2016 23:59:59 GMT")


@pytest.mark.parametrize(
    "text",
    [
        *[b"", b"yesterday", b"784111777", b"Sun, 06 Nov 1994 08:49:37", b"Sun, 06 Nov 1994 08:49:37 +0000"],
        *[b"Sun, 31 Feb 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 25:00:00 GMT", b"sun, 06 nov 1994 08:49:37 gmt"],
        *[b"Sun, 6 Nov 1994 08:49:37 GMT", DATE + b" ", DATE + b"\n"],
    ],
)
def test_nothing_else_is_a_date(text: bytes) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    ("listed", "status"),
    [
        (TAG, 304),
        (WEAK, 304),  # compared weakly
        (b"*", 304),
        (b'"x", "abc"', 304),
        (b'"x","abc" , "y"', 304),
        (b'"a,b", "abc"', 304),  # a comma is legal inside
        (b'"ab"', 200),
        (b"abc", 200),
        (b'"x" "abc"', 200),
        (b'w/"abc"', 200),  # W is in capitals
        (b'*, "x"', 200),
        (b"", 200),
    ],
)
def test_if_none_match_13_1_2(listed: bytes, status: int) -> None:
    assert check([(b"if-none-match", listed)], TAG, THEN) == status
    assert check([(b"If-None-Match", listed)], WEAK, THEN) == status


def test_several_lines_of_tags_are_one_list_5_3() -> None:
    assert check([(b"if-none-match", b'"x"'), (b"if-none-match", TAG)], TAG, THEN) == 304


@pytest.mark.parametrize(
    ("listed", "status"), [(TAG, 200), (b'"x", "abc"', 200), (b"*", 200), (WEAK, 412), (b'"x"', 412)]
)
def test_if_match_13_1_1(listed: bytes, status: int) -> None:
    assert check([(b"if-match", listed)], TAG, THEN) == status


def test_a_weak_tag_never_matches_strongly_8_8_3_2() -> None:
    assert check([(b"if-match", WEAK)], WEAK, THEN) == 412
    assert check([(b"if-match", TAG)], None, THEN) == 412


@pytest.mark.parametrize(("since", "status"), [(BEFORE, 200), (DATE, 304), (AFTER, 304), (b"rubbish", 200)])
def test_if_modified_since_13_1_3(since: bytes, status: int) -> None:
    assert check([(b"if-modified-since", since)], TAG, THEN) == status
    assert check([(b"if-modified-since", since)], TAG, None) == 200


@pytest.mark.parametrize(("since", "status"), [(BEFORE, 412), (DATE, 200), (AFTER, 200), (b"rubbish", 200)])
def test_if_unmodified_since_13_1_4(since: bytes, status: int) -> None:
    assert check([(b"if-unmodified-since", since)], TAG, THEN) == status
    assert check([(b"if-unmodified-since", since)], TAG, None) == 200


def test_a_date_that_is_given_twice_is_none() -> None:
    assert check([(b"if-modified-since", DATE), (b"if-modified-since", DATE)], TAG, THEN) == 200


def test_the_order_of_precedence_13_2_2() -> None:
    assert check([(b"if-match", TAG), (b"if-unmodified-since", BEFORE)], TAG, THEN) == 200  # the tag goes first
    assert check([(b"if-none-match", b'"x"'), (b"if-modified-since", AFTER)], TAG, THEN) == 200
    assert check([(b"if-match", b'"x"'), (b"if-none-match", TAG)], TAG, THEN) == 412
    assert check([(b"if-match", TAG), (b"if-none-match", TAG)], TAG, THEN) == 304


@pytest.mark.parametrize(
    ("named", "same"),
    [(TAG, True), (b'"x"', False), (WEAK, False), (DATE, True), (AFTER, False), (BEFORE, False), (b"abc", False)],
)
def test_if_range_13_1_5(named: bytes, same: bool) -> None:
    assert is_same([(b"if-range", named)], TAG, THEN, THEN + 60) is same


def test_if_range_takes_no_weak_validator() -> None:
    assert not is_same([(b"if-range", WEAK)], WEAK, THEN, THEN + 60)
    assert not is_same([(b"if-range", DATE)], TAG, THEN, THEN + 0.5)  # it may change once more in this second (8.8.2.2)
    assert not is_same([(b"if-range", DATE)], TAG, None, THEN + 60)
    assert is_same([], None, None, THEN)


@pytest.mark.parametrize("filling", [b",", b'"a",', b'"', b" ", b'W/"x" '])
def test_the_work_is_linear_whatever_the_header_holds(filling: bytes) -> None:
    assert (
        growth(lambda size: check([(b"if-none-match", filling * (size // len(filling)))], TAG, 1), 4_000, 64_000) < 64
    )
