"""A server that writes tokens at a chosen pace, in a process of its own: its arguments are a case, seconds, a core."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from evals.bench.process import settle

TOKENS_A_SECOND = 50
"""Of each stream, however many there are."""
OUTLINE_TOKENS, REVIEW_TOKENS = 60, 15
THREAD = "Subquestion:\n"
"""What stands in a prompt of a thread, and in no other."""


@dataclass(frozen=True)
class Case:
    """A question, by its parts, and what each thread writes.

    Attributes:
        parts: Lines of the outline; none for a question that is not split.
        tokens: Tokens of each thread; a direct answer has as many for each part.
    """

    parts: tuple[str, ...] = ()
    tokens: int = 200

    @property
    def outline(self) -> list[str]:
        """The outline, token by token."""
        written = {"unnamed": "", "parts": self.parts, "answer": "text"}
        return cut(json.dumps(written), OUTLINE_TOKENS)

    def line_end(self, number: int) -> int:
        """Tokens after which the line of a part (from 1) is complete."""
        text, end = "", json.dumps(self.parts[number - 1])
        for place, token in enumerate(self.outline, 1):
            text += token
            if end in text:
                return place
        raise AssertionError(f"no line {number}")


CASES = {
    "one part": Case(),
    "eight parts": Case(tuple(f"What is the height of mountain number {n}?" for n in range(1, 9))),
    "chain of three beside one": Case(
        ("Who directed Jaws?", "Where was #1 born?", "In which country is #2?", "Who directed Psycho?"), 100
    ),
    "two branches of two": Case(
        ("Who directed Jaws?", "Who directed Psycho?", "Where was #1 born?", "Where was #2 born?"), 100
    ),
    "diamond beside one": Case(
        ("Who wrote Faust?", "Where was #1 born?", "When was #1 born?", "What was in #2 in #3?", "Who wrote Emma?"), 100
    ),
}


def cut(text: str, pieces: int) -> list[str]:
    """Cut a text into so many pieces, as even as can be."""
    edges = [place * len(text) // pieces for place in range(pieces + 1)]
    return [text[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def tokens_for(case: Case, body: dict[str, Any]) -> list[str]:
    """Return what is written to a request."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("name")
    if schema == "Outline":
        return case.outline
    if schema == "Review":
        return cut(json.dumps({"redo": [], "conflicts": [], "answer": "As the threads found it."}), REVIEW_TOKENS)
    count = case.tokens if THREAD in body["messages"][-1]["content"] else case.tokens * max(1, len(case.parts))
    # No two alike: what repeats itself is a sign of context rot, and is asked again.
    return [*(f"{number} " for number in range(count - 2)), "\nResult: ", "so"]


class Server:
    """Writes what a case says, token by token."""

    def __init__(self, case: Case, pace_s: float) -> None:
        """Take the case, and the seconds that a token takes."""
        self._case, self._pace_s = case, pace_s

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, streamed or whole, in the same time."""
        if request.path != "/v1/chat/completions":
            return web.Response(status=404)
        body = json.loads(await request.read())
        tokens, usage = tokens_for(self._case, body), {"prompt_tokens": 100, "total_tokens": 100}
        usage |= {"completion_tokens": len(tokens), "total_tokens": 100 + len(tokens)}
        base: dict[str, Any] = {"id": "paced", "created": 1, "model": "paced"}
        if not body.get("stream"):
            await asyncio.sleep(self._pace_s * len(tokens))
            message = {"role": "assistant", "content": "".join(tokens)}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            return web.json_response(base | {"object": "chat.completion", "choices": choices, "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        base |= {"object": "chat.completion.chunk"}
        start = asyncio.get_running_loop().time()
        for place, token in enumerate(tokens, 1):
            await asyncio.sleep(max(0.0, start + place * self._pace_s - asyncio.get_running_loop().time()))
            choices = [{"index": 0, "delta": {"role": "assistant", "content": token}, "finish_reason": None}]
            await response.write(f"data: {json.dumps(base | {'choices': choices})}\n\n".encode())
        end = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        last = [base | {"choices": end}, base | {"choices": [], "usage": usage}]
        await response.write("".join(f"data: {json.dumps(event)}\n\n" for event in last).encode() + b"data: [DONE]\n\n")
        return response


async def serve(case: Case, pace_s: float) -> None:
    """Serve on a free port of the loopback interface until standard input ends; prints the port."""
    runner = web.ServerRunner(web.Server(Server(case, pace_s).handle, handler_cancellation=True, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.buffer.read)
    await runner.cleanup()


if __name__ == "__main__":
    settle(sys.argv[3])
    asyncio.run(serve(CASES[sys.argv[1]], float(sys.argv[2])))
