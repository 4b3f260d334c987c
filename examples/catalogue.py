"""The 42 streams of the five documents, and 18 more of ours, as data: what the demo lists and the tests replay."""

import json
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

Kind = Literal["text", "sse", "json", "ndjson", "file", "websocket"]


def _body(**fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


ASKED = "什么是异步编程？"
QUESTION = quote(ASKED)
TURNS = [{"role": "user", "content": ASKED}]
CHAT = _body(model="gpt-4", stream=True, messages=TURNS)
RESPONSE = _body(model="gpt-4", stream=True, input=ASKED)
MESSAGES = _body(model="claude", max_tokens=100, stream=True, messages=TURNS)
UI_CHAT = _body(id="c1", messages=[{"id": "m1", "role": "user", "parts": [{"type": "text", "text": ASKED}]}])


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that the documents stream.

    *path* is the route; *example* is that route with everything filled in, ready for ``curl -N``. *body* is what a
    POST sends, as application/json; None for none. A websocket's *method* is "WS". *naked*: examples/naked.py has it.
    *endless*: it goes on until the client leaves, unless its *example* says after how many items to stop.
    """

    number: int
    document: str
    method: str
    path: str
    example: str
    kind: Kind
    summary: str
    naked: bool = False
    endless: bool = False
    body: bytes | None = None


def _get(number: int, document: str, path: str, kind: Kind, summary: str, *, example: str = "", naked: bool = False,
         endless: bool = False) -> Row:  # fmt: skip
    return Row(number, document, "GET", path, example or path, kind, summary, naked, endless)


ROWS: tuple[Row, ...] = (
    _get(1, "000", "/infer/home", "json", "a whole answer: one start, one body", naked=True),
    _get(2, "000", "/infer/predict", "text", "a blocking call in a thread, then nine words, one a line", naked=True),
    _get(3, "001", "/stream", "sse", "five numbers as events", naked=True),
    _get(4, "001", "/stream-full", "sse", "status, headers, media type and work after the last byte"),
    _get(5, "001", "/normal", "json", "the same five numbers collected: compare the time to the first byte"),
    _get(6, "001", "/stream-headers", "sse", "headers against caches and proxies, and for other origins"),
    _get(7, "001", "/stream-background", "sse", "cleanup after the stream, and after a disconnect"),
    _get(8, "001", "/conditional-stream", "sse", "events or JSON, as the query says",
         example="/conditional-stream?stream=true"),
    _get(9, "001", "/stream-error", "sse", "fails at item 5: an error event, and a well-formed end"),
    _get(10, "001", "/stream-robust", "sse", "init, data, then an error event with a code; never a traceback"),
    _get(11, "001", "/stream-timeout", "sse", "a limit on each item: item 5 is too slow",
         example="/stream-timeout?slow=3&limit=1"),
    _get(12, "001", "/stream-buffered", "sse", "100 messages in batches, by size or by age"),
    _get(13, "001", "/stream-heartbeat", "sse", "comments while the source is silent",
         example="/stream-heartbeat?count=12&every=2"),
    _get(14, "001", "/stream-compressed", "sse", "one gzip stream, negotiated, flushed at each event"),
    Row(15, "001", "POST", "/chat-stream", f"/chat-stream?message={QUESTION}", "sse",
        "a LangChain chat over the app's own /v1"),
    _get(16, "001", "/progress", "sse", "0 to 100 percent, then done"),
    _get(17, "001", "/logs", "sse", "tail -f of a log file, through rotation and truncation",
         example="/logs?lines=5", endless=True),
    _get(18, "002", "/logs/stream", "text", "twenty log lines"),
    _get(19, "002", "/events", "sse", "events with ids, resumed after Last-Event-ID"),
    _get(20, "002", "/download/sample", "file", "a large file in chunks, in constant memory", naked=True),
    _get(21, "002", "/safe-stream", "sse", "stops when the client goes"),
    _get(22, "002", "/rows", "ndjson", "a database cursor, row by row", example="/rows?count=1000"),
    _get(23, "003", "/simple", "text", "ten lines of text", naked=True),
    _get(24, "003", "/parameterized/{count}", "text", "as many lines, as slow, as the client asks",
         example="/parameterized/10?delay=0.5"),
    _get(25, "003", "/json/{count}", "ndjson", "one JSON object a line", example="/json/5", naked=True),
    _get(26, "003", "/cleanup", "text", "a resource released whatever happens"),
    _get(27, "003", "/disconnect", "text", "stops at once when the client goes", naked=True),
    _get(28, "003", "/sync", "text", "a blocking generator, off the event loop"),
    _get(29, "003", "/async", "text", "the same, asynchronous", naked=True),
    _get(30, "003", "/headers", "text", "custom headers"),
    _get(31, "004", "/text", "text", "a text, character by character",
         example="/text?text=Hello,%20asyncio%20streaming!&delay=0.05"),
    _get(32, "004", "/chat", "text", "tokens as text", example=f"/chat?prompt={QUESTION}"),
    _get(33, "004", "/chat-sse", "sse", "tokens as JSON events", example=f"/chat-sse?prompt={QUESTION}"),
    Row(34, "004", "POST", "/v1/chat/completions", "/v1/chat/completions", "sse",
        "chat.completion.chunk frames and [DONE], as OpenAI's clients read them", body=CHAT),
    _get(35, "004", "/pipeline", "text", "source, transform, filter: closed last to first"),
    _get(36, "004", "/merge", "text", "two sources at once, in order of arrival"),
    _get(37, "004", "/tasks/{steps}", "sse", "progress of a task that outlives its reader and can be followed again",
         example="/tasks/10"),
    _get(38, "004", "/rag", "sse", "retrieval, generation, content, done", example=f"/rag?question={QUESTION}"),
    _get(39, "004", "/stream-text-error", "text", "text, with ERROR at item 3"),
    _get(40, "004", "/cancel", "text", "numbers, for a client that cancels after five"),
    Row(41, "004", "WS", "/ws", "/ws", "websocket", "the chat over a WebSocket; naked: an echo", naked=True),
    _get(42, "004", "/monitor", "sse", "metrics of the machine as they change: many watchers, one reader",
         example="/monitor?count=5", endless=True),
)  # fmt: skip

# What the documents do not have: formats, codings, files, extensions, and more of what a model is asked by; their
# "document" says where to find them.
MORE: tuple[Row, ...] = (
    _get(43, "formats", "/formats/array", "json", "one JSON array, an element at a time; JSON also if it fails",
         example="/formats/array?fail=true"),
    _get(44, "formats", "/formats/json-seq", "text", "a JSON text sequence (RFC 7464)"),
    _get(45, "formats", "/formats/csv", "text", "a spreadsheet, row by row (RFC 4180)"),
    _get(46, "formats", "/formats/parts", "text", "several pictures in one body: multipart/mixed"),
    _get(47, "formats", "/formats/frames", "text", "a picture that moves, for an img: multipart/x-mixed-replace"),
    _get(48, "formats", "/formats/ui", "sse", "a UI message stream, as the AI SDK reads it"),
    _get(49, "formats", "/formats/negotiated", "sse", "events, NDJSON or JSON, as Accept says; 406 for none of them"),
    _get(50, "formats", "/formats/compressed", "ndjson", "zstd, br, gzip or deflate, flushed at each row"),
    Row(51, "formats", "POST", "/formats/upload", "/formats/upload", "json", "a compressed body, read as it comes",
        body=b"12345"),
    _get(52, "formats", "/files/{path}", "file", "a folder: these examples", example="/files/sources/text.py"),
    _get(53, "extensions", "/extensions/hints", "text", "early hints: what to load while the answer is made"),
    _get(54, "extensions", "/extensions/push", "text", "server push: an answer before the question"),
    _get(55, "extensions", "/extensions/trailers", "text", "trailers: a digest and times, known only at the end"),
    _get(56, "extensions", "/extensions/tls", "json", "what the server says of the connection's TLS"),
    _get(57, "vendors", "/v1/models", "json", "which models there are, as OpenAI's clients ask"),
    Row(58, "vendors", "POST", "/v1/responses", "/v1/responses", "sse",
        "OpenAI's responses: named events, numbered", body=RESPONSE),
    Row(59, "vendors", "POST", "/v1/messages", "/v1/messages", "sse",
        "Anthropic's messages: events around blocks of content", body=MESSAGES),
    Row(60, "vendors", "POST", "/api/chat", "/api/chat", "sse",
        "the chat of a model, as the AI SDK's useChat asks for it", body=UI_CHAT),
)  # fmt: skip
