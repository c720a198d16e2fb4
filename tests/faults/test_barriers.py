"""Where things break, no key leaves, whatever a server sends; and files are their owner's alone."""

import asyncio
import json
import logging
import re
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from graphs import build_graph
from graphs.history.runs import Runs, config
from graphs.history.store import open_store
from nodes.boundary.node import NodeError
from nodes.llm import clients
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.state import Problem
from tests.support.server import Asked, ModelServer, as_reply, completion, default_step, outline, who_asks

KEY = "sk-planted-0123456789abcdef"
OK = b"HTTP/1.1 200 OK\r\n"
DEEP = b"[" * 200_000


def sized(body: bytes, *headers: bytes) -> bytes:
    return OK + b"".join(header + b"\r\n" for header in headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


GARBAGE = {
    "nothing": b"",
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x28",
    "NUL": b"\0" * 100,
    "an odd version": b"HTTP/9.9 200 OK\r\n\r\n",
    "an odd status": b"HTTP/1.1 99999 OK\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "bad chunks": OK + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n",
    "chunks that end": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "a bad length": OK + b"Content-Length: many\r\n\r\n",
    "a negative length": OK + b"Content-Length: -1\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a bad header": OK + b"X\x00Y: \x01\r\n\r\n",
    "no colon": OK + b"header\r\n\r\n",
    "a long header": OK + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": OK + b"X: y\r\n" * 50_000 + b"\r\n",
    "cut headers": OK + b"Content-Le",
    "broken gzip": sized(b"no gzip", b"Content-Encoding: gzip"),
    "odd packing": sized(b"{}", b"Content-Encoding: odd"),
    "an odd charset": sized(b"{}", b"Content-Type: application/json; charset=odd"),
    "no UTF-8": sized(b'{"data": "\xff\xfe"}'),
    "deep JSON": sized(DEEP),
    "broken JSON": sized(b'{"data": [1,'),
    "a long number": sized(b'{"total_slots": ' + b"9" * 10_000 + b"}"),
    "odd numbers": sized(b'{"total_slots": -1, "data": [{"id": "scripted", "max_model_len": 1e999}]}'),
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "a redirect to itself": b"HTTP/1.1 307 R\r\nLocation: /v1/models\r\nContent-Length: 0\r\n\r\n",
    "a bad redirect": b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
}


Answer = Callable[[str, dict[str, Any], asyncio.StreamWriter], Any]


@asynccontextmanager
async def raw_server(probe: bytes | Answer | None = None, reply: bytes | None = None) -> AsyncIterator[str]:
    """Answer with these bytes: GET what is told of itself, POST what is asked; `None` stands for a sound reply."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            body = json.loads(await reader.readexactly(int(length[1]))) if length else {}
            await answer(head, body, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(head: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        told = probe if head.startswith("GET") else reply
        if callable(told):
            await told(head, body, writer)
            return
        if told is None and head.startswith("GET"):
            told = b"HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n"
        writer.write(told if told is not None else sound(body))
        await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


def sound(body: dict[str, Any]) -> bytes:
    step = default_step(Asked(*who_asks(body), body, {}, 0))
    return sized(json.dumps(completion(as_reply(step), step)).encode(), b"Content-Type: application/json")


async def kept_run(tmp_path: Path, context: dict[str, Any]) -> tuple[str, str]:
    """Run a question in a store; returns how it ended, and all that was kept and shown of it."""
    place = tmp_path / "kept" / "runs.sqlite"
    settings, problem = Settings(**context), Problem(question="What is it?")
    async with open_store(str(place)) as store:
        runs = Runs(store)
        async with runs.begin(problem, settings.show(), sequential=False) as entry:
            shown: list[str] = []
            try:
                modes = ["values", "updates", "tasks", "debug", "custom"]
                stream = runs.graph(entry).astream(
                    problem.model_dump(), config(entry), context=settings, stream_mode=modes, durability="sync"
                )
                outcome = "none"
                async for mode, event in stream:
                    shown.append(repr(event))
                    outcome = event.get("outcome", outcome) if mode == "values" else outcome
            except Exception as error:
                outcome = f"{type(error).__name__}: {error}"
                chain: BaseException | None = error
                while chain:
                    shown.append(repr(chain))
                    chain = chain.__cause__ or chain.__context__
    stored = "".join(path.read_bytes().decode("latin-1") for path in place.parent.rglob("*") if path.is_file())
    assert "What is it?" in stored
    return outcome, stored + "".join(shown)


@pytest.fixture(autouse=True)
def keyed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)


def without_key(caplog: pytest.LogCaptureFixture, *texts: str) -> None:
    for text in (caplog.text, *texts):
        assert KEY[3:] not in text


async def test_a_probe_without_end_costs_its_patience(tmp_path: Path) -> None:
    async def drip(_: str, __: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    async def flood(_: str, __: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        while not writer.is_closing():
            writer.write(b" " * 1_000_000)
            await writer.drain()

    for endless in (drip, flood):
        async with raw_server(probe=endless) as url:
            began = time.perf_counter()
            outcome, _ = await kept_run(tmp_path, {"model": "openai:scripted", "base_url": url})
            assert outcome == "complete" and time.perf_counter() - began < 20


@pytest.mark.parametrize("key", [f"{KEY}\r\nX: y", f"{KEY}\0", f"{KEY}é", f"{KEY} x\x7f"])
async def test_a_key_that_cannot_be_sent_is_said_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    if "\0" not in key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
        outcome, seen = await kept_run(tmp_path, {"model": "openai:scripted", "base_url": "http://127.0.0.1:9/v1"})
        assert outcome.startswith(ConfigurationError.__name__) and "OPENAI_API_KEY" in outcome
        without_key(caplog, seen)


async def test_what_breaks_a_node_leaves_it_as_an_error_of_ours(
    tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        try:
            raise ValueError(f"Illegal header value b'Bearer {KEY}'")
        except ValueError as error:
            raise RuntimeError(f"\x1b[2J with {KEY} and Bearer other-0123456789") from error

    monkeypatch.setattr(clients, "ask_server", broken)
    outcome, seen = await kept_run(tmp_path, {"model": "openai:scripted", "base_url": server.url})
    assert outcome.startswith(f"{NodeError.__name__}: assess broke: RuntimeError: ")
    assert "\x1b" not in outcome and "Bearer [secret]" in outcome and "assess broke" in caplog.text
    without_key(caplog, seen)


async def test_runs_and_results_are_their_owners_alone(
    tmp_path: Path, server: ModelServer, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APR_CACHE_FILE", str(tmp_path / "cache" / "threads.sqlite"))
    old = tmp_path / "kept" / "runs.sqlite"
    old.parent.mkdir()
    old.touch(0o644)
    old.parent.chmod(0o755)
    outcome, _ = await kept_run(tmp_path, {**context, "cache": True})
    assert outcome == "complete"
    async with open_store(str(tmp_path / "new" / "runs.sqlite")):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").rglob("*")}
    assert modes["runs.sqlite"] == 0o600 and not any(mode & 0o077 for mode in modes.values()), modes
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    parts = ["What is one?", "What is two?"]
    server.on("assess", outline(*parts))
    await build_graph().ainvoke({"question": " ".join(parts)}, context={**context, "cache": True})
    file = tmp_path / "cache" / "threads.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
