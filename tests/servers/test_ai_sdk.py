"""Vercel's AI SDK, in node, reads our UI message streams and our /v1, from both apps."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import HERE, PATIENCE
from v1_clients import ANSWER, NAMES, Endpoint

# The newest that node 20 takes: 7 of ai wants node 22
PACKAGES = {"ai": "6.0.326", "@ai-sdk/openai-compatible": "2.0.87", "zod": "4.6.7"}
CACHE = HERE.parents[1] / ".venv" / f"ai-sdk-{PACKAGES['ai']}"  # dev.py's: who deletes it, deletes this
APPS = {"raw": "", "twin": "/fastapi"}
Found = dict[str, Any]


def missing(reason: str) -> None:
    if os.environ.get("REQUIRE_PARTS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder whose node_modules has the packages; they are installed once."""
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            missing(f"{name} is not there")
    if not CACHE.exists():
        CACHE.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE.parent) as folder:
            here = Path(folder, "ai-sdk")
            here.mkdir()
            (here / "package.json").write_text(json.dumps({"private": True, "dependencies": PACKAGES}))
            npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            ran = subprocess.run(npm, cwd=here, capture_output=True, text=True, timeout=120)
            if ran.returncode:
                missing(f"npm could not install the AI SDK: {ran.stderr[-300:]}")
            here.rename(CACHE)
    return CACHE


@pytest.fixture(scope="module")
def reading(modules: Path, v1: dict[str, Endpoint]) -> Iterator[Callable[[str], Found]]:
    """What the SDK has read from the server of that name, by prefix; from all of them at once."""
    command = ["node", str(HERE / "ai_sdk.mjs"), str(modules)]
    running = {
        name: subprocess.Popen(
            [*command, v1[name].url, *APPS.values()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name in NAMES
    }
    read: dict[str, Found] = {}

    def found(name: str) -> Found:
        if name not in read:
            said, errors = running[name].communicate(timeout=2 * PATIENCE)
            assert running[name].returncode == 0, errors
            read[name] = json.loads(said)
        return read[name]

    try:
        yield found
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


@pytest.fixture(params=[f"{server} {app}" for server in NAMES for app in APPS])
def seen(request: pytest.FixtureRequest, reading: Callable[[str], Found]) -> Found:
    server, app = request.param.split()
    return dict(reading(server)[APPS[app]])


@pytest.fixture(params=NAMES)
def ours(request: pytest.FixtureRequest, reading: Callable[[str], Found]) -> Found:
    """What rawasgi alone has said."""
    return dict(reading(request.param)[""])


def texts(read: Found) -> str:
    return "".join(part.get("text", "") for part in read["message"]["parts"])


# The UI message stream


def test_row_48_is_read_piece_by_piece_to_its_end(seen: Found) -> None:
    row = seen["row"]
    assert (texts(row), row["errors"]) == ("流式 👩‍👩‍👧", [])
    assert row["states"] > 5


def test_all_that_a_message_can_have_arrives(ours: Found) -> None:
    read = ours["parts"]
    assert read["errors"] == []
    message = read["message"]
    assert (message["id"], message["metadata"]) == ("m1", {"model": "m", "tokens": 9})
    parts = [{name: value for name, value in part.items() if name != "state"} for part in message["parts"]]
    kinds = ["step-start", "reasoning", "tool-weather", "tool-weather", "step-start", "data-progress", "source-url",
             "source-document", "file", "text"]  # fmt: skip
    assert [part["type"] for part in parts] == kinds
    assert (parts[1]["text"], parts[-1]["text"]) == ("想一想", "北京 21 °C\n")
    assert (parts[2]["input"], parts[2]["output"]) == ({"city": "北京"}, {"celsius": 21})
    assert parts[3]["errorText"] == "no such city"
    assert parts[5]["data"] == {"percent": 100}
    assert [message["parts"][at]["state"] for at in (1, 2, 3, 9)] == [
        "done",
        "output-available",
        "output-error",
        "done",
    ]


@pytest.mark.parametrize("how", ["failed", "cut"])
def test_a_message_that_fails_is_no_whole_one(ours: Found, how: str) -> None:
    read = ours[how]
    assert texts(read) == "北京 "
    assert len(read["errors"]) >= 1
    assert "secret" not in str(read)


# useChat


def test_usechat_talks_with_the_model(seen: Found) -> None:
    talk = seen["talk"]
    assert (talk["texts"], talk["status"]) == (["你好", ANSWER, "再见", ANSWER.replace("你好", "再见")], "ready")
    assert talk["metadata"] == {"inputTokens": 7, "outputTokens": 5}


def test_usechat_is_told_what_goes_wrong(seen: Found) -> None:
    failing, busy = seen["failing"], seen["busy"]
    assert (failing["texts"], failing["status"]) == (["fail", "a "], "error")
    assert "secret" not in failing["error"]
    assert (busy["texts"], busy["status"]) == (["busy"], "error")
    assert "too many" in busy["error"]


def test_its_stop_button_stops_the_model(seen: Found) -> None:
    """The script waits for that."""
    assert (seen["stopped"]["texts"], seen["stopped"]["status"]) == (["wait", "a "], "ready")


# streamText, over /v1


def test_streamtext_reads_a_completion_and_its_usage(seen: Found) -> None:
    text = seen["text"]
    assert (text["text"], text["reason"], text["errors"]) == (ANSWER, "stop", [])
    assert text["pieces"] > 3
    assert (text["usage"]["inputTokens"], text["usage"]["outputTokens"]) == (1, 5)


def test_streamtext_is_told_what_goes_wrong(seen: Found) -> None:
    failing, busy = seen["text_failing"], seen["text_busy"]
    assert failing["text"] == "a "
    assert len(failing["errors"]) >= 1
    assert "secret" not in str(failing)
    assert [error["status"] for error in busy["errors"]] == [503]


def test_streamtext_stops_the_model(seen: Found) -> None:
    stopped = seen["text_stopped"]
    assert (stopped["text"], stopped["errors"]) == ("a ", ["abort"])
