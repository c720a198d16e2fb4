"""Servers that send too much, too slowly or no HTTP at all: every reply ends, and its run with it."""

import asyncio
import gzip
import json
import resource
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from aiohttp import web

from graphs import graph, sequential
from nodes.llm import clients
from nodes.llm.endpoints.bounded import ACCEPTED, MAX_REPLY_BYTES, bound
from nodes.llm.replies import errors
from tests.support.server import HANG, Fault, ModelServer, Reply, completion, outline, serving

MAX_STREAM = 2_000_000
"""Bytes of a streamed reply, in these tests."""
KEY = "sk-planted-0123456789abcdef"
ANSWER = json.dumps(completion(Reply("Yes."), "Yes."))
CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "so "}, "finish_reason": null}]}\n\n'
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])


async def ask(address: str, *, streaming: bool = False, **settings: Any) -> dict[str, Any]:
    context = {"model": "openai:x", "base_url": f"{address}/v1", **settings}
    modes = ["values", *(["messages"] if streaming else [])]
    async for mode, seen in sequential.astream({"question": "Is it?"}, context=context, stream_mode=modes):
        if mode == "values":
            solution = seen
    assert isinstance(solution, dict)
    return solution


class Sender:
    """Sends bodies without end, and counts what it could send."""

    def __init__(self, piece: bytes, content_type: str, *, pause: float = 0.0, **headers: str) -> None:
        self.piece, self.pause, self.sent = piece, pause, 0
        self.headers = {"Content-Type": content_type, **headers}

    async def send(self, http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=self.headers)
        await response.prepare(http)
        while True:
            await response.write(self.piece)
            self.sent += len(self.piece)
            await asyncio.sleep(self.pause)


@asynccontextmanager
async def answering(chat: Any, probe: Any = None) -> AsyncIterator[str]:
    """Serve chat completions, and what a probe asks for."""

    async def nothing(_: web.Request) -> web.Response:
        raise web.HTTPNotFound

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/{path:.*}", probe or nothing)
    async with serving(app) as address:
        yield address


async def yes(_: web.Request) -> web.Response:
    return web.Response(text=ANSWER, content_type="application/json")


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize(
    ("piece", "kind", "streaming", "most"),
    [
        (b"x" * 100_000, "application/json", False, MAX_REPLY_BYTES),
        (b"x" * 100_000, "application/json", True, MAX_REPLY_BYTES),
        (b"x" * 100_000, "text/event-stream", True, MAX_REPLY_BYTES),
        (CHUNK * 1_000, "text/event-stream", True, MAX_STREAM),
    ],
    ids=["whole", "not streamed", "one line", "many lines"],
)
async def test_a_body_without_end_is_read_no_further(
    monkeypatch: pytest.MonkeyPatch, piece: bytes, kind: str, streaming: bool, most: int
) -> None:
    monkeypatch.setattr("nodes.llm.endpoints.bounded.MAX_STREAM_BYTES", MAX_STREAM)
    sender = Sender(piece, kind)
    async with answering(sender.send) as address:
        solution = await ask(address, streaming=streaming)
    assert "bytes" in solution["stop_reason"] and solution["outcome"] == (
        "partial" if piece != b"x" * 100_000 else "failed"
    )
    assert sender.sent < most + 10_000_000 and solution["report"].calls == 1


