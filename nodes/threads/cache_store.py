"""Where the thread cache of a user lies: a SQLite file, or a Redis server."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from langgraph.cache.base import BaseCache
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from nodes.shared.environment import cache_file, environment_redis_url
from nodes.shared.install import how_to_install
from nodes.shared.plain_json import PlainJson
from nodes.shared.private import make_private

NAMESPACE = ("apr", "thread", "2")
"""The last part is the version of what is kept; entries of another one are not found."""
OLD_NAMESPACES = (("apr", "thread", "1"),)
"""Namespaces of earlier versions, which are only removed."""

LOCKED_RETRY: Any = {
    "retry": retry_if_exception_type((sqlite3.OperationalError, sqlite3.IntegrityError)),
    "stop": stop_after_delay(3),
    "wait": wait_random(0.05, 0.2),
    "reraise": True,
}
"""SQLite waits for others by itself (5 s), but not for one that is making the same new file at this moment."""


class CacheError(Exception):
    """The cache cannot be used; the message says which and why."""


class Stats(NamedTuple):
    """What a cache holds."""

    entries: int
    size: int
    """Bytes of all entries."""
    where: str


def place() -> str:
    """Name where the cache lies: the address of a Redis server, or a file."""
    return environment_redis_url() or str(cache_file())


def name_place(where: str) -> str:
    """Name a place without its password."""
    scheme, slashes, rest = where.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if slashes else where


def open_cache(where: str) -> BaseCache[Any]:
    """Open a cache; a file and its folder are made if they are not there.

    Raises:
        CacheError: The file is damaged, locked or not to be written; the extra `redis` is missing.
    """
    with _tell_faults(where):
        if "://" in where:
            from nodes.threads.redis_cache import RedisCache

            return RedisCache.from_url(where)
        from langgraph.cache.sqlite import SqliteCache

        make_private(Path(where))
        return Retrying(**LOCKED_RETRY)(SqliteCache, path=where, serde=PlainJson())


def cache_stats() -> Stats:
    """Count what the user's cache holds.

    Raises:
        CacheError: It cannot be read.
    """
    where = place()
    with _tell_faults(where):
        sizes = _sizes(where)
    return Stats(len(sizes), sum(sizes), name_place(where))


def clear_cache() -> int:
    """Remove everything from the user's cache, and return how many entries that were.

    Raises:
        CacheError: It cannot be read or written.
    """
    where, before = place(), cache_stats()
    if before.entries:
        with _tell_faults(where):
            open_cache(where).clear([NAMESPACE, *OLD_NAMESPACES])
    return before.entries


def _sizes(where: str) -> list[int]:
    if "://" in where:
        from nodes.threads.redis_cache import RedisCache

        return RedisCache.from_url(where).sizes(NAMESPACE)
    if not Path(where).exists():
        return []
    with closing(sqlite3.connect(f"{Path(where).absolute().as_uri()}?mode=ro", uri=True)) as file:
        return [size for (size,) in file.execute("SELECT length(val) FROM cache WHERE ns = ?", (",".join(NAMESPACE),))]


@contextmanager
def _tell_faults(where: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise CacheError(f"APR_REDIS_URL needs an extra: {how_to_install('redis')}") from error
    except (OSError, sqlite3.Error, ValueError) as error:
        hint = "" if "://" in where else " (remove the file to start anew, or name another with APR_CACHE_FILE)"
        raise CacheError(f"the thread cache {name_place(where)} cannot be used: {error}{hint}") from error
