"""What the planner is told of the parts: which segments each is about."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import graph
from nodes.parts import parts_found
from nodes.retrieval import MOST
from nodes.segments import Segment, split_input
from tests.server import ModelServer, assessment, plan

TOWN = [
    {"id": "tram", "text": "The tram runs every eight minutes. The depot stands by the harbour."},
    {"id": "paper", "text": "The newspaper appears on Saturdays and is printed by Holm and Daughters."},
    {"id": "lighthouse", "text": "The lighthouse is 31 metres tall and was lit in 1874."},
]
DOCUMENTS = [(item["id"], item["text"]) for item in TOWN]


async def told(server: ModelServer, context: dict[str, Any], question: str, *parts: str) -> list[str]:
    """Return the lines that list the parts in what the planner is sent."""
    server.on("assess", assessment(*parts)).on("decompose", plan("One?", "Two?"))
    await graph.ainvoke({"question": question, "documents": TOWN}, context=context)
    listed = server.calls("decompose")[0].last.partition("parts found:\n")[2]
    return listed.partition("\n\n")[0].splitlines()


async def test_a_part_comes_with_the_document_that_its_words_are_about(
    server: ModelServer, context: dict[str, Any]
) -> None:
    parts = ["How tall is the lighthouse?", "Who prints the newspaper?", "What is 3 * 4?"]
    assert await told(server, context, "How tall is the lighthouse? Who prints the paper? What is 3 * 4?", *parts) == [
        "- How tall is the lighthouse? (segment 6)",
        "- Who prints the newspaper? (segment 5)",
        "- What is 3 * 4?",
    ]


async def test_the_items_of_a_list_are_its_parts(server: ModelServer, context: dict[str, Any]) -> None:
    question = "Answer these:\n1. How tall is the lighthouse?\n2. What is 3 * 4?"
    # The assessment's own words for them are left out.
    assert await told(server, context, question, "The lighthouse?", "3 * 4?") == [
        "- item 1 (segments 2, 6)",
        "- item 2 (segment 3)",
    ]


@pytest.mark.parametrize(
    ("segments", "part", "line"),
    [
        (split_input("What is 266 / 7, and what is the capital of Peru?"), "What is the capital of Peru?", "segment 2"),
        (split_input("What is 266 / 7, and what is the capital of Peru?"), "What is 266 / 7?", "segment 1"),
        (split_input("What is 266 / 7, and what is the capital of Peru?"), "Name the planets.", ""),
        (
            split_input("If the Nile grew by 5% and the Elbe by 9%, which would be longer?"),
            "The Nile?",
            "segments 1, 2",
        ),
        (split_input("Who wrote Hamlet and Faust?"), "Who wrote Faust?", "segment 1"),
        (split_input("One. Two. Three. Who wrote Hamlet and Faust?"), "Who wrote Faust?", ""),
        (split_input("Compare them.", DOCUMENTS), "Is the tram near the lighthouse?", "segments 2, 4"),
        (split_input("Compare them.", DOCUMENTS[:1]), "Is the tram near the lighthouse?", ""),
    ],
)
def test_a_part_comes_with_what_asks_for_it(segments: list[Segment], part: str, line: str) -> None:
    assert parts_found([part], segments) == f"1 parts found:\n- {part}{line and f' ({line})'}\n\n"


def test_nothing_is_said_of_parts_that_are_not_known() -> None:
    assert parts_found([], split_input("Who wrote Hamlet and Faust?", DOCUMENTS)) == ""


WORDS = st.sampled_from(["tram", "harbour", "lighthouse", "newspaper", "Holm", "What", "is", "?", "1.", "\n- ", "塔"])
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)


@given(st.lists(TEXTS, max_size=4), TEXTS, st.lists(TEXTS, max_size=5))
def test_every_part_is_told_and_only_segments_that_there_are(parts: list[str], question: str, texts: list[str]) -> None:
    segments = split_input(question, [(f"d{number}", text) for number, text in enumerate(texts)])
    found = parts_found(parts, segments)
    assert all(f"- {part}".rstrip() in found for part in parts)
    for numbers in re.findall(r"\(segments? ([\d, ]+)\)$", found, re.MULTILINE):
        named = [int(number) for number in numbers.split(", ")]
        assert named == sorted(set(named)) and len(named) <= 1 + MOST
        assert set(named) <= {segment.number for segment in segments}
