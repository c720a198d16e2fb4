"""Calculations in a text, done again in plain code."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodes.sums import close, mistakes, numbers, sums


@pytest.mark.parametrize(
    ("text", "value", "claimed"),
    [
        ("14 * 6 = 84: right", 84, 84),
        ("23 * 17 is 381.", 391, 381),
        ("So 16 - 3 - 4 = 9 eggs", 9, 9),
        ("$80,000 + $50,000 = $130,000", 130_000, 130_000),
        ("2 + (3 × 4) = 15", 14, 15),
        (r"\(12 \times 8 = 96\)", 96, 96),
        ("**5 x 5 = 26**", 25, 26),
        ("Result: 7 ÷ 2 = 3.5", 3.5, 3.5),
        ("2 * 3 = 6 + 4 = 10", 10, 10),
        ("5 − 8 = −3", -3, -3),
    ],
)
def test_a_calculation_is_read_as_it_stands(text: str, value: float, claimed: float) -> None:
    (found,) = sums(text)
    assert (found.value, found.claimed) == (value, claimed) and found.right is (value == claimed)
    assert bool(mistakes(text)) is not found.right


@pytest.mark.parametrize(
    "text",
    [
        "20% of 50 = 10",
        "120 - 20% = 96",
        "x * 3 + 4 = 10",
        "2 ^ 3 * 4 = 13",
        "3 * 4 = 13%",
        "3 shirts * 20 = 61",
        "2020-2024 is 5",
        "9:10 - 11 = 3",
        "v1.2 - 3 = 4",
        "100 / 0 = 3",
        "a / 5 * 5 = 26",
        "",
    ],
)
def test_what_may_be_something_else_is_left_alone(text: str) -> None:
    assert mistakes(text) == []


@pytest.mark.parametrize(
    ("value", "claimed", "holds"),
    [
        (10 / 3, 3.33, True),
        (3.5, 3, True),
        (3.5, 4, True),
        (391, 381, False),
        (84, 94, False),
        (0, 0, True),
        (2, 3, False),
        (1234.5, 1234, True),
    ],
)
def test_rounding_is_no_mistake(value: float, claimed: float, holds: bool) -> None:
    assert close(value, claimed) is holds


def test_what_was_given_is_quoted_not_made() -> None:
    said = "The bill has 4 * 25 = 90, and 3 * 3 = 8."
    assert [one.written for one in mistakes(said, given="4 * 25 = 90")] == ["3 * 3 = 8"]


whole = st.integers(0, 99_999)


@given(whole, st.sampled_from("+-*"), whole, whole)
def test_sums_of_any_numbers_come_out(one: int, sign: str, other: int, off: int) -> None:
    value = {"+": one + other, "-": one - other, "*": one * other}[sign]
    assert mistakes(f"First {one} {sign} {other} = {value}.") == []
    wrong = abs(value) + off + max(2, abs(value) // 100)
    assert [told.value for told in mistakes(f"{one:,} {sign} {other:,} = {wrong:,}")] == [value]


@given(st.text(st.sampled_from("0123456789+-*/=().,% x$is:"), max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    assert all(one.operands and one.written for one in sums(text))
    assert all(number >= 0 for number in numbers(text))


@pytest.mark.parametrize("part", ["1+", "(", "1 ", "1 + 1 ", "1,", "- ", "1.1", "(1 ", "\\", "1 + 1 = "])
def test_long_texts_are_read_in_a_moment(part: str) -> None:
    began = time.process_time()
    sums(part * (200_000 // len(part)))
    assert time.process_time() - began < 10
