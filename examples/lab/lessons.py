"""What to try with a row, and where to look: what differs between the apps shows itself only to who does something."""

LESSONS: dict[int, str] = {
    1: "No stream: one start, one body. Run it while row 2 blocks its thread in another tab, and it answers at once.",
    2: "Press HEAD: rawasgi answers 200 and closes the source unread; a GET route of FastAPI does not know HEAD: "
    "405. Run it: rawasgi and the app by hand send an empty body before the blocking call, since some servers hold the "
    "headers back until there is one; FastAPI sends nothing more before the first word.",
    3: "Press EventSource, and the browser itself takes the events apart. Press gzip: rawasgi packs each event and "
    "flushes it; FastAPI's GZipMiddleware leaves event streams as they are.",
    4: "Leave: the work after the last byte is done all the same. Its line is in the output of the server.",
    5: "Look at the first byte, and then at row 3, whose first byte is there at once.",
    9: "Look at the last two messages: the failure is an event, and then the body ends well, in both apps. The bodies "
    "differ in how JSON writes Chinese. What a learner must write for it stands under Source: count the lines.",
    10: "The client gets a code, and never the traceback. What catches the error stands under Source.",
    12: "Ten items a message, or what came within a second: 100 items, and ten messages with a body.",
    13: "After two seconds without an item a comment goes out, in both apps. Press EventSource: it does not tell of "
    "comments. FastAPI has no heartbeat for a StreamingResponse, so the twin has one by hand: see Source, how long.",
    14: "Press gzip and run it: one gzip stream, flushed at each event, so that all ten still arrive one by one. "
    "GZipMiddleware leaves event streams as they are (row 3), so the twin does it by hand: see Source, and its length.",
    17: "It goes on until you leave. Half-written lines are held back.",
    19: "Leave after a few events and reconnect: the browser says the last id, and it goes on after that.",
    20: "Press HEAD, Range, and If-None-Match after a run: the statuses agree. Look at the headers, where the entity "
    "tags differ, and at the number of messages: pieces of 128 KiB and of 64. Press gzip: GZipMiddleware packs a file "
    "of which it knows nothing, and keeps its strong ETag and Accept-Ranges, which are not true of that body; rawasgi "
    "leaves it as it is.",
    21: "Leave: http.disconnect comes, and each source is closed within milliseconds, at its pause and not at its next "
    "item. FastAPI cancels it there; that it closes the generator under it, too, is the aclosing under Source.",
    22: "Count the messages: rawasgi joins the rows that are ready, FastAPI sends each alone, by a hop to a thread. "
    "Leave early: FastAPI leaves the cursor open until the garbage collector comes by.",
    27: "Leave: the source is cancelled where it waits, and closed within milliseconds, in all three apps. By hand it "
    "takes a task that listens: see Source.",
    28: "Leave after the second line: rawasgi closes the generator on its own thread, as soon as the blocking call "
    "returns. FastAPI leaves it open, the red line, until the garbage collector comes by: its finally has not run.",
    35: "Leave early, and look under Source, where each stage stands.",
    37: "Leave, wait, and reconnect: the work went on meanwhile, and what was missed comes at once.",
    40: "Leave: the source sees CancelledError at its await.",
    41: "A question, its answer, a good-bye, over a real WebSocket. The app by hand is an echo.",
    47: "A picture that moves; here only its bytes are counted.",
    50: "Press gzip: each row is flushed, and can be read when it comes.",
}
