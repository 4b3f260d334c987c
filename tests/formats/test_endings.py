"""One vocabulary of ends."""

import json

from rawasgi.formats import json_seq, ndjson
from rawasgi.formats.endings import Done, Failure, plain


def test_a_failure_says_no_more_than_it_was_given() -> None:
    assert plain(Failure()) == {"error": {"code": "internal", "message": "the stream failed"}}
    told = plain(Failure("busy", "ask later", "a1", retry=True))
    assert told == {"error": {"code": "busy", "message": "ask later", "id": "a1", "retry": True}}


def test_a_whole_stream_counts_its_items() -> None:
    assert plain(Done(3)) == {"done": {"items": 3}}


def test_every_json_format_takes_them_as_items() -> None:
    assert json.loads(ndjson.encode(Failure("x", "y"))) == {"error": {"code": "x", "message": "y"}}
    assert json_seq.encode(Done(2)) == b'\x1e{"done":{"items":2}}\n'
