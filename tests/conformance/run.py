"""How far may one change the import? The peers' own tests for these classes, run against ours.

    python tests/conformance/run.py

It fetches the sdists of the peers into a temporary folder, runs their tests there twice, with their classes and with
ours under their names (see substitute.py), and prints every case that passes or differs. A case that differs must stand
in DIFFERENCES with its reason; exit status 1 if one does not, or if one that stands there passes.

Their tests count messages, so ours run with ``StreamingResponse.join = False``: one message an item, as theirs. On
asyncio only. Not run: what is about JSONServerSentEvent, and their patch of uvicorn at import.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

HERE = Path(__file__).resolve().parent
Outcomes: TypeAlias = dict[str, tuple[str, str]]


class Peer(NamedTuple):
    sdist: str
    files: tuple[str, ...]


PEERS = {
    "starlette": Peer("starlette-1.10.0", ("test_responses.py", "test_background.py")),
    "sse-starlette": Peer(
        "sse_starlette-3.7.0",
        (
            "test_event.py",
            "test_sse.py",
            "test_streaming_parity.py",
            "test_issue167.py",
            "test_issue217.py",
            "test_issue218.py",
        ),
    ),
}
NOT_OURS = ("test_json_server_sent_event",)
NEEDED = ("pytest", "anyio", "httpx2", "python-multipart", "starlette==1.10.0", "sse-starlette==3.7.0")
# What the sdist of sse-starlette leaves out of its own tests
ADDED = {
    "anyio_compat.py": "from sse_starlette._utils import collapse_excgroups as collapse_excgroups\n",
    "conftest.py": "import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n",
}

GONE = "a client that left, or does not read for send_timeout, is nobody's error (ASGI, Disconnected Client)"
RAISED = "what the source's clean-up raises is raised, not only logged; so is its TimeoutError when it was cut off"
HOOK = "it calls or replaces a private method of theirs, which ours does not have"
DRAIN = "shutdown is no parameter of a response: nothing patches the server at import"
LIMIT = "only a stream has a deadline for each send"
ABSENT = "more_body is left out where it is False, its default (ASGI, Response Body)"
DIFFERENCES = {
    "test_responses.py::test_response_phrase": "status 123: 1xx is not an answer (RFC 9110, 15.2)",
    "test_responses.py::test_streaming_response_on_client_disconnects": f"{GONE}; and receive() is always listened to",
    "test_event.py::test_retry_is_int": "the same TypeError; its text also says the value",
}
SSE = "test_sse.py::TestEventSourceResponse::test_"
DIFFERENCES |= {
    f"{SSE}send_whenTimeoutOccurs_thenRaisesSendTimeoutError": GONE,
    f"{SSE}send_whenInterrupted_thenClosesSuspendedGenerator[False-shutdown]": HOOK,
    f"{SSE}send_whenInterrupted_thenClosesSuspendedGenerator[False-send_error]": GONE,
    f"{SSE}send_whenInterrupted_thenClosesSuspendedGenerator[False-timeout]": GONE,
    f"{SSE}send_whenInterrupted_thenClosesSuspendedGenerator[True-disconnect]": RAISED,
    f"{SSE}send_whenInterrupted_thenClosesSuspendedGenerator[True-shutdown]": HOOK,
    f"{SSE}send_whenInterrupted_thenClosesSuspendedGenerator[True-cancel]": RAISED,
    f"{SSE}send_whenInterrupted_thenClosesSuspendedGenerator[True-send_error]": RAISED,
    f"{SSE}send_whenInterrupted_thenClosesSuspendedGenerator[True-timeout]": RAISED,
    f"{SSE}stream_whenEncodingFails_thenClosesSuspendedGenerator[False-string]": "data is JSON, not str() of anything",
    f"{SSE}stream_whenEncodingFails_thenClosesSuspendedGenerator[True-unknown_field]": RAISED,
    f"{SSE}stream_whenEncodingFails_thenClosesSuspendedGenerator[True-retry]": RAISED,
    f"{SSE}stream_whenEncodingFails_thenClosesSuspendedGenerator[True-string]": RAISED,
    f"{SSE}headers_whenCustomHeadersProvided_thenMergesCorrectly": "a header that was given is sent as it was given;"
    " HTTP/1.1 needs no keep-alive (RFC 9112, 9.3), HTTP/2 forbids it (RFC 9113, 8.2.2)",
    f"{SSE}ping_whenTimerTicks_thenSendsOneMessagePerTick": HOOK,
    f"{SSE}ping_whenSendTimesOut_thenRaisesSendTimeoutError": HOOK,
    f"{SSE}ping_whenSendTimesOut_thenTearsDownResponseAndRunsCleanup": GONE,
    f"{SSE}ping_whenConcurrentWithEvents_thenRespectsLocking": "it wants two sends at once; ours never overlap",
    f"{SSE}compression_whenEnabled_thenRaisesNotImplemented": "what does not exist is an AttributeError",
}
SHUTDOWN = "test_issue167.py::TestIssue167ShutdownEvent::test_"
DIFFERENCES |= {
    f"{SHUTDOWN}shutdownEvent_whenShutdownDetected_thenEventIsSet": DRAIN,
    f"{SHUTDOWN}shutdownGracePeriod_whenGeneratorExitsInTime_thenCleanShutdown": DRAIN,
    f"{SHUTDOWN}shutdownGracePeriod_whenGeneratorIgnoresEvent_thenForceCancelAfterTimeout": DRAIN,
    f"{SHUTDOWN}shutdownEvent_whenGracePeriodZero_thenEventSetButImmediateCancel": DRAIN,
    f"{SHUTDOWN}shutdownGracePeriod_whenNegative_thenRaisesValueError": DRAIN,
}
CLEANUP = "test_issue217.py::test_"
DIFFERENCES |= {
    f"{CLEANUP}send_whenInterruptedAndCleanupStuck_thenDeadlineCancelsCleanup[disconnect]": RAISED,
    f"{CLEANUP}send_whenInterruptedAndCleanupStuck_thenDeadlineCancelsCleanup[shutdown]": HOOK,
    f"{CLEANUP}send_whenInterruptedAndCleanupStuck_thenDeadlineCancelsCleanup[cancel]": RAISED,
    f"{CLEANUP}send_whenInterruptedAndCleanupStuck_thenDeadlineCancelsCleanup[send_error]": RAISED,
    f"{CLEANUP}send_whenInterruptedAndCleanupStuck_thenDeadlineCancelsCleanup[timeout]": RAISED,
    f"{CLEANUP}stream_whenEncodingFailsAndCleanupStuck_thenDeadlineCancelsCleanup": "cleanup_timeout begins when the"
    " stream is closed: a source that its wrapper closes by itself is waited for",
    f"{CLEANUP}send_whenCleanupSwallowsDeadlineCancellation_thenStillWarns": RAISED,
    f"{CLEANUP}send_whenCleanupTimeoutIsZero_thenOnlySynchronousCleanupRuns[True-expected_events0]": RAISED,
    f"{CLEANUP}closingFrame_whenSendStalls_thenInterruptionEndsResponse[shutdown]": HOOK,
}
HEAD = "test_issue218.py::test_head_when"
DIFFERENCES |= {
    f"{HEAD}Called_thenResponseCompletesWithoutStreaming": ABSENT,
    f"{HEAD}MethodIsLowercase_thenResponseCompletesWithoutStreaming": "the method comes in capitals (ASGI,"
    " HTTP Connection Scope), and methods are case-sensitive (RFC 9110, 9.1)",
    f"{HEAD}ContentIsSyncIterator_thenIteratorIsNotConsumed": ABSENT,
    f"{HEAD}BackgroundTaskIsSet_thenBackgroundTaskRunsAfterFinalFrame": ABSENT,
    f"{HEAD}SendStallsBeyondSendTimeout_thenRaisesSendTimeoutError[http.response.start]": LIMIT,
    f"{HEAD}SendStallsBeyondSendTimeout_thenRaisesSendTimeoutError[http.response.body]": LIMIT,
}
FILE = "test_responses.py::test_file_response"
TWO_NAMES = "a download has both names, filename and filename* (RFC 6266, appendix D)"
IGNORED = "a Range that is malformed or of another unit is ignored, not refused (RFC 9110, 14.2)"
ONLY_GET = "only GET has ranges (RFC 9110, 14.2)"
CAPITALS = "the method comes in capitals (ASGI, HTTP Connection Scope), and methods are case-sensitive (RFC 9110, 9.1)"
DIFFERENCES |= {
    FILE: TWO_NAMES,
    f"{FILE}_with_inline_disposition": TWO_NAMES,
    f"{FILE}_with_chinese_filename": TWO_NAMES,
    f"{FILE}_on_head_method": CAPITALS,
    f"{FILE}_with_directory_raises_error": "what is no file is 404, not an error",
    f"{FILE}_with_missing_file_raises_error": "what is no file is 404, not an error",
    f"{FILE}_range_head": ONLY_GET,
    f"{FILE}_range_head_max": ONLY_GET,
    f"{FILE}_range_multi_head": ONLY_GET,
    f"{FILE}_range_416": "what can be satisfied of several ranges is (RFC 9110, 15.5.17)",
    f"{FILE}_range_invalid": IGNORED,
    f"{FILE}_only_support_bytes_range": IGNORED,
    f"{FILE}_range_must_be_requested": IGNORED,
    f"{FILE}_start_must_be_less_than_end": IGNORED,
    f"{FILE}_inverted_single_byte_range": IGNORED,
    f"{FILE}_range_without_dash": IGNORED,
    f"{FILE}_range_empty_start_and_end": IGNORED,
    f"{FILE}_range_ignore_non_numeric": IGNORED,
    f"{FILE}_insert_ranges": "ranges come in the order asked (RFC 9110, 15.3.7.2)",
    f"{FILE}_multi_range_unexpected_eof": HOOK,
    f"{FILE}_multi_small_chunk_size": HOOK,
}
for how in ("stops_on_disconnect", "closes_on_cancellation", "closes_on_send_error"):
    versions = ("None", "2.3") if how == "stops_on_disconnect" else ("2.3", "2.4")
    for wanted in ("None", "bytes=0-", "bytes=0-131071,196608-524287"):
        DIFFERENCES |= {f"{FILE}_{how}[{wanted}-{version}]": HOOK for version in versions}
if sys.version_info < (3, 14):
    CHIPS = "Partitioned (CHIPS) is text, and works on every Python"
    DIFFERENCES |= {
        "test_responses.py::test_set_cookie_raises_for_invalid_python_version": CHIPS,
        "test_responses.py::test_delete_cookie_partitioned[True]": CHIPS,
    }


def prepare(folder: Path) -> Path:
    """Lay the peers' tests out in *folder*; return the Python that has what they need."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    commands = [[*pip, "install", "--no-compile", *NEEDED]]
    for peer in PEERS.values():
        name, _, version = peer.sdist.partition("-")
        wanted = ["--no-deps", "--no-binary", name, f"{name}=={version}"]
        commands.append([*pip, "download", "--dest", str(folder), *wanted])
    with ThreadPoolExecutor() as pool:  # most of their time they wait for the network
        list(pool.map(partial(subprocess.run, check=True), commands))
    for peer in PEERS.values():
        with tarfile.open(folder / f"{peer.sdist}.tar.gz") as archive:
            # PEP 706: its name for Pythons before 3.11.4, which have no such filter
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            archive.extractall(folder)
    for file, text in ADDED.items():
        (folder / PEERS["sse-starlette"].sdist / "tests" / file).write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n")
    return python


