"""Range requests: which bytes of how many. Pure arithmetic.

Spec: RFC 9110, 14.1.2 "Byte Ranges", 14.2 "Range", 14.4 "Content-Range".
"""

import re
from typing import TypeAlias

Slice: TypeAlias = tuple[int, int]  # start and stop, as Python's own: stop is not in it

_MOST = 100  # more ranges than this are nobody who reads, but somebody who tries what we bear (14.2)
_SPEC = re.compile(rb"[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*")
_DIGITS = 18  # more say more than any file has; int() itself takes time for thousands


def parse(header: bytes, size: int) -> list[Slice] | None:
    """Return the slices of *size* bytes that a Range *header* asks for, or None if the header is to be ignored.

    In the order asked; what overlaps or touches is one, where the first of it stood. A list without elements: nothing
    of it can be satisfied (416). Ignored: another unit than bytes, one malformed spec, more than 100 specs, and the end
    of an empty body, which Content-Range cannot say.
    """
    unit, equals, specs = header.partition(b"=")
    if unit.strip(b" \t").lower() != b"bytes" or not equals or specs.count(b",") >= 2 * _MOST:
        return None
    elements = [spec for spec in specs.split(b",") if spec.strip(b" \t")]  # empty ones are legal (5.6.1.2)
    if not elements or len(elements) > _MOST:
        return None
    slices: list[Slice] = []
    for element in elements:
        found = _SPEC.fullmatch(element)
        if found is None:
            return None
        first, last, suffix = found.groups()
        if suffix is not None:
            count = _number(suffix)
            if count and not size:
                return None
            start, stop = max(size - count, 0), size
        else:
            start = _number(first)
            stop = min(_number(last) + 1, size) if last else size
            if last and _number(last) < start:
                return None
        if start < stop:
            slices.append((start, stop))
    return _merged(slices)


def _number(digits: bytes) -> int:
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= _DIGITS else 10**_DIGITS


def _merged(slices: list[Slice]) -> list[Slice]:
    groups: list[tuple[int, int, int]] = []  # where the first of it stood, start, stop
    for start, stop, place in sorted((start, stop, place) for place, (start, stop) in enumerate(slices)):
        if groups and start <= groups[-1][2]:
            earlier, begin, end = groups[-1]
            groups[-1] = min(earlier, place), begin, max(end, stop)
        else:
            groups.append((place, start, stop))
    return [(start, stop) for _, start, stop in sorted(groups)]


def content_range(part: Slice, size: int) -> bytes:
    """Return the Content-Range of a 206 (RFC 9110, 14.4)."""
    return b"bytes %d-%d/%d" % (part[0], part[1] - 1, size)


def unsatisfied(size: int) -> bytes:
    """Return the Content-Range of a 416 (RFC 9110, 14.4)."""
    return b"bytes */%d" % size
