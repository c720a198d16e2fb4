"""How a question is read: its lists, its sentences and its code, in any script."""

from typing import Any

import pytest
import sentencex
from hypothesis import given
from hypothesis import strategies as st

from graphs import graph
from nodes.input.excerpts import by_number
from nodes.input.segments import split_input
from nodes.input.sentences import has_question_mark, sentences
from nodes.planning.outline import read_parts
from nodes.shared.cleaning import clean_text
from tests.support.server import ModelServer, outline

CODE = "```python\ndef f(x):\n    # Why? Who knows.\n- x\n    return 1. + x\n```"
AFTER = "Which of them is the oldest?"


def split_question(question: str) -> list[str]:
    return [segment.text for segment in split_input(question)]


def list_items(question: str) -> int:
    return sum(bool(segment.marker) for segment in split_input(question))


@pytest.mark.parametrize(
    "whole",
    [
        "Ich suche z. B. ein Golf.",
        "Was geschah am 3. Oktober 1990?",
        "Wer wohnt in der Goethestr. 5 in Bonn?",
        "She got a Ph.D. in physics.",
        "Who founded Yahoo! Inc. in 1994?",
        "Did Jeopardy! air in 1964?",
        "It opens in Jan. and closes in Feb. each year.",
        "Use tools, e.g. Python vs. Java.",
        "What is No. 5 by Chanel?",
        "When was J. R. R. Tolkien born?",
        "Dr. Smith met J. K. Rowling at 3 p.m. today.",
        "А. С. Пушкин родился в 1799 г. в Москве.",
        "Qui est Mme. Curie ?",
        "Il dott. Rossi abita a Roma?",
        "El Sr. García vive en EE. UU. desde 1990.",
        "GDP of France, which joined the euro, and what is it?",
        "Tell me: what is 2+2; how far is Mars?",
        'What does "Who am I? I am you." mean in French?',
        "彼は「どこ？」と聞いた。",
        "What does `a. B? C` do?",
        "What does ``a ` b? C`` do?",
        "Is x ? y : z an expression?",
        "Is https://example.com/a?b=c.Html up?",
        "Is v1.2.3 newer than System.Out?",
        "Wait... what?",
        "Փարիզը Ո՞ր երկրում է։",
    ],
)
def test_there_is_no_cut_inside_a_sentence(whole: str) -> None:
    assert split_question(whole) == sentences(whole) == [whole]
    assert split_question(f"{whole}\n\nWhy so? What then?") == [whole, "Why so?", "What then?"]


@pytest.mark.parametrize(
    "told",
    [
        ["Who wrote Hamlet?", "What is 12*7?"],
        ["who wrote hamlet?", "what is 12*7?", "and why?"],
        ["Ana has 3 boxes.", "She gives away 5 pens.", "How many are left?"],
        ["Is pi 3.14?", "Is v1.2.3 newer than v1.2?"],
        ["What?!", "Really?"],
        ['He said "no."', 'Then "why?"', "Done."],
        ["ما هي عاصمة فرنسا؟", "من كتب هاملت؟"],
        ["فرانس کا دارالحکومت کیا ہے۔", "ہیملٹ کس نے لکھا؟"],
        ["Ποια είναι η πρωτεύουσα\u037e", "Ποιος έγραψε τον Άμλετ\u037e"],
        ["Ποια είναι η πρωτεύουσα;", "Ποιος έγραψε τον Άμλετ;"],
        ["फ्रांस की राजधानी क्या है।", "हैमलेट किसने लिखा।"],
        ["የፈረንሳይ ዋና ከተማ ማን ነው፧", "ሃምሌት ማን ጻፈ፧"],
        ["Is it so⁇", "Why⸮", "Then go."],
    ],
)
def test_a_text_is_cut_where_its_script_ends_a_sentence(told: list[str]) -> None:
    assert sentences(" ".join(told)) == told
    assert sentences("\n".join(told)) == told
    if sum(map(has_question_mark, told)) > 1:
        assert split_question(" ".join(told)) == told


@pytest.mark.parametrize(
    "told", ["A baker makes 40 rolls. She sells half. How many are left?", "Tell one. Tell two.", "Facts.\n\nWhy?"]
)
def test_what_asks_once_stays_whole(told: str) -> None:
    assert split_question(told) == [told]
    assert split_question(f"{told}\n- one\n- two") == [told, "- one", "- two"]


@pytest.mark.parametrize(
    "told", [["法国的首都是哪里？", "谁写了《红楼梦》？", "很好。"], ["首都はどこですか。", "書いたのは誰ですか"]]
)
def test_chinese_and_japanese_need_no_space_between_sentences(told: list[str]) -> None:
    assert sentences("".join(told)) == told


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


@pytest.mark.parametrize("mark", list("?？؟\u037e⸮⁇፧՞﹖꘏") + ["?”", "？」", "?) ", "?**", "α;"])
def test_a_question_mark_is_known_in_every_script(mark: str) -> None:
    assert has_question_mark(f"Is it so{mark}") and not has_question_mark(f"{mark} It is.")


@pytest.mark.parametrize("text", ["", "?!x", "It is;", "¿", ".", ")", "a: b;"])
def test_other_marks_ask_nothing(text: str) -> None:
    assert not has_question_mark(text)


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


@pytest.mark.parametrize("letters", ["İ", "ı", "xİ", "ſ", "Kelvin K"])
def test_letters_that_only_look_like_numbers_in_another_case_number_nothing(letters: str) -> None:
    assert [segment.text for segment in split_input(f"{letters}. One?\n{letters}. Two?")]
    assert [segment.text for segment in split_input(letters)] == [letters]


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


@pytest.mark.parametrize("unit", HOSTILE)
def test_the_longest_question_is_read_to_its_end(unit: str) -> None:
    # Work that is quadratic in this many characters takes minutes: the suite would stand still here.
    question = unit * (100_000 // len(unit))
    assert seen("".join(split_question(question))) == seen(question)


def test_a_text_that_the_splitter_cannot_read_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """What a fault in the splitter is raised as."""

    def panic(language: str, text: str) -> list[str]:
        raise PanicException(language, text)

    monkeypatch.setattr(sentencex, "segment", panic)
    assert split_question("Is this the one? It is not.") == ["Is this the one? It is not."]


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
