"""Others' sets: how each is read, how each is scored, and the table that says whether a split pays."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.faulty import about_files
from evals.item import HALVES, Item, half_of, half_of_id
from evals.items import load_items, sample
from evals.run.row import row_of
from evals.run.session import fits
from evals.run.variants import REVIEWERS
from evals.score import parts_right
from evals.shape import match, parts_of, shape, widest
from nodes.planning.outline import Part
from nodes.state import Assessment, Document, Solution


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


ANSWERS = {"count": "8", "plausible": "no", "boolean": "True", "date": "(B)"}


def short_items(folder: Path) -> Path:
    rows = []
    for number in range(60):
        for task, answer in ANSWERS.items():
            id = f"{task}-{number}"
            options = "\nOptions:\n(A) 01/02/2003\n(B) 02/03/2004" if task == "date" else ""
            rows.append({"id": id, "task": task, "question": f"What is {id}?{options}", "answer": answer})
    return write(folder, "bbh_dev", rows)


@pytest.mark.parametrize("size", [4, 8])
def test_short_items_are_asked_as_one_list_of_mixed_tasks_and_of_one_half(size: int, tmp_path: Path) -> None:
    folder, seen = short_items(tmp_path), []
    for half in HALVES:
        items = load_items(f"bbh{size}", folder, half=half)
        assert items and {half_of(item) for item in items} == {half} and len({item.id for item in items}) == len(items)
        for item in items:
            ids = [line.split("What is ")[1].rstrip("?") for line in item.question.splitlines() if "What is" in line]
            assert len(ids) == len(item.answers) == item.threads == size and item.parallel
            assert {half_of_id(id) for id in ids} == {half}
            assert [wanted[0] for wanted in item.answers] == [ANSWERS[id.split("-")[0]] for id in ids]
            seen += ids
        tasks = [[wanted[0] for wanted in item.answers] for item in items[:10]]
        assert all(len(set(of)) == 4 for of in tasks) and len({of[0] for of in tasks}) > 1
    assert len(set(seen)) == len(seen)


def test_an_item_of_several_lines_stays_one_entry_of_the_list(tmp_path: Path) -> None:
    for item in load_items("bbh4", short_items(tmp_path)):
        lines = item.question.splitlines()
        assert lines[0] == "Answer these questions."
        assert [line[:3] for line in lines if not line.startswith(" ")][1:] == ["1. ", "2. ", "3. ", "4. "]
        within = [line for line in lines if line.startswith(" ")]
        assert within == ["   Options:", "   (A) 01/02/2003", "   (B) 02/03/2004"] * (len(within) // 3)
        assert all(wanted in (["(B)", "02/03/2004"], ["8"], ["no"], ["True"]) for wanted in item.answers)


def test_eight_word_problems_are_asked_as_four_are(tmp_path: Path) -> None:
    rows = [{"id": f"p{n}", "question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(60)]
    folder = write(tmp_path, "gsm8k_dev", rows)
    four, eight = (load_items(name, folder) for name in ("composites", "composites8"))
    assert {len(item.answers) for item in four} == {4} and {len(item.answers) for item in eight} == {8}
    assert not {item.id for item in four} & {item.id for item in eight}
    halves = [
        {half_of_id(f"p{int(wanted) - 1}") for (wanted,) in item.answers} | {half_of(item)} for item in [*four, *eight]
    ]
    assert all(len(half) == 1 for half in halves)


def test_a_short_answer_counts_where_its_section_ends_up_with_it() -> None:
    item = Item(
        id="x", dataset="bbh4", question="?", match="in turn", answers=[["8"], ["no"], ["True"], ["(B)", "02/03/2004"]]
    )
    told = "1. 4 + 4 = 8 animals\n2. It is **not**: No.\n3. not False is True\n4. (B) 02/03/2004"
    assert parts_right(item, told) == [True] * 4
    assert parts_right(item, "8\nno\ntrue\nB") == [True] * 4
    assert parts_right(item, "1. 8, 2. no, 3. True, 4. (B)") == [True] * 4
    assert parts_right(item, "1.\n8\n2.\nNo\n3.\nTrue\n4.\nB") == [True] * 4
    assert parts_right(item, "1. yes\n2. 8\n3. (B)\n4. True") == [False] * 4
    assert parts_right(item, "It is 8. They say yes and no, True and False, (A) and (B).") == [
        True,
        False,
        False,
        False,
    ]
    assert parts_right(item, "1. 8\n2. no") == [True, True, False, False]


def test_a_number_alone_on_its_line_is_an_answer_and_no_heading() -> None:
    item = Item(id="x", dataset="bbh4", question="?", match="in turn", answers=[["2"], ["3"], ["4"]])
    assert parts_right(item, "1. How many?\n2\n2. And then?\n3\n3. And then?\n4") == [True] * 3


@pytest.mark.parametrize(
    ("wanted", "told", "right"),
    [
        (["yes"], "Yes", True),
        (["yes"], "Yes. There is no rule against it.", True),
        (["yes"], "First I thought no. But: yes!", True),
        (["yes"], "Yes, or rather: No.", False),
        (["no"], "the answer is no because he plays football", True),
        (["no"], "Nothing is known.", False),
        (["False"], "(not True) and True is **False**", True),
        (["False"], "False or True, so TRUE", False),
        (["True"], "It is untrue.", False),
        (["(B)"], "B", True),
        (["(B)"], "b)", False),
        (["(B)"], "**B.** 02/03/2004", True),
        (["(B)"], "The answer is (b).", True),
        (["(B)"], "A week later it is B", True),
        (["(A)"], "A", True),
        (["(A)"], "So a day later", False),
        (["(B)"], "It is B. A week later it would not be.", True),
        (["(B)"], "(A) is wrong, so (B). I think so.", True),
        (["(B)"], "(B) is wrong, so (A)", False),
        (["(B)", "02/03/2004"], "It is 02/03/2004.", True),
        (["(B)", "02/03/2004"], "It is 02/03/2004, which is (C).", False),
        (["(B)", "02/03/2004"], "It is 12/03/2004.", False),
        (["12"], "10 and then 12.", True),
        (["12"], "12 and not 10", False),
    ],
)
def test_what_is_said_last_decides(wanted: list[str], told: str, right: bool) -> None:
    item = Item(id="x", dataset="bbh4", question="?", match="in turn", answers=[wanted, ["0"]])
    assert parts_right(item, f"1. {told}\n2. 5") == [right, False]


CODE = {
    "alpha": "def alpha(a, b):\n    if b == 0:\n        return a\n    return alpha(a % b, b)\n",
    "beta": "def beta(items):\n    total = 1\n    for item in items:\n        total += item\n    return total\n",
    "gamma": "\n\ndef gamma(text):\n    end = len(text)\n    return text[: end - 1]\n",
}
FAULTS = {
    "alpha": (4, "return alpha(a % b, b)", "return alpha(b, a % b)"),
    "beta": (2, "total = 1", "total = 0"),
    "gamma": (5, "return text[: end - 1]", "return text[:end]"),
}


def programs(folder: Path, copies: int = 1, **more: Any) -> Path:
    rows = []
    for number in range(copies):
        for name, (line, wrong, right) in FAULTS.items():
            id = f"{name}{number or ''}"
            rows.append({"id": id, "code": CODE[name], "line": line, "wrong": wrong, "right": right, **more})
    return write(folder, "quixbugs_dev", rows)


def test_reviews_are_of_two_to_four_files_of_one_half(tmp_path: Path) -> None:
    folder = programs(tmp_path, copies=4)
    for half in HALVES:
        items = load_items("quixbugs", folder, half=half)
        assert {len(item.documents) for item in items} == {2, 3, 4} and len({item.id for item in items}) == len(items)
        assert len({frozenset(item.needed) for item in items}) == len(items)
        for item in items:
            assert {half_of_id(id.removesuffix(".py")) for id in item.needed} == {half}
            for document, (line, wrong, _) in zip(item.documents, item.answers, strict=True):
                assert document.text.splitlines()[int(line) - 1].strip() == wrong


def test_a_program_whose_faulty_line_nobody_tells_is_left_out(tmp_path: Path) -> None:
    assert load_items("quixbugs", programs(tmp_path, copies=4, wrong="", right="")) == []


def review() -> Item:
    documents = [Document(id=f"{name}.py", text=CODE[name].lstrip("\n")) for name in CODE]
    answers = [[str(line), wrong, right] for line, wrong, right in FAULTS.values()]
    answers[2][0] = "3"
    return Item(id="x", dataset="quixbugs", question="?", documents=documents, answers=answers, match="fault")


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("alpha.py: line 4.\nbeta.py: Line **2** is wrong.\n### gamma.py\nline number 3", [True, True, True]),
        ("alpha.py: line 2.\nbeta.py: line 4.\ngamma.py: L3", [False, False, True]),
        ("In alpha.py, beta.py and gamma.py:\n`alpha.py`: line 2\n`beta.py`: line 4\n`gamma.py`: line 1", [False] * 3),
        ("alpha.py: `return alpha(a%b,b)`\nbeta.py: write total=0\ngamma.py: fine", [True, True, False]),
        ("The lines `return alpha(a % b, b)` and `total = 1` are wrong.", [True, True, False]),
        ("alpha: line 4\nbeta: line 2\ngamma: line 2", [True, True, False]),
        ("alpha.py: line 4, and elsewhere line 2", [True, False, False]),
        ("In beta.py all is well. In alpha.py:\n1. line 2\n2. line 4\nSo beta.py is fine.", [True, False, False]),
        ("### alpha\nline 4\n### beta\n### gamma\nIt is def alpha(a, b) and line 3", [True, False, True]),
        (f"alpha.py:\n{CODE['alpha']}\nbeta.py is fine", [True, False, False]),
        ("beta.py: line 1 names it, line 2 sets it, line 3 loops, line 4 adds, line 5 returns", [False] * 3),
        (f"beta.py:\n{CODE['beta'].replace('total = 1', 'total = 0')}", [False, True, False]),
        ("", [False] * 3),
    ],
)
def test_a_fault_is_named_by_number_text_or_mend_in_the_section_of_its_file(answer: str, right: list[bool]) -> None:
    assert parts_right(review(), answer) == right


def test_who_writes_a_file_down_again_has_named_no_line() -> None:
    item = review()
    long = "\n".join(f"    value_{n} = compute({n})" for n in range(9))
    document = item.documents[0].model_copy(update={"text": f"{CODE['alpha']}{long}\n"})
    item = item.model_copy(update={"documents": [document, *item.documents[1:]]})
    assert parts_right(item, f"alpha.py:\n{document.text}")[0] is False
    assert parts_right(item, f"alpha.py:\n{document.text.replace('a % b, b', 'b, a % b')}")[0] is True
    assert parts_right(item, f"alpha.py: line 4\n{document.text}")[0] is True


@given(st.lists(st.sampled_from(["one.py", "two.py", " text ", "\n", "one", "."]), max_size=12))
def test_what_is_about_a_file_stands_in_the_answer(pieces: list[str]) -> None:
    answer = "".join(pieces)
    for about in about_files(answer, ["one.py", "two.py"]):
        assert all(part in answer for part in about.split("\n"))


def test_a_text_of_some_length_is_counted_and_not_scored(tmp_path: Path) -> None:
    row = {"id": "w", "question": "Write.", "kind": "Letter", "words": 100}
    (item,) = load_items("longbench_write", write(tmp_path, "longbench_write_dev", [row]))
    kept = row_of(item, Solution(answer="Dear all,\nthanks.", outcome="complete"))
    assert (kept.score, kept.words, kept.words_wanted) == (None, 3, 100)


GOLD = [
    ("Who were the first 2 picks?", []),
    ("What is the batting hand of Pat Burrell?", [1]),
    ("What is the batting hand of Mark Mulder?", [1]),
]


def test_known_parts_are_read_with_what_they_need(tmp_path: Path) -> None:
    parts = [
        {"id": f"x{n}", "question": text, "needs": [f"x{m}" for m in needs]} for n, (text, needs) in enumerate(GOLD, 1)
    ]
    row = {"id": "f", "question": "Which hands?", "parts": parts}
    (item,) = load_items("fanoutqa", write(tmp_path, "fanoutqa_dev", [row]))
    assert [(part.question, part.needs) for part in item.parts] == GOLD
    assert (item.answers, item.parallel, item.threads) == ([], None, 2)


def test_the_shape_that_was_found_is_compared_with_the_known_one() -> None:
    same = shape(GOLD, [GOLD[0], GOLD[2], GOLD[1]])
    assert (same.parts_matched, same.widest_found, same.needs_right, same.needs_found) == (3, 2, 2, 2)
    turned = shape(GOLD, [(GOLD[1][0], []), (GOLD[0][0], [1]), ("Anything else entirely, like xyz", [2])])
    assert (turned.parts_found, turned.parts_matched, turned.widest_found) == (3, 2, 1)
    assert (turned.needs_wanted, turned.needs_found, turned.needs_right) == (2, 2, 0)
    assert shape(GOLD, []).parts_wanted == 3 and shape(GOLD, []).widest_wanted == 2


def test_texts_are_matched_one_to_one_and_the_most_alike_first() -> None:
    assert match(["How old is Ann?", "How old is Anna?"], ["How old is Anna now?", "how old is  ANN?"]) == {
        1: 2,
        2: 1,
    }
    assert match(["Wie hoch ist der Turm?"], ["埃菲尔铁塔有多高?"]) == {}
    assert match(["How old is Ann?"], ["How old is Ann?", "How old is Ann?"]) == {1: 1}
    assert widest([]) == 0 and widest([[], [1], [2]]) == 1 and widest([[], [], [1, 2], [], [3]]) == 3


@given(st.lists(st.text(max_size=20), max_size=5), st.lists(st.text(max_size=20), max_size=5))
def test_no_text_is_matched_twice(wanted: list[str], found: list[str]) -> None:
    pairs = match(wanted, found)
    assert len(set(pairs.values())) == len(pairs) and set(pairs) <= set(range(1, len(found) + 1))


def test_parts_of_an_assessment_are_numbered_by_their_places() -> None:
    told = [Part(number=2, question="a"), Part(number=5, question="b", needs=[2, 9, 5])]
    assert parts_of(Assessment(parts=told)) == [("a", []), ("b", [1])]
    assert parts_of(Assessment()) == parts_of(None) == []


def test_questions_without_their_documents_are_for_the_gate_and_the_plan() -> None:
    fit = [name for name in ("adaptive", "sequential", "gate", "plan", "review") if fits("fanoutqa", name)]
    assert fit == ["gate", "plan"] and not fits("quixbugs", "review")
    assert all(fits("results", name) and not fits("compound", name) for name in REVIEWERS)


def test_all_items_are_taken_whatever_they_are() -> None:
    items = [Item(id=str(n), dataset="d", question="?", parallel=n == 0) for n in range(9)]
    assert sample(items, 0, 3) == items and len(sample(items, 9, 3)) < 9
