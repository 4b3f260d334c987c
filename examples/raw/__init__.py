"""Every stream of the documents with rawasgi: a lesson a row, a file a document.

``uvicorn examples.raw:app``. The same paths and the same sources as examples/twin: what differs is the framework. A
handler is an async function that returns a response, or an async generator, whose items become one. What one does to a
stream is a function of streams, so most rows are one line: read it from the inside to the outside.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from examples.listing import listing
from examples.raw import (
    chats,
    document_000,
    document_001,
    document_002,
    document_003,
    document_004,
    extensions,
    formats,
    gateway,
    resuming,
    vendors,
)
from examples.raw.routes import router
from examples.sources import tokens
from rawasgi.lifespans import lifespan
from rawasgi.request import Request
from rawasgi.response import Response

# Imported, they have their rows.
DOCUMENTS = (document_000, document_001, document_002, document_003, document_004)
ROWS = (*DOCUMENTS, formats, extensions, vendors, chats)


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    """What lives as long as the app: runs (rows 19 and 37), connections of row 22 and of a gateway, the model."""
    await asyncio.to_thread(tokens.load)
    async with resuming.runs, document_002.postgres, gateway.living():
        yield


@router.get("/")
async def rows(request: Request) -> Response:
    """All rows."""
    return listing(request, {"rawasgi": ""})


app = lifespan(router, living)
