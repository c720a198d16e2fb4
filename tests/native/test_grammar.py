"""Formats: what is read of any text, and what is written is read back."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.native.grammar import GRAMMARS, Branch, Grammar, close_outlines, open_thread, read_outlines, write_block
from nodes.native.trajectory import find_answer

TAGS = ["<Outlines>", "</Outlines>", "<Goal>", "</Goal>", "<Outline>", "</Outline>", "<Thread>", "</Thread>", "<Path>"]
PIECES = st.one_of(st.sampled_from([*TAGS, "1:", " 1.2 :", "\n", "</Parallel>", "<think>", "</think>"]), st.text())
ANYTHING = st.lists(PIECES, max_size=30).map("".join)
NUMBER = st.lists(st.integers(0, 99), min_size=1, max_size=3).map(lambda levels: ".".join(map(str, levels)))
PLAIN = st.text(st.characters(exclude_characters="<", exclude_categories=["Cs"]))
every = pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS)


def listed(grammar: Grammar, outlines: list[tuple[str, str]]) -> str:
    lines = "\n".join(f"{grammar.outline_start}{number}: {task}{grammar.outline_end}" for number, task in outlines)
    return f"{grammar.outlines_start}\n{lines}\n{grammar.outlines_end}"


@every
@settings(max_examples=50)
@given(before=ANYTHING, outlines=st.lists(st.tuples(NUMBER, PLAIN), max_size=6))
def test_outlines_are_read_as_they_were_written(grammar: Grammar, before: str, outlines: list[tuple[str, str]]) -> None:
    read = read_outlines(grammar, before + listed(grammar, outlines))
    first: dict[str, str] = {}
    for number, task in outlines:
        first.setdefault(number, task.strip())
    assert {outline.number: outline.task for outline in read} == first
    assert [outline.number for outline in read] == list(first)


@every
@settings(max_examples=50)
@given(text=ANYTHING)
def test_any_text_is_read(grammar: Grammar, text: str) -> None:
    outlines = read_outlines(grammar, text)
    numbers = [outline.number for outline in outlines]
    assert len(set(numbers)) == len(numbers) and all(number in text for number in numbers)
    for matched in ("", "token", grammar.outlines_end, grammar.thread_end):
        closed = close_outlines(grammar, text, matched)
        assert closed is None or (closed.startswith(text) and closed.endswith(grammar.outlines_end))
        if matched == grammar.outlines_end:
            assert closed is not None
    assert find_answer(grammar, "", text) == find_answer(grammar, "", text).strip()


@every
@settings(max_examples=50)
@given(threads=st.lists(st.tuples(NUMBER, PLAIN, st.booleans()), max_size=6))
def test_a_block_holds_every_thread_word_for_word(grammar: Grammar, threads: list[tuple[str, str, bool]]) -> None:
    branches = [Branch(number=number, text=text, finished=whole) for number, text, whole in threads]
    text = write_block(grammar, branches)
    # Read by a pattern of its own.
    tag = "Thread" if grammar is GRAMMARS["threadweaver"] else "Path"
    found = re.findall(rf"<{tag}>\n([0-9.]+):([^<]*)</{tag}>", text)
    assert found == [
        (branch.number, branch.text + ("" if branch.finished else grammar.unfinished)) for branch in branches
    ]
    rest = re.sub(rf"<{tag}>\n[0-9.]+:[^<]*</{tag}>", "|", text)
    between = "" if tag == "Thread" else "\n"
    assert rest == "\n" + between.join("|" * len(branches)) + "\n"
    for branch in branches:
        assert text.count(open_thread(grammar, branch.number) + branch.text)


@pytest.mark.parametrize(
    ("prompt", "written", "answer"),
    [
        ("", "It is 4.", "It is 4."),
        ("", "<think>\nSo.\n</think>\nIt is 4.", "It is 4."),
        ("", "<think>\nSo it goes on", ""),
        ("[model] <think>\n", "So. </think> It is 4.", "It is 4."),
        ("[model] <think>\n", "So it goes on", ""),
        ("", "<Parallel>\n<Outlines></Outlines>\n<Thread>\n1: x</Thread>\n</Parallel>\nIt is 4.", "It is 4."),
        ("", "<Parallel>\n<Outlines></Outlines>\n<Thread>\n1: x</Thread>\n", ""),
        ("", "<think>\n<Thread>\n1: x\n</think>\nmine</Thread>\n</Parallel>\n</think>\nIt is 4.", "It is 4."),
    ],
)
def test_the_answer_is_what_follows_the_reasoning(prompt: str, written: str, answer: str) -> None:
    assert find_answer(GRAMMARS["threadweaver"], prompt, written) == answer
