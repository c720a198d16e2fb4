"""The part of the scripted server that continues texts (`/v1/completions`), as servers of models that open threads do.

What it writes is scripted whole; it stops by itself at stop strings and at `max_tokens`, streams token by token, and
counts the tokens of a prompt that it has read before.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

from tests.support.server.steps import DROP, HANG, STALL, WORDS, Fault, Reply

Dialect = Literal["sglang", "vllm", "silent", "inclusive"]
"""How it tells the stop string: as `matched_stop`, as `stop_reason`, not at all, or by leaving it in the text."""
TextStep = str | Reply | Fault
_HEAD = re.compile(r"<(?:Thread|Path)>\n([\d.]+):\Z")


def tokens_of(text: str) -> list[str]:
    """Part a text into tokens: a tag is one, so is a word."""
    return re.findall(r"</?\w+>|\w+|\s+|[^\w\s]", text)


@dataclass
class AskedText:
    """A text that was to be continued."""

    key: str
    prompt: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    written: str = ""
    """What the client was sent."""
    cached: int = 0
    dropped: bool = False


class TextServer:
    """Continues texts from a script.

    Attributes:
        asked: Every request, in order of arrival.
        template: Whose way it has of telling a prompt in its chat template; empty for none.
        dialect: How it tells what stopped it.
        fields: What it tells in its last object beside the usual.
    """

    def __init__(self) -> None:
        self.script: dict[str, Sequence[TextStep]] = {}
        self.asked: list[AskedText] = []
        self.template: Literal["", "llama.cpp", "vllm", "hangs"] = ""
        self.dialect: Dialect = "sglang"
        self.arrived = asyncio.Condition()
        self.open = self.peak = 0
        self._count: dict[str, int] = defaultdict(int)

    def on(self, key: str, *steps: TextStep) -> "TextServer":
        """Script what is written after so many blocks (`0`), in a thread (`1:2.1` for block 1), or at once (`pass`)."""
        self.script[key] = steps
        return self

    def about(self, key: str) -> list[AskedText]:
        """The requests of one key."""
        return [request for request in self.asked if request.key == key]

    async def wait_for(self, count: int, key: str | None = None) -> None:
        """Wait until so many requests of a key have arrived."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len([one for one in self.asked if key in (None, one.key)]) >= count)

    async def wait_until(self, still_open: int) -> None:
        """Wait until so many requests are open."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: self.open == still_open)

    async def handle(self, http: web.Request) -> web.StreamResponse:
        body = await http.json()
        request = AskedText(_key(body), body["prompt"], body, dict(http.headers))
        request.cached = max((_shared(request.prompt, one.prompt + one.written) for one in self.asked), default=0)
        self.open += 1
        self.peak = max(self.peak, self.open)
        await self._tell(request)
        try:
            return await self._answer(http, request)
        except (asyncio.CancelledError, ConnectionResetError):
            request.dropped = True
            raise
        finally:
            self.open -= 1
            await self._tell()

    async def apply(self, http: web.Request) -> web.Response:
        """Tell a prompt as llama.cpp does."""
        if self.template == "hangs":
            await asyncio.Event().wait()
        if self.template != "llama.cpp":
            raise web.HTTPNotFound
        (message,) = (await http.json())["messages"]
        return web.json_response({"prompt": f"[user] {message['content']}\n[model] <think>"})

    async def tokenize(self, http: web.Request) -> web.Response:
        """Tell a prompt as vLLM does, first half."""
        if self.template != "vllm":
            raise web.HTTPNotFound
        body = await http.json()
        (message,) = body["messages"]
        assert body["add_generation_prompt"] is True
        text = f"<s>[USER]{message['content']}[MODEL]"
        return web.json_response({"tokens": [ord(character) for character in text], "count": len(text)})

    async def detokenize(self, http: web.Request) -> web.Response:
        """Tell a prompt as vLLM does, second half."""
        return web.json_response({"prompt": "".join(map(chr, (await http.json())["tokens"]))})

    async def _tell(self, *new: AskedText) -> None:
        async with self.arrived:
            self.asked += new
            self.arrived.notify_all()

    async def _answer(self, http: web.Request, request: AskedText) -> web.StreamResponse:
        steps = self.script[request.key]
        step = steps[min(self._count[request.key], len(steps) - 1)]
        self._count[request.key] += 1
        if step == HANG:
            await asyncio.Event().wait()
        if isinstance(step, Fault) and step not in (DROP, STALL):
            error = {"error": {"message": f"scripted {step.status}", "code": step.status}}
            return web.json_response(error, status=step.status)
        if isinstance(step, Reply):
            await asyncio.sleep(step.delay)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        whole = WORDS if isinstance(step, Fault) else step.text if isinstance(step, Reply) else step
        text, stop = _until_stop(whole, request.body.get("stop", []))
        tokens = tokens_of(text)
        cut = len(tokens) > request.body["max_tokens"]
        tokens = tokens[: request.body["max_tokens"]]
        for token in [*tokens, *([stop] if stop and self.dialect == "inclusive" and not cut else [])]:
            request.written += token
            await _send(response, {"choices": [{"index": 0, "text": token, "finish_reason": None}]})
        if step == STALL:
            await asyncio.Event().wait()
        if step == DROP:
            assert http.transport is not None
            http.transport.abort()
            raise ConnectionResetError
        ended = {"index": 0, "text": "", "finish_reason": "length" if cut else "stop"} | self._matched(stop, cut)
        await _send(response, {"choices": [ended]})
        usage = {
            "prompt_tokens": len(tokens_of(request.prompt)),
            "completion_tokens": len(tokens),
            "prompt_tokens_details": {"cached_tokens": request.cached},
        }
        await _send(response, {"choices": [], "usage": usage})
        await response.write(b"data: [DONE]\n\n")
        return response

    def _matched(self, stop: str, cut: bool) -> dict[str, Any]:
        if cut or self.dialect in ("silent", "inclusive"):
            return {}
        if self.dialect == "sglang":
            return {"matched_stop": stop or 151645}
        return {"stop_reason": stop or None}


def _key(body: dict[str, Any]) -> str:
    prompt, blocks = body["prompt"], len(re.findall("</(?:Outlines|Goal)>", body["prompt"]))
    if head := _HEAD.search(prompt):
        return f"{blocks}:{head[1]}"
    return str(blocks) if body.get("stop") or blocks else "pass"


def _until_stop(text: str, stops: list[str]) -> tuple[str, str]:
    places = [(text.find(stop), stop) for stop in stops if stop in text]
    at, stop = min(places, default=(len(text), ""))
    return text[:at], stop


def _shared(prompt: str, known: str) -> int:
    """Count the tokens that a prompt has in common with what was read and written before, from the start on."""
    count = 0
    for one, other in zip(tokens_of(prompt), tokens_of(known), strict=False):
        if one != other:
            break
        count += 1
    return count


async def _send(response: web.StreamResponse, payload: dict[str, Any]) -> None:
    shared = {"id": "1", "object": "text_completion", "created": 1, "model": "scripted"}
    await response.write(f"data: {json.dumps(shared | payload)}\n\n".encode())
