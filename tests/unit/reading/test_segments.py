"""How a question is read: its lists, its code and what stands beside them."""

from typing import Any

import pytest

from graphs import graph
from nodes.input.excerpts import by_number
from nodes.input.segments import split_input
from nodes.planning.outline import read_parts
from tests.support.inputs import list_items, split_question
from tests.support.server import ModelServer, outline

CODE = "```python\ndef f(x):\n    # Why? Who knows.\n- x\n    return 1. + x\n```"
AFTER = "Which of them is the oldest?"

MARKERS = [
    *(
        "1. 2. 3.",
        "1) 2) 3)",
        "(1) (2) (3)",
        "1: 2: 3:",
        "1、 2、 3、",
        "（1） （2） （3）",
        "１．  ２． ３．",
        "١. ٢. ٣.",
    ),
    *("a. b. c.", "a) b) c)", "(a) (b) (c)", "A. B. C.", "α) β) γ)", "а) б) в)", "가. 나. 다."),
    *("i. ii. iii.", "(iv) (v) (vi)", "I. II. III.", "一、 二、 三、", "（一） （二） （三）", "十、 十一、 十二、"),
    *("① ② ③", "1️⃣ 2️⃣ 3️⃣", "**1.** **2.** **3.**", "**1**. **2**. **3**.", "[1] [2] [3]", "1.) 2.) 3.)"),
    *("- - -", "* * *", "+ + +", "– – –", "— — —", "• • •", "· · ·", "● ● ●", "✓ ✓ ✓", "1. 1. 1.", " 9. 10. 11."),
    *("Q1: Q2: Q3:", "Frage_1: Frage_2: Frage_3:", "問1： 問2： 問3：", "**Q1:** **Q2:** **Q3:**", "1. 2) (c)"),
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("markers", MARKERS)
def test_a_list_is_known_by_markers_that_are_alike_or_count_up(markers: str, end: str) -> None:
    signs = [sign.replace("_", " ") if "**" not in sign else sign for sign in markers.split()]
    items = [f"{sign} Is it so. Who is {place}?" for place, sign in enumerate(signs)]
    found = split_input(end.join(["Answer these.", *items, AFTER]))
    assert [segment.text for segment in found] == ["Answer these.", *items, AFTER]
    assert [segment.marker for segment in found] == ["", *signs, ""]
    assert list_items(end.join(items)) == 3 and [bool(segment.marker) for segment in found] == [
        False,
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("sign", ["1、", "（1）", "一、", "・", "●"])
def test_wide_markers_need_no_space(sign: str) -> None:
    assert [item.marker for item in split_input(f"{sign}東京\n{sign}大阪")] == [sign, sign]


@pytest.mark.parametrize(
    "text",
    [
        "- only one thing",
        "He was born on\n3. Oktober 1990 in Bonn",
        "J. Smith met\nJ. Doe in Rome",
        "It costs\n5% more than\n7% of it",
        "> a\n> b",
        "# One\n# Two",
        "* * *",
        "mix. It\ndid. It",
        "½ cup\n¼ cup",
        "-5 degrees\n-7 degrees",
        "*one* word\n*two* words",
    ],
)
def test_what_only_looks_like_an_item_is_none(text: str) -> None:
    assert list_items(text) == 0


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("gap", [1, 2])
def test_what_is_asked_after_a_list_is_no_part_of_its_last_item(end: str, gap: int) -> None:
    question = end.join(["Languages:", "- Python", "- Java", "- C"]) + end * gap + AFTER + end + "Who made it?"
    assert split_question(question) == ["Languages:", "- Python", "- Java", "- C", AFTER, "Who made it?"]


@pytest.mark.parametrize(
    ("question", "segments"),
    [
        ("Say:\n- a\n- b\nWhich?\n- c\n- d\nWho?", ["Say:", "- a", "- b", "Which?", "- c", "- d", "Who?"]),
        ("1. It goes\nbetween.\n2. It goes\nbelow.", ["1. It goes\nbetween.", "2. It goes\nbelow."]),
        ("1. It goes\non.\n2. It goes\non.\nWhich?", ["1. It goes\non.", "2. It goes\non.", "Which?"]),
        ("1. One pen\nand a half.\n2. Two.\nWhich?", ["1. One pen\nand a half.", "2. Two.", "Which?"]),
        ("1. One\n   more?\n2. Two\n\n   more.\nEnd?", ["1. One\n   more?", "2. Two\n\n   more.", "End?"]),
        ("1. A\n   - x\n   - y\n2. B\n  - x\n  - y\n3. C", ["1. A\n   - x\n   - y", "2. B\n  - x\n  - y", "3. C"]),
        ("1. A\n- x\n- y\n2. B\n- x\n3. C", ["1. A\n- x\n- y", "2. B\n- x", "3. C"]),
        ("- A\n    1. x\n    2. y\n- B", ["- A\n    1. x\n    2. y", "- B"]),
        ("1、 A\n  （一） x\n  （二） y\n2、 B", ["1、 A\n  （一） x\n  （二） y", "2、 B"]),
        ("1. A\n\t- x\n\t- y\n2. B", ["1. A\n\t- x\n\t- y", "2. B"]),
        ("1. First. Second?\n   2. Third\n   3. Fourth", ["1. First. Second?", "2. Third", "3. Fourth"]),
        ("Compare:\n1. Rust\n- C\n* D\n• Ada\n2. Go", ["Compare:", "1. Rust\n- C\n* D\n• Ada", "2. Go"]),
        ("Why?\n\n- a. b\n- c. d\n\nWho?", ["Why?", "- a. b", "- c. d", "Who?"]),
    ],
)
def test_an_item_is_its_whole_block(question: str, segments: list[str]) -> None:
    assert split_question(question) == segments


@pytest.mark.parametrize(
    ("question", "segments"),
    [
        (f"Review this.\n{CODE}\nThen say why.", ["Review this.", CODE, "Then say why."]),
        (f"Look.\n{CODE.replace('```', '~~~~')}\nWhy?", ["Look.", CODE.replace("```", "~~~~"), "Why?"]),
        ("Look:\n```\na. b? c! d", ["Look:", "```\na. b? c! d"]),
        ("Is ```x. Y? Z``` so? Why?", ["Is ```x. Y? Z``` so?", "Why?"]),
        ("```let a```\n1. Who?\n2. Where?", ["```let a```", "1. Who?", "2. Where?"]),
        ("- Fix\n  ```\n  - a\n  - b\n  ```\n- Why?", ["- Fix\n  ```\n  - a\n  - b\n  ```", "- Why?"]),
        ("1. Fix\n```\n1. a\n```\n2. Fix\n```\nb\n```", ["1. Fix\n```\n1. a\n```", "2. Fix\n```\nb\n```"]),
        ("1. One\n2. Two\n```\nb\n```\nWhy?", ["1. One", "2. Two", "```\nb\n```", "Why?"]),
        ("Say.\n\n    x. Y? Z.\n    1. a\n\nWhy?", ["Say.", "x. Y? Z.\n    1. a", "Why?"]),
        ("> It is. Is it?\n> So.\n\nWhy?", ["> It is. Is it?\n> So.", "Why?"]),
        ("| a | b |\n|---|---|\n| Is it? | No. |\n\nWhy?", ["| a | b |\n|---|---|\n| Is it? | No. |", "Why?"]),
        ("# What? Why?\nSay it.", ["# What?", "Why?", "Say it."]),
        ("One?\n\n---\n\nTwo?\n\n---", ["One?\n---", "Two?\n---"]),
        ("One paragraph?\n\nAnother one?\n \t\nA third", ["One paragraph?", "Another one?", "A third"]),
        ("Solve: 1. A has 2 pens. How many? 2. What is 3?", ["Solve: 1. A has 2 pens.", "How many?", "2. What is 3?"]),
        ("1. First? Second?", ["1. First?", "Second?"]),
        (" \n ", []),
    ],
)
def test_code_quotations_and_tables_stay_whole(question: str, segments: list[str]) -> None:
    assert split_question(question.replace("\n", "\r\n")) == split_question(question) == segments


@pytest.mark.parametrize(
    "unseen", ["\ufeff", "\u200b", "\ufeff\u200b\u2060", "\u200e", "\u200f\ufeff", "\u00ad", "\u061c"]
)
def test_what_is_not_seen_hides_no_item(unseen: str) -> None:
    assert split_question(f"{unseen}1. a\n2. b") == ["1. a", "2. b"]
    assert [item.marker for item in split_input(f"- a\n{unseen}- b")] == ["-", "-"]


@pytest.mark.parametrize("letters", ["İ", "ı", "xİ", "ſ", "Kelvin K"])
def test_letters_that_only_look_like_numbers_in_another_case_number_nothing(letters: str) -> None:
    assert [segment.text for segment in split_input(f"{letters}. One?\n{letters}. Two?")]
    assert [segment.text for segment in split_input(letters)] == [letters]


async def test_what_is_asked_after_a_list_reaches_the_model_as_a_segment(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", outline("1", "2"))
    await graph.ainvoke({"question": f"Languages:\r\n- Python\r\n- Java\r\n{AFTER}"}, context=context)
    (asked,) = server.calls("assess")
    assert asked.last.endswith(f"Languages:\n[1] - Python\n[2] - Java\n[3] {AFTER}")


@pytest.mark.parametrize(
    "introduction", ["Answer these:", "把这些翻译成德语：", "أجب عن هذه:", "Give the price of each."]
)
def test_what_introduces_a_list_has_no_number_where_the_model_reads_it(introduction: str) -> None:
    segments = split_input(f"{introduction}\n1. Who?\n2. What?\n\nWhich is more?", [("d", "whole")])
    assert by_number(segments) == f"{introduction}\n[1] 1. Who?\n[2] 2. What?\n[3] Which is more?\nDocuments: 4 d"
    assert read_parts(["1", "2"], segments).parts[0].question == "Who?"


def test_a_question_before_a_list_has_a_number() -> None:
    assert by_number(split_input("Who made it?\n- 1\n- 2")) == "[1] Who made it?\n[2] - 1\n[3] - 2"
