"""Where our classes differ from those of the peers, case by case of the peers' own tests, and why.

``BOTH`` holds for ``rawasgi.familiar`` and for ``rawasgi.familiar.fastapi``, ``FAMILIAR`` and ``FASTAPI`` for one.
"""

import sys

GONE = "a client that left, or does not read for send_timeout, is nobody's error (ASGI, Disconnected Client)"
RAISED = "what the source's clean-up raises is raised, not only logged; so is its TimeoutError when it was cut off"
HOOK = "it calls or replaces a private method of theirs, which ours does not have"
DRAIN = "a Drain around the app tells of a shutdown: nothing patches the server at import"
LIMIT = "only a stream has a deadline for each send"
ABSENT = "more_body is left out where it is False, its default (ASGI, Response Body)"
BOTH = {
    "test_responses.py::test_streaming_response_on_client_disconnects": f"{GONE}; and receive() is always listened to",
}
SSE = "test_sse.py::TestEventSourceResponse::test_"
BOTH |= {
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
}
SHUTDOWN = "test_issue167.py::TestIssue167ShutdownEvent::test_"
BOTH |= {
    f"{SHUTDOWN}shutdownEvent_whenShutdownDetected_thenEventIsSet": DRAIN,
    f"{SHUTDOWN}shutdownGracePeriod_whenGeneratorExitsInTime_thenCleanShutdown": DRAIN,
    f"{SHUTDOWN}shutdownGracePeriod_whenGeneratorIgnoresEvent_thenForceCancelAfterTimeout": DRAIN,
    f"{SHUTDOWN}shutdownEvent_whenGracePeriodZero_thenEventSetButImmediateCancel": DRAIN,
}
CLEANUP = "test_issue217.py::test_"
BOTH |= {
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
    f"{CLEANUP}closingFrame_whenSendStalls_thenInterruptionEndsResponse[disconnect]": "the last send() alone shows"
    " whether all was sent: it has send_timeout, also when receive() returned a disconnect meanwhile",
}
HEAD = "test_issue218.py::test_head_when"
BOTH |= {
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
BOTH |= {
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
        BOTH |= {f"{FILE}_{how}[{wanted}-{version}]": HOOK for version in versions}
FAMILIAR = {
    "test_event.py::test_retry_is_int": "the same TypeError; its text also says the value",
    "test_responses.py::test_response_phrase": "status 123: 1xx is not an answer (RFC 9110, 15.2)",
    FILE: TWO_NAMES,
    f"{FILE}_with_inline_disposition": TWO_NAMES,
    f"{FILE}_with_chinese_filename": TWO_NAMES,
    f"{SSE}compression_whenEnabled_thenRaisesNotImplemented": "what does not exist is an AttributeError",
}
if sys.version_info < (3, 14):
    CHIPS = "Partitioned (CHIPS) is text, and works on every Python"
    FAMILIAR |= {
        "test_responses.py::test_set_cookie_raises_for_invalid_python_version": CHIPS,
        "test_responses.py::test_delete_cookie_partitioned[True]": CHIPS,
    }
FASTAPI = {"test_event.py::test_retry_is_int": "refused when the event is made, by pydantic's ValidationError"}
