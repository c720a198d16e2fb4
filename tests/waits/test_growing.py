"""Pieces of a stream become pieces of the answer, however the stream is cut, and no thought is among them."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk

from graphs.streams.answer import AnswerEvent, AnswerPiece, AnswerReset, AnswerStream
from nodes.llm.replies.growing import GrowingText
from nodes.llm.replies.reasoning import TAGS, split_reasoning
from nodes.planning.outline import Part
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.threads.results import ThreadResult

DIRECT = {"langgraph_node": "direct", "apr_prompt": "direct@1"}
REVIEW = {"langgraph_node": "review", "apr_prompt": "review@4"}
CUTS = st.lists(st.integers(min_value=1, max_value=9), min_size=1)
WORDS = ["a", "b c", " ", "\n", "<", "<th", "[", "[1]", "◁", "|>", "`", "```\n", "- x", "<b>", "é\u200b"]
TEXTS = st.lists(st.sampled_from(WORDS)).map("".join)
TAGGED = st.lists(st.sampled_from([*WORDS, *(tag for pair in TAGS[::4] for tag in pair), "\n\n"])).map("".join)


def cut(text: str, sizes: Sequence[int]) -> list[str]:
    """Cut a text into pieces of these sizes, again and again."""
    pieces: list[str] = []
    at = 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    return pieces


def streamed(
    stream: AnswerStream, text: str, sizes: Sequence[int], about: dict[str, Any], id: str
) -> list[AnswerEvent]:
    chunks = [AIMessageChunk(content=piece, id=id) for piece in cut(text, sizes)]
    return [change for chunk in chunks for change in stream.take("messages", (chunk, about))]


def joined(changes: Sequence[AnswerEvent]) -> str:
    """What somebody sees in the end."""
    text = ""
    for change in changes:
        text = text + change.text if isinstance(change, AnswerPiece) else ""
    return text


def followed(text: str, sizes: Sequence[int], answer: str, about: dict[str, Any] = DIRECT) -> list[AnswerEvent]:
    stream = AnswerStream()
    changes = streamed(stream, text, sizes, about, "1")
    changes += stream.take("updates", {about["langgraph_node"]: {"answer": answer}})
    assert joined(changes) == stream.shown == answer.strip()
    return changes


@given(TEXTS, CUTS)
def test_a_text_without_thoughts_grows_and_is_never_withdrawn(text: str, sizes: list[int]) -> None:
    answer = split_reasoning(text)[1]
    changes = followed(text, sizes, answer)
    assert not any(isinstance(change, AnswerReset) for change in changes)
    assert all(isinstance(change, AnswerPiece) and change.text for change in changes)


@given(TEXTS, TEXTS, st.sampled_from(TAGS), CUTS)
@example("is it four? ", "four", TAGS[0], [1])
def test_thoughts_at_the_beginning_are_never_shown(
    thought: str, answer: str, tags: tuple[str, str], sizes: list[int]
) -> None:
    said = answer.replace("<", "").replace("[", "").replace("◁", "").replace("`", "")
    text = f" {tags[0]}THOUGHT {thought.replace('`', '')}{tags[1]}{said}"
    changes = followed(text, sizes, split_reasoning(text)[1])
    assert not any("THOUGHT" in change.text for change in changes if isinstance(change, AnswerPiece))
    assert not any(isinstance(change, AnswerReset) for change in changes)


def test_thoughts_in_between_are_never_shown() -> None:
    text = "one\n<think>\nTHOUGHT\n</think>\ntwo"
    changes = followed(text, [1], "one\n\ntwo")
    assert not any("T" in change.text for change in changes if isinstance(change, AnswerPiece))
    assert not any(isinstance(change, AnswerReset) for change in changes)


@given(TAGGED, CUTS)
@example("one\n<think>\ntwo\n</think>\nthree", [1])
@example("so it is\n</think>\nfour", [3])
def test_whatever_tags_there_are_the_answer_is_shown_in_the_end(text: str, sizes: list[int]) -> None:
    followed(text, sizes, split_reasoning(text)[1])


@given(TAGGED.filter(lambda text: "`" not in text), CUTS)
@example("<think>\n\n<think>", [5])
def test_what_is_shown_early_does_not_depend_on_the_cuts(text: str, sizes: list[int]) -> None:
    def read(pieces: Sequence[str]) -> str:
        growing = GrowingText()
        return [growing.take(piece) for piece in pieces][-1] if pieces else ""

    assert read(cut(text, sizes)) == read(list(text))


@given(st.text(), CUTS, st.sampled_from(["{}", "```json\n{}\n```", "<think>so</think>{}"]), st.booleans())
def test_of_a_review_only_its_answer_is_shown(answer: str, sizes: list[int], around: str, ascii: bool) -> None:
    told = json.dumps({"redo": [], "conflicts": [], "answer": answer}, ensure_ascii=ascii)
    changes = followed(around.format(told), sizes, answer, REVIEW)
    assert not any(isinstance(change, AnswerReset) for change in changes)
    if ascii and answer.strip() and max(sizes) < 2:
        assert len(changes) > 1 or len(answer.strip()) < 2


@pytest.mark.parametrize("wrong", ['"redo": ["T1: no"]', '"conflicts": [{"threads": ["T1"]}]'])
def test_an_answer_beside_faults_is_not_shown_while_it_is_written(wrong: str) -> None:
    assert streamed(AnswerStream(), f'{{{wrong}, "answer": "Four."}}', [3], REVIEW, "1") == []


@given(TEXTS, TEXTS, CUTS)
def test_a_reply_that_begins_anew_withdraws_what_another_one_said(old: str, new: str, sizes: list[int]) -> None:
    stream = AnswerStream()
    first = streamed(stream, f"old {old}", sizes, DIRECT, "1")
    second = streamed(stream, f"new {new}", sizes, DIRECT, "2")
    assert first and [change for change in second if isinstance(change, AnswerReset)] == [second[0]]
    assert joined([*first, *second]).startswith("new")


THREADS = [ThreadSpec(id=f"T{number}", subquestion="?") for number in (1, 2)]
PLAN = ThreadPlan(threads=THREADS, answer="list")
OLD = {
    spec.id: ThreadResult(id=spec.id, subquestion="?", status="answered", answer=f"old {spec.id}") for spec in THREADS
}


def ended(id: str, *answers: str) -> dict[str, Any]:
    return {"thread_id": id, "subquestion": "?", "status": "answered", "answers": list(answers)}


def test_a_run_that_goes_on_shows_what_stands_of_it() -> None:
    stream = AnswerStream()
    stream.take("values", {"question": "?", "plan": PLAN, "results": OLD, "redo": ["T1"]})
    assert stream.take("custom", ended("T2", "two")) == []
    assert stream.take("custom", ended("T1", "one")) == [AnswerPiece("one\ntwo")]
    stream = AnswerStream()
    stream.take("values", {"question": "?", "plan": PLAN, "results": OLD, "redo": ["T1"]})
    assert stream.take("custom", ended("T1", "one")) == [AnswerPiece("one\nold T2")]


def test_another_question_shows_nothing_of_the_one_before() -> None:
    stream = AnswerStream()
    stream.take("values", {"question": "?", "plan": PLAN, "results": OLD, "redo": []})
    stream.take("updates", {"assess": {"plan": None, "answer": "", "results": None}})
    stream.take("updates", {"decompose": {"plan": PLAN.model_dump()}})
    assert stream.take("custom", ended("T2", "two")) == []
    assert stream.take("custom", ended("T1", "one")) == [AnswerPiece("one\ntwo")]


def test_a_thread_that_begins_again_is_no_entry_where_nothing_else_tells_it() -> None:
    stream = AnswerStream()
    stream.take("values", {"question": "?", "plan": PLAN.model_dump()})
    assert joined([*stream.take("custom", ended("T1", "one")), *stream.take("custom", ended("T2", "two"))])
    (gone,) = stream.take("updates", {"review": {"plan": PLAN.model_dump(), "reviews": [{"redo": ["T1: no"]}]}})
    assert gone == AnswerReset("sent back: T1: no")
    stream.take("custom", {"thread_id": "T1", "subquestion": "?", "status": "queued"})
    assert stream.take("custom", ended("T2", "2")) == []
    assert stream.take("custom", ended("T1", "1")) == [AnswerPiece("1\n2")]


def test_a_list_whose_names_are_not_known_is_not_shown_early() -> None:
    part = Part(number=1, named=[1, 2], sources=[1, 2], question="?")
    plan = ThreadPlan(threads=[ThreadSpec(id="T1", subquestion="?", parts=[part])], answer="list")
    stream = AnswerStream()
    stream.take("values", {"question": "Which bug is there?", "plan": plan.model_dump()})
    assert stream.take("custom", ended("T1", "a loop")) == []
    assert stream.settle("a.py: a loop") == [AnswerPiece("a.py: a loop")]


def test_a_text_of_nothing_but_tags_is_read_no_further_than_is_worth_it() -> None:
    growing = GrowingText()
    for _ in range(5_000):
        growing.take("a\n</think>\n")
    assert growing.answer == ""
    growing = GrowingText()
    for _ in range(500):
        growing.take("word " * 100)
    assert len(growing.answer) <= 200_000
