"""A router whose streams yield what people have, mounted in FastAPI behind BaseHTTPMiddleware, and without."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID

from fastapi import FastAPI
from fastapi import Request as TheirRequest
from fastapi import Response as TheirResponse
from pydantic import BaseModel, Field

from rawasgi import Request, Response, Router, respond
from rawasgi.asgi import App
from rawasgi.failures import told


class Kind(Enum):
    NEW = "new"


class Order(BaseModel):
    id: UUID
    at: datetime
    price: Decimal
    kind: Kind
    note: str = Field(alias="theNote")


@dataclass
class Line:
    order: Order
    text: str


class Own:
    """What nobody has a rule for."""


ORDER = Order(
    id=UUID(int=1),
    at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    price=Decimal("1.10"),
    kind=Kind.NEW,
    theNote="一行\u2028示例\x85数据",
)
MAKERS: dict[str, Callable[..., Response]] = {
    "sse": respond.sse,
    "ndjson": respond.ndjson,
    "json-seq": respond.json_seq,
    "array": respond.json_array,
    "csv": respond.csv,
}
router = Router()
released: list[str] = []


async def orders(name: str, bad: bool) -> AsyncIterator[Any]:
    try:
        yield ORDER
        await asyncio.sleep(0.01)
        yield ORDER if name == "csv" else Line(ORDER, "名")
        if bad:
            yield [b"bytes"] * len(Order.model_fields) if name == "csv" else {"own": Own()}
            await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)  # a release that takes its time
        released.append(name)


@router.get("/whole/{name}")
async def whole(request: Request) -> Response:
    name = request.param("name")
    return MAKERS[name](orders(name, bad=False))


@router.get("/reported/{name}")
async def reported(request: Request) -> Response:
    name = request.param("name")
    return MAKERS[name](told(orders(name, bad=True)))


@router.get("/cut/{name}")
async def cut(request: Request) -> Response:
    name = request.param("name")
    return MAKERS[name](orders(name, bad=True))


@router.get("/released")
async def count(request: Request) -> dict[str, list[str]]:
    return {"released": released}


fastapi = FastAPI()


@fastapi.middleware("http")
async def counted(
    request: TheirRequest, call_next: Callable[[TheirRequest], Awaitable[TheirResponse]]
) -> TheirResponse:
    response = await call_next(request)
    response.headers["x-seen"] = "1"
    return response


fastapi.mount("/ours", cast(App, router))
app = Router()
app.mount("/fastapi", cast(App, fastapi))
app.mount("/plain", router)  # BaseHTTPMiddleware ends the body of an app that failed as if it were whole
