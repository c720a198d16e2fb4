"""LangGraph's cache on a Redis server, without blocking the loop and with faults told.

LangGraph's own asks the server in the loop's thread and keeps its faults to itself.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import redis
from langgraph.cache.base import FullKey
from langgraph.cache.redis import RedisCache as Plain

from nodes.shared.plain_json import PlainJson

SERVER_TIMEOUT_S = 5.0
"""Seconds to wait for the server."""


class RedisCache(Plain[Any]):
    """A cache on a Redis server."""

    @classmethod
    def from_url(cls, url: str) -> "RedisCache":
        """Connect on first use.

        Raises:
            ValueError: The address is none.
        """
        server = redis.Redis.from_url(url, socket_timeout=SERVER_TIMEOUT_S, socket_connect_timeout=SERVER_TIMEOUT_S)
        return cls(server, serde=PlainJson(), prefix="apr:")

    def sizes(self, namespace: tuple[str, ...]) -> list[int]:
        """Return the size of every entry, in bytes.

        Raises:
            OSError: The server cannot be asked.
        """
        try:
            return [
                int(self.redis.strlen(key)) for key in self.redis.scan_iter(match=f"{self._make_key(namespace, '*')}")
            ]
        except redis.RedisError as error:
            raise OSError(str(error)) from error

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """Get values, without those that cannot be read; raises what `redis` raises."""
        values: dict[FullKey, Any] = {}
        for key, stored in zip(keys, self.redis.mget([self._make_key(*key) for key in keys]), strict=True):
            encoding, colon, data = (stored or b"").partition(b":")
            with suppress(Exception):  # somebody else's, or damaged: as if it were not there
                if colon:
                    values[key] = self.serde.loads_typed((encoding.decode(), data))
        return values

    def set(self, mapping: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """Set values, each for so many seconds; raises what `redis` raises."""
        with self.redis.pipeline() as pipe:
            for key, (value, seconds) in mapping.items():
                encoding, data = self.serde.dumps_typed(value)
                pipe.set(self._make_key(*key), f"{encoding}:".encode() + data, ex=seconds)
            pipe.execute()

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """Get values; raises what `redis` raises."""
        return await asyncio.to_thread(self.get, keys)

    async def aset(self, mapping: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """Set values; raises what `redis` raises."""
        await asyncio.to_thread(self.set, mapping)
