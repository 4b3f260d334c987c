"""Every stream of the documents with FastAPI, as the documents write it, and right where they are wrong.

``uvicorn examples.twin:app``. The same paths and the same sources as examples/raw.py: what differs is the framework.
A file a document. What FastAPI does not do for a stream is done by hand in events.py and wrappers.py.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from examples.catalogue import ROWS
from examples.twin import (
    document_000,
    document_001,
    document_002,
    document_003,
    document_004,
    extensions,
    formats,
    vendors,
)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
    async with document_002.postgres:
        yield
    await document_004.tasks.aclose()


app = FastAPI(title="rawasgi: the FastAPI twin", lifespan=lifespan)
DOCUMENTS = (document_000, document_001, document_002, document_003, document_004)
for document in (*DOCUMENTS, extensions, formats, vendors):
    app.include_router(document.router)
app.mount("/files", formats.files)


@app.get("/")
async def paths() -> list[str]:
    """The paths of every stream."""
    return [row.path for row in ROWS]
