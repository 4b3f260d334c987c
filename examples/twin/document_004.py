"""Rows 31 to 42: chats, pipelines, tasks, retrieval, a WebSocket, a monitor."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.websockets import WebSocketDisconnect

from examples.sources import chat, pipeline, retrieval, text, tokens
from examples.sources import tasks as long_tasks
from examples.sources.dialogue import Bye, dialogue
from examples.sources.items import Item
from examples.sources.monitor import Monitor
from examples.twin.events import UNBUFFERED, dumps, frames, respond, told
from examples.twin.vendors import CHAT, body, refused, streamed

router = APIRouter()
tasks = long_tasks.Tasks()
machine = Monitor()
Text = Annotated[str, Query(max_length=10_000)]


@router.get("/text")
async def characters(
    text_: Annotated[str, Query(alias="text", max_length=10_000)] = "Hello, asyncio streaming!",
    delay: Annotated[float, Query(ge=0, le=60)] = 0.1,
) -> StreamingResponse:
    return StreamingResponse(text.characters(text_, delay), media_type="text/plain")


@router.get("/chat")
async def chat_text(prompt: Text) -> StreamingResponse:
    return StreamingResponse(await begun(prompt), media_type="text/plain")


@router.get("/chat-sse")
async def chat_sse(prompt: Text) -> StreamingResponse:
    return respond(told(frames(pipeline.transform(await begun(prompt), lambda token: {"content": token}))))


async def begun(prompt: str) -> AsyncGenerator[str, None]:
    """The tokens that answer *prompt*, when the model has begun: until then a failure has a status of its own.

    Who leaves meanwhile is not missed: a FastAPI handler hears nothing of its client.
    """
    reply = tokens.reply(prompt)
    try:
        await anext(reply)
    except tokens.Busy as error:
        raise HTTPException(503, str(error), {"Retry-After": str(error.seconds)}) from None
    except tokens.Refused as error:
        raise HTTPException(400, str(error)) from None
    return tokens.spoken(reply)


@router.post("/v1/chat/completions")
async def completions(request: Request) -> Response:
    try:
        asked = chat.parse(await body(request))
        if not asked.stream:
            return JSONResponse(await chat.completion(asked, tokens.model()))
        return await streamed(chat.chunks(asked, tokens.model()), CHAT)
    except Exception as error:
        return refused(CHAT, error)


@router.get("/pipeline")
async def pipe() -> StreamingResponse:
    doubled = pipeline.transform(pipeline.numbers(), lambda number: number * 2)
    large = pipeline.keep(doubled, lambda number: number > 10)
    return StreamingResponse(pipeline.transform(large, "{}\n".format), media_type="text/plain")


@router.get("/merge")
async def merge() -> StreamingResponse:
    return StreamingResponse(pipeline.merge(pipeline.letters_a(), pipeline.letters_b()), media_type="text/plain")


@router.get("/tasks/{steps}")
async def task(
    steps: Annotated[int, Path(ge=1, le=1000)],
    task: str | None = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    name, after = long_tasks.resume_point(last_event_id) or (None, 0)
    if task is not None and task != name:
        name, after = task, 0
    try:
        if name is None:
            name = tasks.start(steps)
        following = tasks.follow(name, after)
    except long_tasks.TooManyTasks as error:
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from None
    except LookupError as error:
        raise HTTPException(404, str(error)) from None

    async def generate(name: str) -> AsyncGenerator[object, None]:
        yield Item({"task": name}, "task")
        async with aclosing(following):
            async for step in following:
                yield Item(step, id=long_tasks.event_id(name, step["step"]))
        yield Item("Completed", "done")

    return respond(told(frames(generate(name))), {**UNBUFFERED, "X-Task-Id": name})


@router.get("/rag")
async def rag(question: Text) -> StreamingResponse:
    named = pipeline.transform(retrieval.answer(question), lambda event: Item(event, str(event["type"])))
    return respond(told(frames(named)))


@router.get("/stream-text-error")
async def stream_text_error() -> StreamingResponse:
    async def generate() -> AsyncGenerator[str, None]:
        try:
            async with aclosing(text.failing_text()) as lines:
                async for line in lines:
                    yield line
        except ValueError as error:
            yield f"ERROR: {error}\n"

    return StreamingResponse(generate(), media_type="text/plain")


@router.get("/cancel")
async def cancel() -> StreamingResponse:
    return StreamingResponse(text.cancellable(), media_type="text/plain")


@router.websocket("/ws")
async def websocket_chat(websocket: WebSocket) -> None:
    async def incoming() -> AsyncGenerator[str | bytes, None]:
        while (message := await websocket.receive())["type"] != "websocket.disconnect":
            received = message.get("text")
            yield message["bytes"] if received is None else received

    try:
        tokens.model().admit()
    except tokens.Busy as error:
        await refuse(websocket, PlainTextResponse(str(error), 503, {"Retry-After": str(error.seconds)}))
        return
    await websocket.accept()
    try:
        async with aclosing(incoming()) as messages, aclosing(dialogue(messages)) as outgoing:
            async for reply in outgoing:
                await websocket.send_text(dumps(reply))
    except Bye as bye:
        await websocket.close(bye.code, bye.reason)
    except WebSocketDisconnect:
        pass


async def refuse(websocket: WebSocket, answer: Response) -> None:
    """An answer instead of a WebSocket, where the server can; else it is a 403."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(answer)
    else:
        await websocket.close()


@router.get("/monitor")
async def monitor(count: Annotated[int | None, Query(ge=1)] = None) -> StreamingResponse:
    return respond(frames(machine.watch(count)))
