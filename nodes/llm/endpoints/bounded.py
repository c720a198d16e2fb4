"""The bounds of every reply: so many bytes once unpacked, so many seconds to its end."""

import asyncio
import math
import zlib
from collections.abc import AsyncIterator, Iterator

import httpx2

MAX_REPLY_BYTES = 20_000_000
"""Of a reply, unpacked; of a streamed one, of each of its lines."""
MAX_STREAM_BYTES = 100_000_000
"""Of a streamed reply, in which each word is wrapped in some 300 bytes."""
ACCEPTED = "gzip, deflate"
"""Encodings that are unpacked here, piece by piece."""
_PIECE_BYTES = 1_000_000


class ReplyTooLarge(httpx2.TransportError):
    """A reply passed its bound and was read no further."""


async def bound(response: httpx2.Response) -> None:
    """Bound a response before anything of its body is read; a hook of the HTTP client's, redirects included."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise httpx2.DecodingError(f"the reply is packed as {encoding!r}, which was not asked for")
    response.headers.pop("content-encoding", None)
    response.stream = _Bounded(response, packed=encoding not in ("", "identity"))


class _Bounded(httpx2.AsyncByteStream):
    """A response's body, unpacked, within bounds."""

    def __init__(self, response: httpx2.Response, *, packed: bool) -> None:
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        self._inner = response.stream
        self._streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        # Either kind of header, as some servers send zlib's where they say deflate.
        self._unpacking = zlib.decompressobj(32 + zlib.MAX_WBITS) if packed else None
        seconds = response.request.extensions.get("timeout", {}).get("read")
        self._until = math.inf if seconds is None else asyncio.get_running_loop().time() + seconds
        self._read = self._line = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            for part in self._unpack(piece):
                self._check(part)
                yield part

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _unpack(self, piece: bytes) -> Iterator[bytes]:
        if self._unpacking is None:
            yield piece
            return
        try:
            while part := self._unpacking.decompress(piece, _PIECE_BYTES):
                yield part
                piece = self._unpacking.unconsumed_tail
        except zlib.error as error:
            raise httpx2.DecodingError(f"the reply cannot be unpacked: {error}") from error

    def _check(self, part: bytes) -> None:
        # Not only by cancelling: Python 3.11 may drop a cancellation when the next piece is there already.
        if asyncio.get_running_loop().time() > self._until:
            raise httpx2.ReadTimeout("the reply came too slowly")
        self._read += len(part)
        end = part.rfind(b"\n")
        self._line = self._line + len(part) if end < 0 else len(part) - end - 1
        most = MAX_STREAM_BYTES if self._streamed else MAX_REPLY_BYTES
        if self._read > most or (self._streamed and self._line > MAX_REPLY_BYTES):
            raise ReplyTooLarge(f"the reply passed {(most if self._read > most else MAX_REPLY_BYTES):,} bytes")
