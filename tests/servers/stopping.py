"""An app that is stopped: each source notes in a file that its clean-up is over."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket as TheirWebSocket
from starlette.websockets import WebSocketDisconnect

from rawasgi import Request, Response, Router, WebSocket, lifespan, respond, streams
from rawasgi.shutdown import Drain

router = Router()
drain = Drain(retry=(0.5, 1.0))
app = lifespan(drain(router), drain.on_signals)


def released() -> None:
    file = os.open(Path(os.environ["HOUSE_FILES"]) / "released", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b".")
    os.close(file)


@router.get("/events")
async def events(request: Request) -> Response:
    async def source() -> AsyncIterator[int]:
        try:
            yield 0
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            released()

    return respond.sse(source())


@router.get("/blocking")
async def blocking(request: Request) -> Response:
    def source() -> Iterator[int]:
        try:
            while True:
                yield 0
                time.sleep(0.05)
        finally:
            released()

    return respond.ndjson(streams.from_thread(source()))


@router.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        async for message in websocket:
            await websocket.send(message)
    finally:
        await asyncio.sleep(0.05)
        released()


@router.websocket("/ticks")
async def ticks(websocket: WebSocket) -> None:
    """It only sends."""
    await websocket.accept()
    try:
        while True:
            await websocket.send("tick")
            await asyncio.sleep(0.05)
    finally:
        released()


async def theirs(websocket: TheirWebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect as error:
        if error.code == 1012:
            released()


router.mount("/starlette", Starlette(routes=[WebSocketRoute("/echo", theirs)]))


@router.post("/begin")
async def begin(request: Request) -> str:
    """As an operator's hook before the stop."""
    drain.begin()
    return "begun"
