"""Runs of three threads into replies of any dialect."""

from typing import Any

from graphs import graph
from tests.support.server import ModelServer, Step, outline, review
from tests.support.subjects.calls import PARTS

HALF = "I think so.\nResult: half of an"


async def ask(
    server: ModelServer, *, streaming: bool = False, asked: Any = graph, model: str = "openai:scripted", **settings: Any
) -> dict[str, Any]:
    """Run a graph, and make sure that the server was asked to stream just then."""
    context = {"model": model, "base_url": server.url, "max_rounds": 0, **settings}
    modes = ["values", *(["messages"] if streaming else [])]
    before = len(server.asked)
    async for mode, seen in asked.astream({"question": "Tell me all."}, context=context, stream_mode=modes):
        if mode == "values":
            solution = seen
    assert all(bool(request.body.get("stream")) == streaming for request in server.asked[before:])
    assert isinstance(solution, dict)
    return solution


def script(server: ModelServer, stage: str = "", *steps: Step) -> None:
    """Script a run of three threads, whose stage gets `steps`; as `direct`, of one without parts."""
    server.on("assess", outline(*(PARTS if stage != "direct" else ())))
    server.on("join", "All of it.").on("direct", "Told at once.")
    server.on("review", review("All of it."))
    for part in PARTS:
        server.on(part, f"Result: answer to {part}")
    if steps:
        server.on(PARTS[0] if stage in ("thread", "cache") else "direct" if stage == "baseline" else stage, *steps)


def chunk(text: str = "", reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}], **more}


def tokens(read: Any, written: Any) -> dict[str, Any]:
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": 0}
