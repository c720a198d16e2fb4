"""`apr serve`, run as a user runs it."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from tests.support.command import STEADY, start
from tests.support.server import ModelServer


class Served(NamedTuple):
    """A server at work."""

    url: str
    key: str
    """The key that it printed; empty where it printed none."""


@asynccontextmanager
async def apr_serve(model: ModelServer, **environment: str) -> AsyncIterator[Served]:
    """Start the server on a free port."""
    process = await start(model, "serve", "--port", "0", **(STEADY | environment))
    try:
        assert process.stderr is not None
        said = (await process.stderr.readline()).decode()
        assert "/v1 answers with" in said, said + (await process.stderr.read()).decode()
        printed = "" if "APR_TOKENS" in environment else (await process.stderr.readline()).decode()
        yield Served(said.split()[1], printed.rpartition(" ")[2].strip())
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()
