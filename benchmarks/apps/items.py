"""Items as people have them: a pydantic model, a dataclass, and a dict, each with a UUID and a datetime."""

from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class Model(BaseModel):
    id: UUID
    at: datetime
    number: int
    text: str


@dataclass
class Row:
    id: UUID
    at: datetime
    number: int
    text: str


BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROWS = [Row(UUID(int=number), BEGAN + timedelta(seconds=number), number, "一行示例数据") for number in range(100)]
DICTS = [asdict(row) for row in ROWS]
MODELS = [Model(**each) for each in DICTS]


async def models(count: int) -> AsyncGenerator[Model, None]:
    """Yield *count* models, all of them ready."""
    for number in range(count):
        yield MODELS[number % 100]


async def rows(count: int) -> AsyncGenerator[Row, None]:
    """Yield *count* dataclasses, all of them ready."""
    for number in range(count):
        yield ROWS[number % 100]


async def dicts(count: int) -> AsyncGenerator[dict[str, Any], None]:
    """Yield *count* dicts, all of them ready."""
    for number in range(count):
        yield DICTS[number % 100]


SOURCES = {"model": models, "dataclass": rows, "dict": dicts}


def text_of(value: object) -> str:
    """Return what JSON has no type for as text: what a user gives ``json.dumps`` for ``default``."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
