"""The scores of the evaluations: answers, votes, intervals, decisions, and what a review found."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.intervals import bootstrap, decision, resample, wilson
from evals.item import GivenResult, Item
from evals.numerals import number, numbers, same
from evals.run.reviewer import compare_found
from evals.score import parts_right, vote
from evals.sections import sections
from nodes.judging.verdicts import Conflict, Review
from nodes.threads.results import ThreadResult


def item(*answers: list[str], match: Any = "stated") -> Item:
    return Item(id="x", dataset="d", question="?", answers=list(answers), match=match)


@pytest.mark.parametrize(
    ("wanted", "match", "answer", "right"),
    [
        (["1,200"], "stated", "It is 1200 euros.", True),
        (["1200"], "stated", "It is 1,200.00 euros.", True),
        (["12"], "stated", "It is 120.", False),
        (["12"], "stated", "It is 0.12 or 3.12.", False),
        (["-5"], "stated", "x = −5", True),
        (["7.61"], "stated", "7.6096 times", True),
        (["Lima"], "stated", "The capital is lima.", True),
        (["Au"], "stated", "Austria", False),
        (["8", "eight"], "stated", "There are Eight.", True),
        (["off-by-one", "n + 1"], "mention", "An OFF-BY-ONE error", True),
        (["18"], "concluded", "She has 18 hens and 3 cows. So 21.", False),
        (["18"], "concluded", "1. 3 * 6 = 18\n2. So 21 hens; then 5.", True),
        (["18"], "concluded", "The answers are 7, $18 and 21.", True),
        (["3.5"], "concluded", "It is 3.5. Then 7 more.", True),
        (["18"], "last", "First 18.\nSo it is 19.", False),
        (["18"], "last", "First 3.\nSo 3 * 6 = $18.\n\n", True),
        (["18"], "last", "", False),
        (["Everest"], "last", "It is Mount Everest", True),
    ],
)
def test_an_answer_is_found_by_value_or_as_a_word(wanted: list[str], match: Any, answer: str, right: bool) -> None:
    assert parts_right(item(wanted, match=match), answer) == [right]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("1. It is 18.\n2. So 3 * 7 = 21 cows.\n3. 5", [True, True, True]),
        ("1. First 18, then 18 - 4 = 14.\n2. 21\n3. 5", [False, True, True]),
        ("1. It is 21.\n2. It is 18.\n3. It is 5.", [False, False, True]),
        ("### Problem 1:\n1. 6 * 3\n2. 18\n\n### Problem 2:\n1. 7\n2. 21\n### Problem 3\n5", [True, True, True]),
        ("**1. Hens**\n   1. six\n   2. So 18.\n**2. Cows**\n21\n**3. Pigs**\nSo \\boxed{5}.", [True, True, True]),
        ("1. So 18.\n2. Cows:\n 1. 3 pens\n 2. 7 each\n So 21.\n3. It is cut o", [True, True, False]),
        ("They are 18, 21 and 5.", [True, True, True]),
        ("1. So 18.\n   **1.** six\n   **2.** 18\n2. So 21.\n3. So 5.", [True, True, True]),
        ("1. All of them: 18, 21 and 5.", [True, True, True]),
        ("", [False, False, False]),
    ],
)
def test_problems_are_answered_in_turn(answer: str, right: list[bool]) -> None:
    assert parts_right(item(["18"], ["21"], ["5"], match="in turn"), answer) == right


@given(st.text(st.sampled_from("12345.#*() \nProblem"), max_size=200), st.integers(1, 5))
def test_sections_lie_in_the_answer(answer: str, count: int) -> None:
    found = sections(answer, count)
    assert len(found) != 1 and list(found) == list(range(1, len(found) + 1)) and len(found) <= count
    assert all(text in answer for text in found.values())


def test_every_part_counts() -> None:
    assert parts_right(item(["1"], ["2"], ["three"]), "1 and three") == [True, False, True]


@given(st.integers(-(10**9), 10**9), st.text())
def test_numbers_are_read_as_they_are_written(value: int, around: str) -> None:
    for written in (str(value), f"{value:,}", f"{value}.0"):
        assert number(written) == value and numbers(f"it is {written} then") == [value]
    assert all(math.isfinite(found) for found in numbers(around))


@given(st.floats(0.001, 1e9), st.floats(-0.004, 0.004))
def test_rounding_is_no_fault(value: float, by: float) -> None:
    assert same(value, value * (1 + by)) and not same(value, value * 1.02)


def test_the_majority_is_voted_for() -> None:
    assert vote(["So 3", "It is 4.", "The answer: 4"]) == "It is 4."
    assert vote(["Peru.\nLima", "lima", "Quito"]) == "Peru.\nLima"
    assert vote([""]) == ""


def test_intervals_hold_what_they_should() -> None:
    assert [round(value, 3) for value in wilson(8, 10)] == [0.8, 0.49, 0.943]
    assert wilson(0, 12).low == 0 and 0.2 < wilson(0, 12).high < 0.3
    assert math.isnan(wilson(0, 0).mean)
    mean, low, high = bootstrap([0.0, 1.0] * 50)
    assert mean == 0.5 and 0.38 < low < 0.43 and 0.57 < high < 0.62
    assert bootstrap([1.0] * 12).low < 1
    mean, low, high = resample([-1.0, 0.0, 0.0, 1.0] * 25)
    assert mean == 0 and -0.16 < low < -0.1 and 0.1 < high < 0.16
    assert resample([0.0] * 12) == (0, 0, 0) and math.isnan(resample([]).mean)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_mean_lies_in_its_interval(values: list[float]) -> None:
    mean, low, high = bootstrap(values)
    assert low - 1e-9 <= mean <= high + 1e-9


def test_a_constant_decision_is_worth_nothing() -> None:
    assert decision([True] * 4, [True, True, False, False])[:2] == (0.5, 2 / 3)
    assert decision([False] * 4, [True, True, False, False]) == (0.5, 0.0, 0.0)
    assert decision([True, False], [True, False]) == (1.0, 1.0, 0.0)
    assert math.isnan(decision([], []).balanced_accuracy)


RESULTS = [GivenResult(id=f"T{n}", subquestion="?", result=f"It is {n}.") for n in (1, 2, 3)]
PLANTED = Item(id="r", dataset="results", question="?", results=RESULTS, wrong=["T1"], contradictions=[["T2", "T3"]])


@pytest.mark.parametrize(
    ("back", "pairs", "expected"),
    [
        ([], [], (0, 0, 0, 0.0)),
        (["T1"], [], (1, 0, 0, 0.5)),
        (["T1", "T2"], [], (1, 1, 0, 1.0)),
        (["T1"], [["T2", "T3"]], (1, 1, 0, 1.0)),
    ],
)
def test_what_a_review_found_is_compared_with_what_was_planted(
    back: list[str], pairs: list[list[str]], expected: tuple[int, int, int, float]
) -> None:
    conflicts = [Conflict(threads=pair, quotes=[f"it is {id[1:]}" for id in pair]) for pair in pairs]
    written = Review(redo=[f"{id}: wrong" for id in back], conflicts=conflicts)
    told = compare_found(PLANTED, written)
    names = ("wrong_found", "contradictions_found", "false_alarms", "score")
    assert tuple(told[name] for name in names) == expected
    clean = PLANTED.model_copy(update={"wrong": [], "contradictions": []})
    assert compare_found(clean, written)["false_alarms"] == len({*back, *(id for pair in pairs for id in pair)})


def test_what_a_check_of_its_own_found_counts_and_what_is_quoted_wrongly_does_not() -> None:
    checked = [
        ThreadResult(id=f"T{n}", subquestion="?", status="answered", answer=f"It is {n}.", fault="no" if n == 1 else "")
        for n in (1, 2, 3)
    ]
    told = compare_found(
        PLANTED, Review(conflicts=[Conflict(threads=["T2", "T3"], quotes=["it is 2", "it is 4"])]), checked
    )
    assert (told["wrong_found"], told["contradictions_found"], told["false_alarms"]) == (1, 0, 0)
