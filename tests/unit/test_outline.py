"""The lines of an outline: which segments a part names, what it asks, and which others it needs (pure)."""

import re

import pytest

from nodes.planning.outline import independent, list_unnamed, read_parts
from tests.support.inputs import numbered

PENS = numbered("Ana has 3 boxes.", "She loses 5 pens.", "How many pens are left?", "Who wrote Faust?")
FILES = numbered("Which bug is there?", documents={"a.py": "x = 1", "b.py": "y = 2"})


@pytest.mark.parametrize(
    ("line", "named", "question"),
    [
        ("3", [3], "How many pens are left?"),
        (" [3] ", [3], "How many pens are left?"),
        ("3 1", [1, 3], "Ana has 3 boxes.\nHow many pens are left?"),
        ("1, 3 & 4", [1, 3, 4], "Ana has 3 boxes.\nHow many pens are left?\nWho wrote Faust?"),
        ("3 3", [3], "How many pens are left?"),
        ("4: Who wrote it?", [4], "Who wrote it?"),
        ("1,3：还剩多少支笔？", [1, 3], "还剩多少支笔？"),
        ("[1] [2] [3] : How many?", [1, 2, 3], "How many?"),
        ("Who wrote Faust?", [], "Who wrote Faust?"),
        ("12 Monkeys: who directed it?", [], "12 Monkeys: who directed it?"),
        ("What is 12 * 7?", [], "What is 12 * 7?"),
        ("كم يبلغ ارتفاع البرج؟", [], "كم يبلغ ارتفاع البرج؟"),
    ],
)
def test_a_line_names_segments_or_asks_in_its_own_words(line: str, named: list[int], question: str) -> None:
    ((part,), repairs) = read_parts([line], PENS)
    assert (part.number, part.named, part.sources, part.needs, part.question) == (1, named, named, [], question)
    assert repairs == []


@pytest.mark.parametrize(
    ("line", "question"),
    [("1 2", "a.py: Which bug is there?"), ("3", "b.py: Which bug is there?"), ("2 3: Is one worse?", "Is one worse?")],
)
def test_what_is_asked_of_a_document_bears_its_name(line: str, question: str) -> None:
    assert [part.question for part in read_parts([line], FILES).parts] == [question]


@pytest.mark.parametrize(
    ("line", "named", "question", "kind"),
    [
        ("3 9", [3], "How many pens are left?", "unknown_segment"),
        ("3 9: How many?", [3], "How many?", "unknown_segment"),
        ("1984: What happened then?", [], "1984: What happened then?", "unknown_segment"),
        ("9", None, "", "dropped"),
        ("0", None, "", "dropped"),
    ],
)
def test_a_number_that_names_nothing_takes_nothing_with_it_and_is_told(
    line: str, named: list[int] | None, question: str, kind: str
) -> None:
    parts, (repair,) = read_parts(["Who?", line], PENS)
    read = [(part.named, part.question) for part in parts[1:]]
    assert read == ([] if named is None else [(named, question)])
    assert repair.kind == kind and repair.segments and str(repair.segments[0]) in str(repair)


def test_blank_lines_are_no_parts_and_the_same_part_counts_once() -> None:
    parts, repairs = read_parts(
        ["", "Who wrote Faust?", " \n", "who wrote Faust", "4: Who wrote Faust?", "4", "[4]"], PENS
    )
    assert [(part.number, part.named) for part in parts] == [(1, []), (2, [4]), (3, [4])]
    assert [(repair.kind, repair.part) for repair in repairs] == [("merged", 4), ("merged", 7)]


@pytest.mark.parametrize(
    "lines",
    [
        ("What is 3 + 4?", "What is 3 * 4?", "What is 3 - 4?"),
        ("What is 3.5 * 2?", "What is 35 * 2?"),
        ("What is C?", "What is C++?", "What is C#?"),
        ("Is 5 > 3?", "Is 5 < 3?"),
        ("3! - 5", "3 - 5"),
    ],
)
def test_parts_that_differ_by_a_sign_ask_different_things(lines: tuple[str, ...]) -> None:
    parts, repairs = read_parts(lines, PENS)
    assert [part.question for part in parts] == list(lines) and repairs == []
    # What a sign sets apart from all parts is not said by them either.
    assert [segment.text for segment in list_unnamed(parts[:1], numbered(*lines))] == list(lines[1:])


@pytest.mark.parametrize(
    ("lines", "needs"),
    [
        (["How tall is it?", "How many feet is #1?"], [[], [1]]),
        (["How tall is it?", "How many feet is # T1?"], [[], [1]]),
        (["How old is A?", "How old is B?", "#1 minus #2?"], [[], [], [1, 2]]),
        (["How many feet is #2?", "How tall is it?"], [[2], []]),
        (["Is #1 so?", "Is #9 so?"], [[], []]),
        (["Is #2 so?", "Is #1 so?"], [[], [1]]),
        (["4", "1 3: Is #1 more?"], [[], [1]]),
        (["How tall is it?", "how tall is it", "How wide is it?", "Is #3 more than #2?"], [[], [], [1, 2]]),
        (["99", "How tall is it?", "How many feet is #2?"], [[], [1]]),
    ],
    ids=[
        "one",
        "as a thread",
        "two",
        "a later one",
        "itself, nobody",
        "each other",
        "beside sources",
        "merged",
        "moved",
    ],
)
def test_a_part_needs_those_that_it_refers_to(lines: list[str], needs: list[list[int]]) -> None:
    parts = read_parts(lines, PENS).parts
    assert [part.needs for part in parts] == needs
    assert [part.number for part in independent(parts)] == [n for n, own in enumerate(needs, 1) if not own]
    for part in parts:
        assert set(part.needs) <= set(map(int, re.findall(r"#\s?T?(\d)", part.question)))


@pytest.mark.parametrize(
    ("asked", "line", "needs"),
    [
        ("Which book was the #1  Bestseller of 1990?", "Name the #1 bestseller.", []),
        ("Which song was #1?", "Which song was #1?", []),
        ("哪首歌是#1？", "哪首歌是#1？", []),
        ("أي كتاب كان #1 عام 1990؟", "ما هو #1 عام 1990؟", []),
        ("Which book was the #1 bestseller of 1990?", "Did #1 write more?", [1]),
        ("Which song is #1?", "How long is #1?", [1]),
        ("Which song was #1?", "#1", [1]),
        ("Which song was #10?", "How good was song #1?", [1]),
    ],
)
def test_the_users_own_number_sign_refers_to_no_part(asked: str, line: str, needs: list[int]) -> None:
    assert [part.needs for part in read_parts(["Who wrote it?", line], numbered(asked)).parts] == [[], needs]
