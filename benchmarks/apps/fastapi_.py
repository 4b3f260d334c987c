"""The endpoints with FastAPI, as its documents have them."""

from fastapi import FastAPI
from fastapi.responses import FileResponse, StreamingResponse

from benchmarks.apps import sources

app = FastAPI()


@app.get("/burst/{count}")
async def burst(count: int) -> StreamingResponse:
    return StreamingResponse(sources.ready(count), media_type="text/plain")


@app.get("/paced/{count}")
async def paced(count: int) -> StreamingResponse:
    return StreamingResponse(sources.paced(count), media_type="text/plain")


@app.get("/short")
async def short() -> StreamingResponse:
    return StreamingResponse(sources.ready(sources.FEW), media_type="text/plain")


@app.get("/file/{mebibytes}")
async def file(mebibytes: str) -> FileResponse:
    return FileResponse(sources.file(mebibytes), media_type="application/octet-stream")
