"""What differs between the demo's two apps, as ``rawasgi diff`` shows it to who has read no more than the README.

What they leave behind, in rows 21, 27 and 28, is what ``rawasgi check`` finds: see test_checked.py.
"""

import json
from dataclasses import dataclass

import pytest

from rawasgi.dev import cli

RAW, TWIN = "examples.raw:app", "examples.twin:app"


@dataclass(frozen=True, slots=True)
class Seen:
    """What ``rawasgi diff`` prints for a machine: messages of both apps, and their figures."""

    status: int
    raw: list[dict[str, object]]
    twin: list[dict[str, object]]
    figures: dict[str, dict[str, float]]


@pytest.fixture
def diff(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Diff":
    monkeypatch.setenv("STREAM_TIME_SCALE", "0.01")
    return Diff(capsys)


class Diff:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, path: str, *options: str) -> Seen:
        status = cli.main(["diff", RAW, TWIN, path, "--json", *options])
        *lines, last = map(json.loads, self._capsys.readouterr().out.splitlines())
        both = [[line for line in lines if line["app"] == app] for app in (RAW, TWIN)]
        return Seen(status, both[0], both[1], last["figures"])


def test_row_2_head_is_answered_by_rawasgi_and_refused_by_fastapi(diff: Diff) -> None:
    seen = diff("/infer/predict", "--method", "HEAD")
    assert (seen.raw[0]["detail"], seen.twin[0]["detail"]) == ("200 2 headers", "405 3 headers")


def test_row_9_the_error_is_an_event_in_both_and_only_its_json_differs(diff: Diff) -> None:
    seen = diff("/stream-error")
    assert seen.status == 1
    assert [str(each["first"])[:12] for each in (seen.raw[-3], seen.twin[-3])] == ["event: error", "event: error"]
    assert seen.raw[-1]["what"] == seen.twin[-1]["what"] == "complete"


def test_row_13_is_the_same_on_the_wire_and_takes_the_twin_a_wrapper_of_its_own(diff: Diff) -> None:
    seen = diff("/stream-heartbeat?count=3&every=1")
    assert seen.status == 0
    assert len(seen.raw) == len(seen.twin) == 6


def test_row_14_is_one_gzip_stream_in_both(diff: Diff) -> None:
    seen = diff("/stream-compressed", "--header", "accept-encoding: gzip")
    assert seen.figures[RAW]["bytes"] == seen.figures[TWIN]["bytes"] < 300
    assert seen.figures[RAW]["messages with a body"] == 11


def test_row_20_is_half_as_many_messages_for_the_same_bytes(diff: Diff) -> None:
    seen = diff("/download/sample")
    assert seen.figures[RAW]["bytes"] == seen.figures[TWIN]["bytes"] == 8 << 20
    assert seen.figures[RAW]["bytes a message"] == 2 * seen.figures[TWIN]["bytes a message"]
