"""Document 002: a database cursor, row by row, in constant memory.

SQLite by default, in a table made on first use; PostgreSQL through a server-side cursor when DATABASE_URL says so.
"""

import importlib
import itertools
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
    url = os.environ.get("DATABASE_URL", "")
    count = row_count() if count is None else count
    if url.startswith(("postgres://", "postgresql://")):
        yield from _postgres(url, count)
    else:
        yield from _sqlite(count)


def _generated() -> Iterator[tuple[int, str, float]]:
    for number in range(1, row_count() + 1):
        yield number, f"第 {number} 行", number * 0.25


def _make_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL NOT NULL)")
        connection.executemany("INSERT INTO items VALUES (?, ?, ?)", _generated())


def _sqlite(count: int) -> Generator[dict[str, object], None, None]:
    path = made_once(cache_folder() / f"rows-{row_count()}.sqlite3", _make_table)
    # A framework may draw each row in another thread, one at a time; sqlite3 would refuse that.
    url = f"{path.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(url, uri=True, check_same_thread=False)) as connection:
        cursor = connection.execute("SELECT id, name, amount FROM items ORDER BY id LIMIT ?", (count,))
        for row in cursor:
            yield dict(zip(COLUMNS, row, strict=True))


def _postgres(url: str, count: int) -> Generator[dict[str, object], None, None]:
    psycopg = importlib.import_module("psycopg")  # an extra: whoever names a PostgreSQL has it
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TEMPORARY TABLE rawasgi_items AS SELECT n AS id, '第 ' || n || ' 行' AS name,"
            " n * 0.25::float8 AS amount FROM generate_series(1, %s) AS n",
            (row_count(),),
        )
        # A named cursor stays on the server and is fetched a thousand rows at a time.
        with connection.cursor(name="rows") as cursor:
            cursor.itersize = 1000
            cursor.execute("SELECT id, name, amount FROM rawasgi_items ORDER BY id LIMIT %s", (count,))
            for row in itertools.chain.from_iterable(iter(lambda: cursor.fetchmany(1000), [])):
                yield dict(zip(COLUMNS, row, strict=True))
