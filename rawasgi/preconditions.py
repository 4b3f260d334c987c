"""Conditional requests: whether the client has what it asks for, and whether it is still what the client thinks.

Spec: RFC 9110, 13 "Conditional Requests", 8.8 "Validator Fields", 5.6.7 "Date/Time Formats".
"""

import re
from datetime import UTC, datetime
from email.utils import formatdate, parsedate
from typing import Literal

from rawasgi import headers as fields
from rawasgi.asgi import Headers

_TAG = re.compile(rb'[ \t,]*(W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|\Z)')
ENTITY_TAG = re.compile(rb'(W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_DAY, _MONTH = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = rb"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_DATE = re.compile(
    rb"%(day)s, [0-9]{2} %(month)s [0-9]{4} %(time)s GMT"  # IMF-fixdate
    rb"|[MTWFS][a-z]{2,5}day, [0-9]{2}-%(month)s-[0-9]{2} %(time)s GMT"  # RFC 850
    rb"|%(day)s %(month)s [ 0-9][0-9] %(time)s [0-9]{4}" % {b"day": _DAY, b"month": _MONTH, b"time": _TIME}  # asctime
)


def check(headers: Headers, tag: bytes | None, modified: int | None) -> Literal[200, 304, 412]:
    """Return what the preconditions of a GET or HEAD make of a representation: 200 to go on, 304 or 412.

    *tag*: its entity tag, with quotes; *modified*: seconds since the epoch; None for what it does not have. In the
    order of RFC 9110, 13.2.2; what is malformed is no precondition.
    """
    if (wanted := fields.joined(headers, b"if-match")) is not None:
        if not _matches(wanted, tag, strongly=True):  # 13.1.1
            return 412
    elif (since := _date(headers, b"if-unmodified-since")) is not None and modified is not None and modified > since:
        return 412  # 13.1.4
    if (known := fields.joined(headers, b"if-none-match")) is not None:
        if _matches(known, tag, strongly=False):  # 13.1.2
            return 304
    elif (since := _date(headers, b"if-modified-since")) is not None and modified is not None and modified <= since:
        return 304  # 13.1.3
    return 200


def is_same(headers: Headers, tag: bytes | None, modified: int | None, now: float) -> bool:
    """Return whether If-Range lets the Range count: it names what we have, by a strong validator, or it is not there.

    A date is strong only if what it names was older than its second when we are asked, at *now* (RFC 9110, 8.8.2.2).
    Spec: RFC 9110, 13.1.5.
    """
    named = fields.get(headers, b"if-range")
    if named is None:
        return True
    named = named.strip(b" \t")
    if named.endswith(b'"'):
        return named == tag and not named.startswith(b"W/")
    return modified is not None and parse_date(named) == modified and now - modified >= 1


def http_date(seconds: int) -> bytes:
    """Return *seconds* since the epoch as an IMF-fixdate (RFC 9110, 5.6.7)."""
    return formatdate(seconds, usegmt=True).encode()


def parse_date(text: bytes) -> int | None:
    """Return the seconds since the epoch of an HTTP-date in any of its three forms, or None (RFC 9110, 5.6.7)."""
    if not _DATE.fullmatch(text):
        return None
    parts = parsedate(text.decode())
    assert parts is not None
    year, month, day, hour, minute, second = parts[:6]
    try:
        return int(datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).timestamp())  # :60 is legal
    except ValueError:  # the 31st of February
        return None


def _date(headers: Headers, name: bytes) -> int | None:
    values = fields.getlist(headers, name)
    return parse_date(values[0].strip(b" \t")) if len(values) == 1 else None


def _matches(listed: bytes, tag: bytes | None, *, strongly: bool) -> bool:
    """Compare as 8.8.3.2 says; ``*`` is anything that exists."""
    if listed.strip(b" \t") == b"*":
        return True
    if tag is None or (strongly and tag.startswith(b"W/")):
        return False
    opaque = tag.removeprefix(b"W/")
    place = 0
    while found := _TAG.match(listed, place):
        if found[2] == opaque and not (strongly and found[1]):
            return True
        place = found.end()
    return False
