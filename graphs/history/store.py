"""Where runs are kept: a SQLite file, or a PostgreSQL database."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite
from langgraph.store.base import BaseStore
from tenacity import AsyncRetrying

from graphs.history.locks import FileLocks, Locks
from graphs.history.saver import SqliteSaver
from nodes.shared.cleaning import one_line
from nodes.shared.install import how_to_install
from nodes.shared.private import make_private
from nodes.threads.cache_store import LOCKED_RETRY, name_place


class StoreError(Exception):
    """Runs cannot be kept or read; the message says where and what to do."""


@dataclass(frozen=True)
class Store:
    """An open store."""

    saver: Any
    """The checkpointer."""
    items: BaseStore
    """What is kept beside the checkpoints."""
    locks: Locks
    """Who works on which run."""


@asynccontextmanager
async def open_store(where: str) -> AsyncIterator[Store]:
    """Open a store; files, folders and tables are made on first use.

    Args:
        where: The path of a SQLite file, or `postgresql://…`.

    Raises:
        StoreError: It cannot be opened.
    """
    opened = _postgres(where) if where.startswith(("postgresql://", "postgres://")) else _sqlite(Path(where))
    async with _name_store(opened, where) as store:
        yield store


@asynccontextmanager
async def _name_store(opening: AbstractAsyncContextManager[Store], where: str) -> AsyncIterator[Store]:
    """Say which store it is that cannot be opened."""
    async with AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(opening)
        except ModuleNotFoundError as error:
            raise StoreError(f"runs in PostgreSQL need an extra: {how_to_install('postgres')}") from error
        except Exception as error:
            why = one_line(str(error)) or type(error).__name__
            raise StoreError(
                f"runs cannot be kept in {name_place(where)}: {why}; choose another place with --store or APR_STORE, "
                "or none with --store none"
            ) from error
        yield store


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[Store]:
    from langgraph.store.sqlite.aio import AsyncSqliteStore

    await asyncio.to_thread(make_private, path)
    async with (
        aiosqlite.connect(path) as connection,
        AsyncSqliteStore.from_conn_string(str(path)) as items,
    ):
        saver = SqliteSaver(connection).keep_texts(items)

        async def make_tables() -> None:
            await saver.setup()
            await items.setup()

        await AsyncRetrying(**LOCKED_RETRY)(make_tables)
        try:
            yield Store(saver, items, FileLocks(path.with_name(f"{path.name}.locks")))
        except (sqlite3.Error, json.JSONDecodeError) as error:
            raise StoreError(f"the runs in {path} cannot be read or written any more: {error}") from error
        finally:
            saver.close()
            await _end_batches(items)
            await _end_transactions(connection, items.conn)


@asynccontextmanager
async def _postgres(where: str) -> AsyncIterator[Store]:
    from psycopg import Error as PsycopgError

    from graphs.history.postgres import open_postgres

    async with open_postgres(where) as (saver, items, locks):
        try:
            yield Store(saver, items, locks)
        except PsycopgError as error:
            why = one_line(str(error))
            raise StoreError(f"the runs in {name_place(where)} cannot be read or written any more: {why}") from error
        finally:
            saver.close()
            await _end_batches(items)


async def _end_batches(items: Any) -> None:
    """End the task of a store that waits for more to do; LangGraph leaves it to the collector, which complains."""
    if task := items._task:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _end_transactions(*connections: aiosqlite.Connection) -> None:
    """End what a cancelled write has begun: its lock outlives the connection while anything holds its statement."""
    for connection in connections:
        with suppress(sqlite3.Error, ValueError):
            await connection.rollback()
