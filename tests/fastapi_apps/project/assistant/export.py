"""Exports: the rows of a database by a blocking generator, as CSV and as JSON Lines."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from assistant.session import CurrentSession

router = APIRouter(prefix="/orders")
QUERY = "WITH RECURSIVE o(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM o WHERE i < ?) SELECT i, i * 1.5 FROM o"


class Order(BaseModel):
    id: int
    amount: float


def select_orders(count: int) -> Iterator[Order]:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        for id, amount in connection.execute(QUERY, (count,)):
            yield Order(id=id, amount=amount)


@router.get(".csv")
def orders_as_csv(session: CurrentSession, count: int = 1000) -> StreamingResponse:
    def lines() -> Iterator[str]:
        yield "id,amount\n"
        for order in select_orders(count):
            yield f"{order.id},{order.amount}\n"

    headers = {"content-disposition": f'attachment; filename="orders-{session.user}.csv"'}
    return StreamingResponse(lines(), media_type="text/csv", headers=headers)


@router.get(".jsonl")
def orders_as_json_lines(session: CurrentSession, count: int = 1000) -> Iterator[Order]:
    yield from select_orders(count)
