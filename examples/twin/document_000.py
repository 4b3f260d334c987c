"""Rows 1 and 2: a whole answer, and a blocking call before a stream."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from examples.sources import text

router = APIRouter(prefix="/infer")


@router.get("/home")
async def home() -> str:
    return "OK"


@router.get("/predict")
async def predict() -> StreamingResponse:
    return StreamingResponse(text.predicted(), media_type="text/plain")
