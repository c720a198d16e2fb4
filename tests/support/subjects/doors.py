"""Three questions, asked at every door: a text written of two results, a list of results, and one call."""

from typing import Any, NamedTuple, TypedDict

import pytest

from graphs import graph
from tests.support.server import ModelServer, outline, review

TEXT = "What is one? What is two?"
LISTED = "Work these out.\n1. Two and two?\n2. Three and four?"
DIRECT = "What is it?"
QUESTIONS = [TEXT, LISTED, DIRECT]

every_question = pytest.mark.parametrize("question", QUESTIONS, ids=["text", "list", "direct"])

SETTINGS = {"model": "openai:scripted", "split": "if_independent", "head_start": "off"}
"""Nothing is begun early, and how fast a busy machine was before decides nothing."""


class Outer(TypedDict, total=False):
    """What a parent graph keeps."""

    question: str
    answer: str
    outcome: str
    route: str
    report: Any


class Got(NamedTuple):
    """What came out at a door."""

    answer: str
    outcome: str
    route: str
    calls: int
    tokens: int


def script(server: ModelServer, question: str) -> None:
    """Have the server split a question as its form asks for; the same for all who ask it."""
    server.asked.clear()
    server.on("assess", {TEXT: outline("1", "2"), LISTED: outline("1", "2", answer="list")}.get(question, outline()))
    server.on("Two and two?", "Result: 4").on("Three and four?", "Result: 7")
    server.on("review", review() if question == LISTED else review("It is all."))


async def expected(server: ModelServer, question: str) -> Got:
    """Ask the graph itself."""
    solution = await graph.ainvoke({"question": question}, context=SETTINGS | {"base_url": server.url})
    got = got_of(solution)
    assert (got.outcome, got.route) == ("complete", "direct" if question == DIRECT else "parallel")
    assert got.calls == {TEXT: 4, LISTED: 4, DIRECT: 2}[question]
    return got


def got_of(solution: Any) -> Got:
    """Read a solution."""
    report = solution["report"]
    return Got(solution["answer"], solution["outcome"], solution["route"], report.calls, report.tokens.total)


def got_of_json(solution: Any) -> Got:
    """Read a solution that came as JSON."""
    report = solution["report"]
    return Got(solution["answer"], solution["outcome"], solution["route"], report["calls"], report["tokens"]["total"])


def got_of_message(message: Any) -> Got:
    """Read a message of `chat`."""
    figures = message.additional_kwargs["apr"]
    total = message.usage_metadata["total_tokens"]
    return Got(message.text, figures["outcome"], figures["route"], figures["calls"], total)
