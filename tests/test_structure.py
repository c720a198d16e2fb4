"""What the gate reads from the structure of a question and of its assessment, through the compiled graph."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import graph
from nodes.structure import independent, is_chain, is_piece, is_story, names_all, splits
from tests.server import ModelServer, assessment, plan

PARTS = ["How many are there?", "What do they cost?"]
STORY = "A baker makes 40 rolls. She sells 12 of them in the morning. How many rolls are left?"


@pytest.mark.parametrize(
    ("question", "story"),
    [
        (STORY, True),
        ("Tom is 12. Ann is 3 years older. What is the sum of their ages?", True),
        (f"Solve these.\n1. {STORY}\n2. {STORY}", False),
        (f"{STORY} And what did he earn?", False),
        ("What is 17 * 23, and how many legs do 14 spiders have?", False),
        ("We have 40 people in 3 towns. Last year 5 of them left. Which laws, taxes and duties apply?", False),
        ("Who was born first, Ada Lovelace or Mary Shelley?", False),
        ("Say how many.", False),
    ],
)
def test_a_story_tells_facts_and_asks_for_one_figure(question: str, story: bool) -> None:
    assert is_story(question) is story


@pytest.mark.parametrize(
    ("question", "piece"),
    [
        ("Write a function that reverses a linked list.", True),
        ("Please draft me a letter to my landlord, and mention the heating.", True),
        ("Compose an up-beat farewell speech for Ann's last day", True),
        ("Write a poem and an email.", False),
        ("Write a poem for each of the seasons.", False),
        ("Write poems on Rome and Paris.", False),
        ("Write a poem on autumn. What is 12 * 7?", False),
        ("Write an essay on Rome and Paris.", False),
        ("Write a comparison of bread and rice.", False),
        ("How do I write a letter to my landlord?", False),
        ("Write:\n- a poem\n- a letter", False),
    ],
)
def test_one_short_text_or_program_is_a_piece(question: str, piece: bool) -> None:
    assert is_piece(question) is piece


async def ask(context: dict[str, Any], question: str, **more: Any) -> Any:
    return await graph.ainvoke({"question": question, **more}, context=context)


async def test_a_story_is_not_split_whatever_the_model_says(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", assessment(*PARTS)).on("decompose", plan(*PARTS)).on("direct", "28 are left.")
    told = await ask(context, STORY)
    assert (told["route"], told["answer"], told["assessment"].decomposable) == ("direct", "28 are left.", False)
    assert "one figure is asked for" in told["assessment"].reason
    beside = await ask(context, STORY, documents=[{"id": "a", "text": "More."}])
    assert beside["route"] == "parallel" and "figure" not in beside["assessment"].reason


async def test_one_piece_of_writing_is_not_split_whatever_the_model_says(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", assessment("What is the subject?", "What is the body?")).on("direct", "Dear Ann, …")
    told = await ask(context, "Write a short email that invites Ann to lunch.")
    assert (told["route"], told["answer"]) == ("direct", "Dear Ann, …")
    assert "one piece is to be written" in told["assessment"].reason


async def test_things_that_are_all_named_are_split_though_the_model_says_no(
    server: ModelServer, context: dict[str, Any]
) -> None:
    said = {"decomposable": False, "reason": "Named: Ada; Mary. To find first: nothing."}
    server.on("assess", {**assessment("Who was born first, Ada or Mary?"), **said}).on("decompose", plan(*PARTS))
    assert (await ask(context, "Who was born first, Ada or Mary?"))["route"] == "parallel"
    server.on("assess", {**assessment("Who?"), **said, "reason": "Named: Ada; Mary. To find first: her sister."})
    assert (await ask(context, "Who was her sister?"))["route"] == "direct"


async def test_the_assessment_is_told_of_lists_and_given_quotation_marks_that_end_no_json(
    server: ModelServer, context: dict[str, Any]
) -> None:
    await ask(context, 'Who sang "Hey"?\n- Why?\n- When?')
    (asked,) = server.calls("assess")
    assert asked.prompt.endswith("The question lists 2 items.\n\nQuestion:\nWho sang “Hey”?\n- Why?\n- When?")


@pytest.mark.parametrize(
    ("reason", "all_named"),
    [
        ("Named: Ada; Mary. To find first: nothing.", True),
        ("named: Ada; Mary. to find first: Nothing", True),
        ("Named: Ada. To find first: nothing.", False),
        ("Named: Ada; Mary. To find first: her sister.", False),
        ("Ada and Mary are both named.", False),
        ("", False),
    ],
)
def test_a_reason_in_its_form_says_what_is_named(reason: str, all_named: bool) -> None:
    assert names_all(reason) is all_named


@given(st.lists(st.text()), st.booleans(), st.text(), st.text(), st.booleans())
def test_whatever_a_model_writes_is_decided(
    steps: list[str], wanted: bool, reason: str, question: str, documents: bool
) -> None:
    assert splits(steps, wanted=wanted, reason=reason, question=question, documents=documents) in (True, False)
    assert set(independent(steps)) <= {step.strip() for step in steps} and is_chain(steps) in (True, False)
