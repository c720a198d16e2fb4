"""Any text may be asked: it goes in without an exception, loses nothing that was whole, and can be kept and shown."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import graph
from graphs.page.page import page
from nodes.state import Document, Problem, Solution
from tests.support.server import ModelServer, outline

ANY = st.text(st.characters(exclude_categories=()), max_size=200)
"""Halves of characters, controls, marks and what Unicode has not assigned included."""


def whole(text: str) -> list[str]:
    """List what everybody can see of a text: no halves of characters, controls, format marks or white space."""
    return [one for one in text if unicodedata.category(one) not in ("Cs", "Cc", "Cf") and not one.isspace()]


@given(ANY, ANY, ANY)
def test_whatever_is_asked_goes_in_and_nothing_whole_is_lost(question: str, told: str, title: str) -> None:
    problem = Problem(
        question=f"{question}a", instructions=told, documents=[Document(id="d", text=f"{told}b", title=title)]
    )
    (document,) = problem.documents
    pairs = [(problem.question, f"{question}a"), (problem.instructions, told), (document.text, f"{told}b")]
    for kept, given_text in pairs:
        # Halves that stood side by side have become the character that they are halves of.
        joined = given_text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        assert whole(kept) == whole(joined) or whole(kept) == whole(given_text)
    assert Problem.model_validate_json(json.dumps(problem.model_dump())) == problem
    assert problem.segments()[-1].text == document.text


@pytest.mark.parametrize(
    "odd",
    ["\ud83d", "\ude00\ud83d", "\ufeff\u200e", "\0\x1b[2J", "\u202e", "\U000e0001", "\ufdd0", "e\u0301\u0327", "؜"],
)
async def test_odd_text_is_asked_answered_and_shown(server: ModelServer, context: dict[str, Any], odd: str) -> None:
    server.on("assess", outline("1", "2", answer="list"))
    question = f"1. Who{odd} is it?\n2. What{odd} is it?{odd}"
    values = await graph.ainvoke({"question": question, "instructions": odd}, context=context)
    solution = Solution.model_validate(values)
    assert (solution.outcome, len(solution.threads)) == ("complete", 2)
    page(solution).encode()
    assert Solution.model_validate_json(solution.model_dump_json()).answer == solution.answer
