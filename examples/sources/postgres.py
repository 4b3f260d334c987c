"""Document 002: the same rows in a PostgreSQL, by a cursor that stays on the server and a pool of connections."""

import os
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, LiteralString

from examples.sources.rows import row_count

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

FETCHED = 1000  # rows that one message of the server brings: all that is held of them
CONNECTIONS = 20  # each is busy as long as its client reads
PATIENCE = 10.0  # seconds until who finds no server at the start is told so
MISSING = "DATABASE_URL names a PostgreSQL, and psycopg is missing: pip install 'psycopg[binary,pool]'"
# A number of your own for a lock of your own: of several processes that begin at once, one makes the table.
LOCK = 5_202_002


class Postgres:
    """A pool of connections to the PostgreSQL that DATABASE_URL names; ``async with`` it as long as the app lives.

    Where DATABASE_URL names none, ``is_open`` stays False. The table is made once, and its name says how many rows it
    has. Raises, on entering: RuntimeError without psycopg; PoolTimeout where nobody answers.
    """

    def __init__(self) -> None:
        self.pool: AsyncConnectionPool | None = None

    @property
    def is_open(self) -> bool:
        return self.pool is not None

    async def __aenter__(self) -> "Postgres":
        url = os.environ.get("DATABASE_URL", "")
        if not url.startswith(("postgres://", "postgresql://")):
            return self
        try:
            from psycopg_pool import AsyncConnectionPool  # it may be missing
        except ModuleNotFoundError as error:
            raise RuntimeError(MISSING) from error
        pool = AsyncConnectionPool(url, min_size=1, max_size=CONNECTIONS, open=False)
        try:
            await pool.open(wait=True, timeout=PATIENCE)
            await self._make_table(pool, row_count())
        except BaseException:
            await pool.close()
            raise
        self.pool = pool
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.pool is not None:
            pool, self.pool = self.pool, None
            await pool.close()

    async def _make_table(self, pool: "AsyncConnectionPool", count: int) -> None:
        from psycopg import sql

        name = sql.Identifier(_table(count))
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            found = await connection.execute("SELECT to_regclass(%s)", (_table(count),))
            if await found.fetchone() == (None,):
                columns = "id integer PRIMARY KEY, name text NOT NULL, amount float8 NOT NULL"
                await connection.execute(sql.SQL(f"CREATE TABLE {{}} ({columns})").format(name))
                made = "SELECT n, '第 ' || n || ' 行', n * 0.25 FROM generate_series(1, {}) AS n"
                await connection.execute(sql.SQL("INSERT INTO {} " + made).format(name, sql.Literal(count)))

    def rows(self, count: int) -> AsyncGenerator[dict[str, object], None]:
        """The first *count* rows of the table. Closing it closes the cursor and gives the connection back."""
        return self.select(
            f"SELECT id, name, amount FROM {_table(row_count())} ORDER BY id LIMIT %(count)s", {"count": count}
        )

    async def select(
        self, query: LiteralString, parameters: Mapping[str, object] | None = None
    ) -> AsyncGenerator[dict[str, object], None]:
        """The rows that *query* finds, a thousand of them held at once.

        Who is closed or cancelled while the server works has it cancel the query; the connection goes back to the pool
        in each case, with its transaction rolled back. Raises: PoolTimeout when none is free for 30 s.
        """
        from psycopg.rows import dict_row

        assert self.pool is not None, "rows of a database that was not opened"
        async with self.pool.connection() as connection, connection.cursor("rows", row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            while fetched := await cursor.fetchmany(FETCHED):
                for row in fetched:
                    yield row


def _table(count: int) -> LiteralString:
    return f"rawasgi_rows_{count}"
