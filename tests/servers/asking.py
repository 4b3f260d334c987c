"""What a request and a websocket know of themselves, and forms: alone, behind middleware, in FastAPI, FastAPI in ours.

The folder ``HOUSE_FILES`` is a single-page app, at the root.
"""

import hashlib
import os
from typing import Annotated, Any

from fastapi import FastAPI, Form, UploadFile
from fastapi import Request as FastAPIRequest
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.responses import Response as StarletteResponse

from rawasgi import HTTPError, Request, Router, WebSocket, files, respond
from rawasgi.app_types import App, as_app
from rawasgi.decompression import decompress
from rawasgi.error_responses import error_response

ours = Router()


@ours.get("/head/{id:int}", name="head")
async def head(request: Request) -> dict[str, object]:
    return {
        "url": str(request.url),
        "client": list(request.client or ()),
        "cookies": dict(request.cookies),
        "q": request.query_list("q", int),
        "id": request.param("id"),
        "link": request.url_for("head", id=request.param("id") + 1),
        "home": request.url_for("home"),
    }


@ours.post("/json")
async def json(request: Request) -> object:
    return respond.json(await request.json(limit_bytes=1000))


@ours.post("/count")
async def count(request: Request) -> str:
    return f"{sum([len(chunk) async for chunk in request.stream(limit_bytes=100_000)])}"


@ours.post("/parts")
async def parts(request: Request) -> list[object]:
    seen: list[object] = []
    async for part in request.parts(limit_bytes=50_000_000):
        digest, size = hashlib.sha256(), 0
        async for piece in part:
            digest.update(piece)
            size += len(piece)
        seen.append([part.name, part.filename, part.media_type, size, digest.hexdigest()])
    return seen


@ours.post("/form")
async def form(request: Request) -> dict[str, object]:
    found = await request.form()
    names = {name: [[each.filename, len(each.body)] for each in of_name] for name, of_name in found.files.items()}
    return {"fields": found.fields, "files": names}


@ours.websocket("/talk/{room:int}")
async def talk(websocket: WebSocket) -> None:
    word = websocket.query("word", default="none")
    if word == "no":
        raise HTTPError(409, "taken")
    await websocket.accept()
    link = websocket.url_for("head", id=websocket.param("room"))
    await websocket.send_json([websocket.client is not None, dict(websocket.cookies), word, link, str(websocket.url)])
    while True:
        await websocket.send_json(await websocket.receive_json(), binary=True)


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: FastAPIRequest, call_next: RequestResponseEndpoint) -> StarletteResponse:
        return await call_next(request)


theirs = FastAPI()


@theirs.get("/link/{item_id}")
async def link(item_id: int, request: FastAPIRequest) -> str:
    return request.url_for("link", item_id=item_id + 1).path


@theirs.post("/upload")
async def upload(file: UploadFile, word: Annotated[str, Form()]) -> list[object]:
    return [file.filename, len(await file.read()), word]


theirs.mount("/ours", as_app(ours))
behind: Any = Passing(as_app(ours))
app = Router(
    error=lambda request, error: (
        respond.json({"own": error.status}, error.status) if "own" in request.path else shape(error)
    )
)


def shape(error: HTTPError) -> App:

    return error_response(error)


@app.get("/home")
async def home(request: Request) -> str:
    return "home"


app.mount("/plain", ours)
app.mount("/behind", behind)
app.mount("/decompressed", decompress(ours))
app.mount("/fastapi", theirs)
app.mount("/", files.directory(os.environ["HOUSE_FILES"], fallback="index.html"))
