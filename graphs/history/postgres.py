"""Runs in a PostgreSQL database, for servers (extra `postgres`)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.store.postgres.aio import AsyncPostgresStore
from psycopg import AsyncConnection, Error
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from graphs.history.saver import TextsOnce

# Of a database that has gone away it would tell every try; the run says it once.
logging.getLogger("psycopg").setLevel(logging.ERROR)

MAX_CONNECTIONS = 4
CONNECT_TIMEOUT_S = 10.0
"""Seconds to wait for a connection."""
_ALONE = "SELECT pg_try_advisory_lock(hashtextextended('apr:tables', 0))"
_UNLOCK = "SELECT pg_advisory_unlock_all()"
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS got"


class PostgresSaver(TextsOnce, AsyncPostgresSaver):
    """On a PostgreSQL database."""


class AdvisoryLocks:
    """PostgreSQL's advisory locks, which go with the connection that holds them."""

    def __init__(self, url: str) -> None:
        """Take locks over connections of their own."""
        self.url = url

    @asynccontextmanager
    async def hold(self, run: str) -> AsyncIterator[bool]:
        """Hold a run's lock."""
        connection = await AsyncConnection.connect(self.url, autocommit=True, row_factory=dict_row)
        try:
            row: Any = await (await connection.execute(_LOCK, (f"apr:{run}",))).fetchone()
            yield bool(row["got"])
        finally:
            # The server frees what a closed connection held only when it sees to it; another may ask before that.
            with suppress(Error):
                await connection.execute(_UNLOCK)
            await connection.close()

    async def is_held(self, run: str) -> bool:
        """Tell whether somebody holds a run's lock."""
        async with self.hold(run) as free:
            return not free


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[tuple[PostgresSaver, AsyncPostgresStore, AdvisoryLocks]]:
    """Open a database; its tables are made on first use.

    Args:
        url: `postgresql://user:password@host:port/database`.
    """
    options: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool: Any = AsyncConnectionPool(
        url, min_size=1, max_size=MAX_CONNECTIONS, kwargs=options, open=False, timeout=CONNECT_TIMEOUT_S
    )
    async with pool:
        items = AsyncPostgresStore(pool)
        saver = PostgresSaver(pool).keep_texts(items)
        # Says at once what the pool would only say after waiting; and of several, one makes the tables.
        async with await AsyncConnection.connect(url, autocommit=True, connect_timeout=int(CONNECT_TIMEOUT_S)) as alone:
            # Tried again and again: who waits inside the database would hold up the making of its indexes.
            while (row := await (await alone.execute(_ALONE)).fetchone()) and not row[0]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            await saver.setup()
            await items.setup()
        yield saver, items, AdvisoryLocks(url)
