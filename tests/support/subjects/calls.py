"""Runs of which every call counts: asked in one go or streamed, and what they used."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from graphs import sequential
from tests.support.server import ModelServer, outline

PARTS = ["What is one?", "What is two?", "What is three?"]


async def ask(context: dict[str, Any], asked: Any = sequential, *, streaming: bool = False) -> dict[str, Any]:
    """Run a graph, as `ainvoke` does or while its messages are streamed."""
    question = {"question": "What is it?"}
    if not streaming:
        invoked: dict[str, Any] = await asked.ainvoke(question, context=context)
        return invoked
    async for mode, seen in asked.astream(question, context=context, stream_mode=["messages", "values"]):
        if mode == "values":
            solution = seen
    assert isinstance(solution, dict)
    return solution


def split(server: ModelServer, *parts: str) -> None:
    """Script a question of these parts."""
    server.on("assess", outline(*parts))


def spent(server: ModelServer) -> tuple[int, int, int]:
    """What the server counted."""
    return server.usage["input"], server.usage["output"], server.usage["reasoning"]


def reported(solution: dict[str, Any]) -> tuple[int, int, int]:
    """What the run says that it used."""
    tokens = solution["report"].tokens
    assert tokens.total == tokens.input + tokens.output
    return tokens.input, tokens.output, tokens.reasoning


WAYS = {"whole": False, "streamed": True}
both_ways = pytest.mark.parametrize("streaming", WAYS.values(), ids=WAYS)


def in_turns(name: str, values: Mapping[str, Any] | Iterable[str]) -> pytest.MarkDecorator:
    """Run a test for each value, whole and streamed in turns; the other way of each is left to `-m full`."""
    given = values if isinstance(values, Mapping) else {value: value for value in values}
    pairs = [
        pytest.param(value, streaming, id=f"{id}-{way}", marks=pytest.mark.full if (number + streaming) % 2 else [])
        for number, (id, value) in enumerate(given.items())
        for way, streaming in WAYS.items()
    ]
    return pytest.mark.parametrize((name, "streaming"), pairs)
