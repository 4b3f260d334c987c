"""The endpoints with rawasgi, as a user writes them."""

from benchmarks.apps import sources
from rawasgi import files, respond
from rawasgi.asgi import App
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.routing import Router

app = Router()


@app.get("/burst/{count:int}")
async def burst(request: Request) -> Response:
    return respond.stream(sources.ready(request.param("count", int)))


@app.get("/paced/{count:int}")
async def paced(request: Request) -> Response:
    return respond.stream(sources.paced(request.param("count", int)))


@app.get("/short")
async def short(request: Request) -> Response:
    return respond.stream(sources.ready(sources.FEW))


@app.get("/file/{mebibytes}")
async def file(request: Request) -> App:
    return files.file(sources.file(request.param("mebibytes")))