def run(python: Path, folder: Path, peer: Peer, ours: bool) -> Outcomes:
    """Run the peer's tests; return the outcome of each case, and its error in a line."""
    report = folder / f"{peer.sdist}-{'ours' if ours else 'theirs'}.json"
    path = os.pathsep.join([str(HERE.parent.parent), str(HERE), "."])
    options = ["-q", "-c", str(folder / "pytest.ini"), "--rootdir", ".", "-p", "substitute", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [str(python), "-m", "pytest", *options, *(f"tests/{file}" for file in peer.files)],
        cwd=folder / peer.sdist,
        env={**os.environ, "PYTHONPATH": path, "OURS": "single" if ours else "", "OUTCOMES": str(report)},
        capture_output=True,
        text=True,
    )
    if not report.exists():
        raise RuntimeError(f"pytest did not come to an end:\n{result.stdout}{result.stderr}")
    cases = json.loads(report.read_text())
    return {shorten(case): tuple(cases[case]) for case in cases if not any(name in case for name in NOT_OURS)}


def shorten(case: str) -> str:
    return case.removeprefix("tests/").replace("[asyncio]", "").replace("asyncio-", "")


def report(name: str, theirs: Outcomes, ours: Outcomes) -> list[str]:
    """Print the table of one peer; return what is wrong with DIFFERENCES."""
    wrong = []
    counted = [case for case, (outcome, _) in theirs.items() if outcome == "passed"]
    passing = [case for case in counted if ours[case][0] == "passed"]
    print(f"\n{name}: {len(passing)} of {len(counted)} cases pass with our classes")
    for case in counted:
        reason = DIFFERENCES.get(case)
        if case in passing:
            print(f"  passes   {case}")
            if reason is not None:
                wrong.append(f"{case} is listed as a difference, and passes: {reason}")
        else:
            print(f"  differs  {case}\n             {reason or ours[case][1].splitlines()[:1]}")
            if reason is None:
                wrong.append(f"{case} differs, and has no reason in DIFFERENCES")
    return wrong


def main() -> int:
    wrong = []
    seen: Outcomes = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        python = prepare(folder)
        with ThreadPoolExecutor() as pool:  # and these for their own sleeps
            runs = [[pool.submit(run, python, folder, peer, ours) for ours in (False, True)] for peer in PEERS.values()]
        for peer, (theirs, ours) in zip(PEERS.values(), runs, strict=True):
            wrong += report(peer.sdist, theirs.result(), ours.result())
            seen |= theirs.result()
    wrong += [f"{case} is listed as a difference, and is no case" for case in DIFFERENCES if case not in seen]
    print("", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
