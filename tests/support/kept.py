"""Everything that a run leaves behind, to be searched for what may not be in it: files, logs, traces, pages, events."""

import asyncio
import base64
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import langsmith
from langchain_core.tracers import LangChainTracer

from graphs.history.runs import Runs, config
from graphs.history.store import open_store
from graphs.page.page import page
from nodes.reporting.tracing import anonymizer
from nodes.settings import Settings
from nodes.state import Problem
from tests.support.services.traces import TraceServer, trace_server

KEY = "planted+0123456789/abcdef-like-no-other"
"""The key of a model server: nothing about it looks like one, and some forms of writing change it."""
MODES = ["values", "updates", "tasks", "custom"]


def forms(secret: str) -> set[bytes]:
    """List the ways in which a secret can be written."""
    texts = {secret, quote(secret, safe=""), secret.replace("/", r"\/"), secret[:12], secret[-12:]}
    written = {text.encode(coding) for text in texts for coding in ("utf-8", "utf-16-le")}
    # Wherever in encoded bytes it stands.
    return written | {base64.b64encode(b" " * shift + secret.encode())[4:-4] for shift in range(3)}


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder; a database also value by value, since its pages cut long ones."""
    found = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name, content in list(found.items()):
        if content.startswith(b"SQLite format 3"):
            found[f"rows of {name}"] = b"\n".join(_values(name))
    return found


def _values(file: str) -> list[bytes]:
    with closing(sqlite3.connect(file)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for table in tables for row in database.execute(f'SELECT * FROM "{table}"')]
    return [value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row]


class Kept:
    """What runs left behind.

    Attributes:
        folder: Where they may write: the store, the cache, what endpoints have shown.
        shown: What they told while they ran, how they ended, and their pages.
        traces: What was sent to LangSmith.
    """

    def __init__(self, folder: Path, traces: TraceServer, tracer: langsmith.Client) -> None:
        self.folder, self.traces, self.shown, self._tracer = folder, traces, [""], tracer

    async def run(self, question: str, context: dict[str, Any], *, streaming: bool = False) -> Any:
        """Run a question in a store, traced; returns its solution, or the error that it ended with."""
        settings, problem = Settings(**{"cache": True} | context), Problem(question=question)
        async with open_store(str(self.folder / "runs.sqlite")) as store:
            runs, ended = Runs(store), None
            async with runs.begin(problem, settings.show(), sequential=False) as entry:
                modes = [*MODES, *(["messages"] if streaming else [])]
                try:
                    traced = config(entry) | {"callbacks": [LangChainTracer(client=self._tracer)]}
                    stream = runs.graph(entry).astream(
                        problem.model_dump(), traced, context=settings, stream_mode=modes
                    )
                    async for mode, event in stream:
                        self.shown.append(repr([event[0].__dict__, event[1]] if mode == "messages" else event))
                        ended = event if mode == "values" else ended
                    await runs.end(entry, ended["outcome"] if ended else "failed")
                except Exception as error:
                    self._tell(error)
                    ended = error
            with suppress(Exception):  # a run that broke off has no solution
                solution = await runs.solution(entry.id)
                self.shown += [solution.model_dump_json(), page(solution)]
        return ended

    def _tell(self, error: BaseException | None) -> None:
        while error:
            self.shown += [repr(error), repr(error.__dict__)]
            error = error.__cause__ or error.__context__

    async def everything(self, *more: str) -> dict[str, bytes]:
        """Return every byte that was left, by where it stands."""
        await asyncio.to_thread(self._tracer.flush)
        found = await asyncio.to_thread(bytes_of, self.folder)
        texts = "\n".join([*self.shown, *more]).encode("utf-8", "surrogatepass")
        return {**found, "what was shown": texts, "the traces": self.traces.bytes}

    async def without(self, secret: str, *more: str) -> dict[str, bytes]:
        """Check that a secret stands nowhere, in whatever form; returns all that was searched."""
        everything = await self.everything(*more)
        places = {place for place, content in everything.items() for form in forms(secret) if form in content}
        assert not places, places
        return everything


@asynccontextmanager
async def keeping(folder: Path) -> AsyncIterator[Kept]:
    """Keep what runs leave, in a folder and at a trace server of their own."""
    async with trace_server() as traces:
        tracer = langsmith.Client(api_url=traces.url, api_key="lsv2_pt_its_own_key", anonymizer=anonymizer)
        try:
            yield Kept(folder, traces, tracer)
        finally:
            await asyncio.to_thread(tracer.flush)
            await asyncio.to_thread(tracer.close)


def said_in(records: list[logging.LogRecord]) -> str:
    """Write log lines with all that hangs on them."""
    return "\n".join(f"{record.getMessage()} {record.__dict__}" for record in records)