@both_ways
async def test_a_bomb_is_not_unpacked(streaming: bool) -> None:
    packed = gzip.compress(b'{"choices": "' + b"0" * 300_000_000 + b'"}', compresslevel=1)

    async def send(_: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    before, began = peak_megabytes(), time.process_time()
    async with answering(send, send) as address:
        solution = await ask(address, streaming=streaming)
    assert "passed 20,000,000 bytes" in solution["stop_reason"] and solution["report"].calls == 1
    assert peak_megabytes() - before < 200 and time.process_time() - began < 4


@both_ways
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_packed_reply_is_read(streaming: bool, encoding: str) -> None:
    async def send(_: web.Request) -> web.Response:
        response = await yes(_)
        response.enable_compression(web.ContentCoding(encoding))
        return response

    async with answering(send) as address:
        assert (await ask(address, streaming=streaming))["outcome"] == "complete"


@pytest.mark.parametrize(
    "probe", [Sender(b"1", "application/json", pause=0.1), Sender(b"[" * 100_000, "application/json")]
)
async def test_a_slow_or_endless_probe_holds_up_the_first_call_for_two_seconds(probe: Sender) -> None:
    async with answering(yes, probe.send) as address:
        began = time.monotonic()
        assert (await ask(address, request_timeout=20))["outcome"] == "complete"
        assert time.monotonic() - began < 15


@both_ways
async def test_a_reply_that_comes_slowly_ends_with_the_time_limit(streaming: bool) -> None:
    kind = "text/event-stream" if streaming else "application/json"
    async with answering(Sender(CHUNK[:1], kind, pause=0.05).send) as address:
        began = time.monotonic()
        solution = await ask(address, streaming=streaming, request_timeout=1)
    assert solution["outcome"] == "failed" and "within 1 s" in solution["stop_reason"]
    assert time.monotonic() - began < 15


async def test_streams_that_never_pause_end_with_the_time_limit() -> None:
    """A cancellation that comes at the same moment as a piece must not be lost."""
    async with answering(Sender(CHUNK, "text/event-stream").send) as address:
        began = time.monotonic()
        solutions = await asyncio.gather(*(ask(address, streaming=True, request_timeout=2) for _ in range(24)))
    assert {solution["outcome"] for solution in solutions} == {"partial"}  # what had come by then is kept
    assert time.monotonic() - began < 30


async def test_a_reply_ends_in_time_even_if_nobody_cancels_it() -> None:
    """Each read is quick, and so no limit on a read alone would end it."""
    client = httpx2.AsyncClient(headers={"Accept-Encoding": ACCEPTED}, event_hooks={"response": [bound]})
    async with answering(Sender(CHUNK, "text/event-stream", pause=0.05).send) as address, client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.post(f"{address}/v1/chat/completions", timeout=0.5)


def http(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json", *headers, "", ""]).encode() + body


GARBAGE = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "binary": bytes(range(256)),
    "a bad status": b"HTTP/1.1 abc OK\r\n\r\n",
    "a wild status": b"HTTP/9.9 999999 \r\n\r\n",
    "a bad header": b"HTTP/1.1 200 OK\r\n\x00bad\r\n\r\n",
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 50_000 + b"\r\n",
    "a bad length": http(b"{}", "Content-Length: -1"),
    "two lengths": http(b"{}", "Content-Length: 2", "Content-Length: 9"),
    "a short body": http(b"{", "Content-Length: 100"),
    "bad chunks": http(b"zz\r\n{}\r\n", "Transfer-Encoding: chunked"),
    "an endless chunk": http(b"FFFFFFFFFFFFFFFFFF\r\n{}\r\n", "Transfer-Encoding: chunked"),
    "not gzip": http(b"{}", "Content-Encoding: gzip", "Content-Length: 2"),
    "an unknown packing": http(b"{}", "Content-Encoding: zstd", "Content-Length: 2"),
    "deep JSON": http(b"[" * 100_000, "Content-Length: 100000"),
    "no UTF-8": http(b'{"a": "\xff\xfe"}', "Content-Length: 11"),
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[::\r\nContent-Length: 0\r\n\r\n",
    "a redirect to a file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
    "a wild type": http(b"{}", "Content-Type: text/html; charset=nonsense", "Content-Length: 2"),
    "NaN": http(b'{"total_slots": NaN, "data": [NaN]}', "Content-Length: 35"),
    "a huge count": http(b'{"total_slots": 1e999, "default_generation_settings": {"n_ctx": 99999999999999999999}}'),
}


@both_ways
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_a_port_that_speaks_no_http_ends_in_words_without_the_key(
    monkeypatch: pytest.MonkeyPatch, garbage: bytes, streaming: bool
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(garbage)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    port = await asyncio.start_server(answer, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{port.sockets[0].getsockname()[1]}"
    async with port:
        solution = await ask(address, streaming=streaming, request_timeout=2, api_key_env="MY_KEY")
    assert solution["outcome"] == "failed" and solution["stop_reason"] and KEY not in repr(solution)
    assert "Traceback" not in solution["stop_reason"]


# Congestion


@pytest.mark.parametrize(("patience", "slowed"), [(30.0, False), (0.0, True)])
async def test_a_short_limit_of_ones_own_slows_nobody_else_down(
    server: ModelServer, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, patience: float, slowed: bool
) -> None:
    monkeypatch.setattr(errors, "MIN_PATIENCE_S", patience)
    parts = [f"What is part {number}?" for number in range(8)]
    server.on("assess", outline(*parts))
    for part in parts:
        server.on(part, HANG)
    hasty = {**context, "thread_timeout": 0.05, "max_rounds": 0, "max_parallel": 8}
    await asyncio.gather(*(graph.ainvoke({"question": "Tell all."}, context=hasty) for _ in range(4)))
    [limiter] = clients._limiters.values()
    assert (limiter.degree is not None) == slowed


# Prompts that are too long

TOO_LONG: dict[str, Callable[[], Fault]] = {
    "anthropic": lambda: error(400, "prompt is too long: 210000 tokens > 200000 maximum"),
    "gemini": lambda: error(400, "The input token count (1200000) exceeds the maximum number of tokens allowed"),
    "openai": lambda: error(400, "too much", code="context_length_exceeded"),
    "vllm": lambda: error(400, "This model's maximum context length is 4096 tokens."),
    "llama.cpp": lambda: error(400, "the request exceeds the available context size. try increasing the context size"),
    "dashscope": lambda: error(400, "Range of input length should be [1, 30720]"),
    "tgi": lambda: error(422, "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens"),
    "github": lambda: error(400, "prompt token count of 70000 exceeds the limit of 64000"),
    "more than a minute's": lambda: error(429, "Request too large for x on tokens per min: Limit 30, Requested 40"),
    "by type": lambda: error(400, "no", type="exceed_context_size_error"),
    "413": lambda: Fault(status=413, body="Payload Too Large", content_type="text/plain"),
    "inside": lambda: Fault(body=json.dumps({"error": {"message": "no", "code": "context_length_exceeded"}})),
    "inside, in words": lambda: Fault(body=json.dumps({"error": {"message": "prompt is too long: 9 > 8"}})),
}


def error(status: int, message: str, **more: str) -> Fault:
    return Fault(status=status, body=json.dumps({"error": {"message": message, **more}}))


@both_ways
@pytest.mark.parametrize("fault", TOO_LONG.values(), ids=TOO_LONG)
async def test_a_prompt_that_is_too_long_is_known_as_such_and_its_thread_split(
    server: ModelServer, context: dict[str, Any], fault: Callable[[], Fault], streaming: bool
) -> None:
    parts = ["What is one?", "What is two?"]
    server.on("assess", outline(f"2: {parts[0]}", f"3: {parts[1]}"))
    server.on(parts[0], fault())
    documents = [{"id": str(number), "text": "It is so. " * 50} for number in range(2)]
    modes = ["values", *(["messages"] if streaming else [])]
    problem = {"question": "Tell me all.", "documents": documents}
    async for mode, seen in graph.astream(problem, context=context, stream_mode=modes):
        if mode == "values":
            solution = seen
    assert len(server.about(parts[0])) == 1  # never sent again as it is
    assert solution["outcome"] == "complete" and {t.id for t in solution["threads"]} >= {"T1.1", "T1.2", "T2"}
