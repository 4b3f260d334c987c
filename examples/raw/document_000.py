"""Rows 1 and 2: a whole answer, and a blocking call before a stream."""

from examples.raw.routes import router
from examples.sources import text
from rawasgi import respond
from rawasgi.request import Request
from rawasgi.response import Response


@router.get("/infer/home")
async def home(_: Request) -> Response:
    """Row 1: one start, one body, and its length."""
    return respond.json("OK")


@router.get("/infer/predict")
async def predict(_: Request) -> Response:
    """Row 2: the headers leave at once; the blocking call has a thread, and everyone else the event loop."""
    return respond.stream(text.predicted())
