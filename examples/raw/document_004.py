"""Rows 31 to 42: chats, pipelines, tasks, retrieval, a WebSocket, a monitor."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing

from examples.raw import parameters
from examples.raw.chats import busy, chat
from examples.raw.dialects import CHAT
from examples.raw.events import rescue, sse, told
from examples.raw.parameters import prompt
from examples.raw.resuming import followed
from examples.raw.routes import router
from examples.raw.vendors import answer
from examples.raw.watching import Watching
from examples.sources import pipeline, progress, retrieval, text, tokens
from examples.sources.dialogue import Bye, dialogue
from examples.sources.items import Item
from rawasgi import respond, streams
from rawasgi.asgi import App
from rawasgi.formats.sse import Event
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.streams import Stream, owned
from rawasgi.websocket import WebSocket

watching = Watching()


@router.get("/text")
async def characters(request: Request) -> Response:
    """Row 31: character by character, each whole, whatever UTF-8 makes of it."""
    said = request.query("text", prompt, "Hello, asyncio streaming!")
    return respond.stream(text.characters(said, parameters.delay(request, 0.1)))


@router.get("/chat")
async def chat_text(request: Request) -> Response:
    """Row 32: tokens as they come; when the model is full, a status that says so, for nothing was sent yet."""
    return await chat(request.query("prompt", prompt), respond.stream)


@router.get("/chat-sse")
async def chat_sse(request: Request) -> Response:
    """Row 33: the same tokens as JSON events; what fails in their midst is an event, too."""

    def events(said: Stream[str]) -> Response:
        return sse(told(streams.map(said, lambda token: {"content": token})))

    return await chat(request.query("prompt", prompt), events)


@router.post("/v1/chat/completions")
async def completions(request: Request) -> App:
    """Row 34: what OpenAI's own clients ask and read, their errors included."""
    return await answer(request, CHAT)


@router.get("/pipeline")
async def pipe(_: Request) -> Response:
    """Row 35: every stage owns the one before: closing the last closes them all, last to first."""
    doubled = streams.map(pipeline.numbers(), lambda number: number * 2)
    large = streams.filter(doubled, lambda number: number > 10)
    return respond.stream(streams.map(large, "{}\n".format))


@router.get("/merge")
async def merge(_: Request) -> Response:
    """Row 36: two sources at once, in order of arrival; when one fails, the other is closed."""
    return respond.stream(streams.merge(pipeline.letters_a(), pipeline.letters_b()))


@router.get("/tasks/{steps}")
async def task(request: Request) -> Response:
    """Row 37: the work belongs to the app, the stream only looks on: leave, come back with the last id, and go on."""
    steps = request.param("steps", int, minimum=1, maximum=1000)
    name, following = await followed(request, "tasks", lambda: done(steps), request.query("task", str, None))

    async def items() -> AsyncIterator[object]:
        yield Event(json.dumps({"task": name}), "task")
        async with owned(following) as entries:
            async for entry in entries:
                yield entry

    return respond.sse(items(), headers={"X-Task-Id": name})


async def done(steps: int) -> AsyncIterator[object]:
    """The work of row 37: each step, and a last word."""
    async with aclosing(progress.steps(steps)) as found:
        async for step in found:
            yield step
    yield Event("Completed", "done")


@router.get("/rag")
async def rag(request: Request) -> Response:
    """Row 38: every event by its name: retrieval, generation, content, done."""
    said = retrieval.answer(request.query("question", prompt))
    return sse(told(streams.map(said, lambda event: Item(event, str(event["type"])))))


@router.get("/stream-text-error")
async def stream_text_error(_: Request) -> Response:
    """Row 39: text has no events: a failure is one more line, which the client must know to look for."""
    return respond.stream(rescue(text.failing_text(), ValueError, "ERROR: {}\n".format))


@router.get("/cancel")
async def cancel(_: Request) -> Response:
    """Row 40: the source sees CancelledError at its ``await``, as if a task of its own were cancelled."""
    return respond.stream(text.cancellable())


@router.websocket("/ws")
async def websocket_chat(websocket: WebSocket) -> None:
    """Row 41: both directions at once, over the same kind of stream.

    Codes say why it ends, a status why it cannot begin.
    """
    try:
        tokens.model().admit()
    except tokens.Busy as error:
        raise busy(error) from None
    await websocket.accept()
    try:
        async with owned(aiter(websocket)) as incoming, aclosing(dialogue(incoming)) as frames:
            async for frame in frames:
                await websocket.send(json.dumps(frame, ensure_ascii=False))
    except Bye as bye:
        await websocket.close(bye.code, bye.reason)


@router.get("/monitor")
async def monitor(request: Request) -> Response:
    """Row 42: however many watch, one reads; and nobody reads when nobody watches."""
    return respond.sse(watching.watch(request.query("count", int, 0, minimum=1) or None))
