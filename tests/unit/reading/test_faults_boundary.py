"""Any text may be asked: it goes in without an exception, loses nothing that was whole, and can be kept and shown."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import graph
from graphs.page.page import page
from nodes.input.segments import split_input
from nodes.input.sentences import has_question_mark
from nodes.shared.cleaning import clean_text
from nodes.state import Document, Problem, Solution
from tests.support.inputs import list_items, split_question
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


PIECES = [
    "Who? ",
    "a. b",
    "\n- x",
    "\n1. x",
    "\n2. x",
    "```\n",
    "\n```",
    "~~~\n",
    "。",
    "\n\n",
    "\t",
    "\n  ",
    "> ",
    "---\n",
]
PIECES += [
    "\r\n",
    "\r",
    "\0",
    "\ud83d",
    "\ufeff",
    "\u2028",
    "\x0b",
    "|a|\n|-|\n",
    "`",
    "“",
    "一、",
    "（1）",
    "\n(a) ",
    "z. B. ",
]
TEXTS = st.one_of(
    st.text(),
    st.text(st.characters(exclude_categories=())),
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
)


def seen(text: str) -> str:
    return "".join(text.split())


@given(TEXTS)
def test_no_text_is_lost_and_the_numbers_count_up(question: str) -> None:
    segments = split_input(question, [("d", "whole. Is it?")])
    *asked, document = segments
    assert seen("".join(segment.text for segment in asked)) == seen(clean_text(question))
    shown = sorted(segments, key=lambda segment: segment.introduces)
    assert [segment.number for segment in shown] == list(range(1, len(segments) + 1))
    assert all(segment.text == segment.text.strip() != "" and segment.kind == "question" for segment in asked)
    assert all(segment.marker.lstrip("\ufeff") in segment.text for segment in asked)
    assert (document.kind, document.label, document.text, document.marker) == ("document", "d", "whole. Is it?", "")
    assert list_items(question) == sum(bool(segment.marker) for segment in asked)
    has_question_mark(question)


HOSTILE = [
    "((((",
    "-",
    "- ",
    "1. 1. 1. ",
    "1. a\n",
    "a. ",
    "Mr. ",
    "1. A. ",
    "a?\n",
    "```\n",
    "`",
    "`a``",
    "~~~\n",
    "。",
    "“a? ",
]
HOSTILE += [
    "\n",
    " ",
    "\t",
    "*",
    "**1.** ",
    "> - ",
    "|a|\n|-|\n",
    "[",
    "- a\nb\n",
    "1. a\n- b\n",
    "---\n\n",
    "§ 5. ",
    ";α; ",
    "<",
]


@pytest.mark.at_most(3)
@pytest.mark.parametrize("unit", HOSTILE)
def test_the_longest_question_is_read_to_its_end(unit: str) -> None:
    # Work that is quadratic in this many characters takes minutes: the suite would stand still here.
    question = unit * (100_000 // len(unit))
    assert seen("".join(split_question(question))) == seen(question)
