"""Document 002: a database cursor, row by row, in constant memory.

SQLite, in a table made on first use; postgres.py is for who has a PostgreSQL.
"""

import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from examples.sources.files import cache_folder, made_once

DEFAULT_ROWS = 10_000
COLUMNS = ("id", "name", "amount")


def row_count() -> int:
    """How many rows the table has: RAWASGI_ROWS, 10,000 by default."""
    return int(os.environ.get("RAWASGI_ROWS") or DEFAULT_ROWS)


def rows(count: int | None = None) -> Generator[dict[str, object], None, None]:
    """The first *count* rows of the table, or all. Blocks: not for the event loop.

    The connection belongs to the generator: closing one closes the other.
    """
    path = made_once(cache_folder() / f"rows-{row_count()}.sqlite3", _make_table)
    # A framework may draw each row in another thread, one at a time; sqlite3 would refuse that.
    url = f"{path.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(url, uri=True, check_same_thread=False)) as connection:
        limit = row_count() if count is None else count
        cursor = connection.execute("SELECT id, name, amount FROM items ORDER BY id LIMIT ?", (limit,))
        for row in cursor:
            yield dict(zip(COLUMNS, row, strict=True))


def _generated() -> Iterator[tuple[int, str, float]]:
    for number in range(1, row_count() + 1):
        yield number, f"第 {number} 行", number * 0.25


def _make_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL NOT NULL)")
        connection.executemany("INSERT INTO items VALUES (?, ?, ?)", _generated())
