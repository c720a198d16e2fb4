"""From parts to threads that can be run: nothing that is asked gets lost (pure)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.input.segments import Segment
from nodes.planning.branches import find_ring, in_turn
from nodes.planning.needs import widest
from nodes.planning.outline import AnswerForm, independent, read_parts
from nodes.planning.plan import Planned, is_undecided, make_plan, read_everything
from nodes.planning.repair import Repair, faults
from nodes.planning.scope import closest
from tests.support.inputs import numbered

PENS = numbered("Ana has 3 boxes.", "She loses 5 pens.", "How many pens are left?", "Who wrote Faust?")
FILES = numbered("Which bug is there?", documents={"a.py": "x = 1", "b.py": "y = 2"})


def planned(
    lines: list[str], segments: list[Segment], answer: AnswerForm = "text", most: int = 16, at_once: int = 8
) -> Planned:
    return make_plan(read_parts(lines, segments).parts, answer, segments, max_threads=most, max_parallel=at_once)


def kinds(repairs: list[Repair]) -> list[str]:
    return [repair.kind for repair in repairs]


def test_each_part_is_a_thread_and_what_none_names_is_told_to_all() -> None:
    plan, repairs = planned(
        ["1 2 3", "4"], numbered("Ana has 3.", "She loses 1.", "How many?", "Who?", "Be brief."), "list"
    )
    assert [(spec.id, spec.sources) for spec in plan.threads] == [("T1", [1, 2, 3]), ("T2", [4])]
    assert (plan.shared_context, plan.parallelism, plan.answer, plan.open_parts) == ("Be brief.", 2, "list", [])
    assert repairs == []


@pytest.mark.parametrize(
    ("question", "lines", "shared"),
    [
        ("Who wrote Faust, and who wrote Emma?", ["Who wrote Faust?", "Who wrote Emma?"], ""),
        ("Who wrote Faust, and who wrote Emma?", ["Who wrote Faust?", "Who is Emma's author?"], True),
        ("谁写了《浮士德》，谁写了《爱玛》？", ["谁写了《浮士德》？", "谁写了《爱玛》？"], ""),
        ("Answer in French.", ["Who wrote Faust?", "Who wrote Emma?"], True),
    ],
)
def test_what_the_parts_say_themselves_is_not_told_again(question: str, lines: list[str], shared: Any) -> None:
    assert planned(lines, numbered(question)).plan.shared_context == (question if shared else "")


@pytest.mark.parametrize(
    ("said", "lines", "more", "answer"),
    [
        ("list", ["2", "3"], "Be brief.", "list"),
        ("list", ["2", "3"], "Which is more?", "text"),
        ("list", ["2", "3"], "哪个更多？", "text"),
        ("list", ["2", "3", "4"], "Which is more?", "list"),
        ("list", ["2", "3", "Is #1 more than #2?"], "Be brief.", "text"),
        ("text", ["2", "3"], "Be brief.", "text"),
    ],
    ids=[
        "as said",
        "a question around",
        "in Chinese",
        "which is a part too",
        "a part that brings them together",
        "text as said",
    ],
)
def test_results_are_the_answer_only_where_nothing_else_is_asked(
    said: AnswerForm, lines: list[str], more: str, answer: str
) -> None:
    assert planned(lines, numbered("Answer these.", "Two and two?", "Three?", more), said).plan.answer == answer


def test_a_part_that_needs_results_is_a_thread_and_what_brings_all_together_is_left_to_the_join() -> None:
    lines = ["Is #3 more than #4?", "How tall is A?", "How many feet is #2?", "How tall is B?"]
    plan, repairs = planned(lines, numbered("Compare A and B."))
    assert [(spec.id, spec.subquestion, spec.needs) for spec in plan.threads] == [
        ("T1", lines[1], []),
        ("T2", "How many feet is #1?", ["T1"]),
        ("T3", lines[3], []),
    ]
    # Numbers are the threads'.
    assert plan.open_parts == ["Is #2 more than #3?"]
    assert kinds(repairs) == ["left_to_join"] and faults(repairs) == []


@pytest.mark.parametrize(
    ("lines", "wide", "left"),
    [
        (["a?", "b of #1?"], 1, 1),
        (["a?", "b of #1?", "c of #2?"], 1, 1),
        (["a?", "b of #1?", "c of #1?"], 2, 0),
        (["a?", "b of #1?", "c of #1?", "d of #2 and #3?"], 2, 1),
        (["a?", "b?", "c of #1?", "d of #2?", "#3 or #4?"], 2, 1),
        (["a?", "b?", "c of #1 and #2?", "d of #3?"], 2, 2),
        (["a?", "b?", "c?", "d of #1 and #2?"], 3, 0),
        (["a of #2?", "b of #1?", "c?"], 2, 0),
        ([f"{n}?" for n in range(6)] + ["z of #1?"], 6, 1),
        ([], 0, 0),
    ],
    ids=[
        "chain",
        "long chain",
        "fork",
        "diamond",
        "branches",
        "join of two",
        "join beside one",
        "ring",
        "many",
        "none",
    ],
)
def test_what_can_run_at_once_and_what_is_left_to_the_join(lines: list[str], wide: int, left: int) -> None:
    parts = read_parts(lines, PENS).parts
    assert len(widest(parts)) == wide
    assert len(planned(lines, PENS, most=6).plan.open_parts) == left


@pytest.mark.parametrize(
    ("count", "most", "dealt"),
    [(3, 3, [1, 1, 1]), (5, 2, [3, 2]), (7, 3, [3, 2, 2]), (30, 16, [2] * 14 + [1] * 2)],
)
def test_parts_beyond_the_limit_share_threads_as_evenly_as_it_goes(count: int, most: int, dealt: list[int]) -> None:
    texts = [f"What is {n}?" for n in range(1, count + 1)]
    plan, repairs = planned([str(n) for n in range(1, count + 1)], numbered(*texts), most=most)
    assert sorted(len(spec.parts) for spec in plan.threads) == sorted(dealt)
    assert [part.question for spec in plan.threads for part in spec.parts] == texts
    assert [line for spec in plan.threads for line in spec.subquestion.splitlines()] == texts
    assert all(spec.sources == [part.sources[0] for part in spec.parts] for spec in plan.threads)
    assert kinds(repairs) == ["shared_thread"] * (count > most)


@pytest.mark.parametrize(("parts", "at_once", "degree"), [(3, 8, 3), (3, 2, 2), (1, 8, 1), (0, 8, 1), (9, 1, 1)])
def test_as_many_run_at_once_as_there_are_within_the_callers_limit(parts: int, at_once: int, degree: int) -> None:
    lines = [f"What is {n}?" for n in range(parts)]
    assert planned(lines, PENS, at_once=at_once).plan.parallelism == degree


MANUALS = {
    "kettle.txt": "The kettle has a guarantee of 30 months.",
    "mixer.txt": "Petra repairs it on request; ask at the desk.",
    "oven.txt": "It is lit on Monday mornings, at six.",
    "锅炉.txt": "锅炉每年检修两次。",
}
SHELF = numbered("Answer these.", documents=MANUALS)


@pytest.mark.parametrize(
    ("line", "sources"),
    [
        ("How long is the kettle's guarantee?", [2]),
        ("Who repairs the mixers?", [3]),
        ("On which mornings is something lit?", [4]),
        ("锅炉多久检修一次？", [5]),
        ("3: Who repairs the mixer?", [3]),
        ("2: On which Monday mornings is the oven lit, and when?", [2, 4]),
        ("3 4: How long is the kettle's guarantee of months?", [2, 3, 4]),
    ],
)
def test_a_part_gets_the_document_that_its_words_are_about_and_keeps_its_own(line: str, sources: list[int]) -> None:
    plan, repairs = planned([line, "2 3 4 5: What is said?"], SHELF)
    assert plan.threads[0].sources == plan.threads[0].parts[0].sources == sources
    added = [repair.segments for repair in repairs if repair.kind == "scope" and repair.part == 1]
    named = [int(number) for number in line.partition(":")[0].split() if number.isdecimal()]
    assert [number for numbers in added for number in numbers] == [n for n in sources if n not in named]


FEW = {
    "search.txt": "The search is correct for sorted lists; it is fast.",
    "users.txt": "Users are listed by name, and their passwords are kept as they are.",
    "train.txt": "Trains run late on Mondays. Who waits gets tea.",
}


@pytest.mark.parametrize(
    ("question", "more", "read"),
    [
        ("How correct are they, and who wrote them?", 0, ["search.txt", "users.txt", "train.txt"]),
        ("When do the trains run late?", 0, ["search.txt", "users.txt", "train.txt"]),
        ("When do the trains run late?", 200, ["train.txt"]),
        ("这些文件各有什么错误？", 200, ["search.txt", "users.txt", "train.txt"]),
    ],
)
def test_of_a_few_documents_all_are_read_unless_they_are_long_and_one_is_named(
    question: str, more: int, read: list[str]
) -> None:
    few = numbered("Tell me all.", documents={name: text + " So it is." * more for name, text in FEW.items()})
    plan, _ = planned([question, "What is said?"], few)
    assert [segment.label for segment in few if segment.number in plan.threads[0].sources] == read


@pytest.mark.parametrize("question", ["List all dates that are mentioned.", "这些文件各有什么错误？"])
def test_of_many_documents_a_word_shared_by_chance_picks_none(question: str) -> None:
    assert is_undecided(read_parts([question, "2"], SHELF).parts, SHELF)


def test_where_nothing_tells_which_of_a_few_documents_all_are_read_and_of_many_a_model_is_asked() -> None:
    plan, repairs = planned(["???", "2: What is said?"], FILES)
    assert plan.threads[0].sources == [2, 3] and kinds(repairs) == ["scope"]
    assert not is_undecided(read_parts(["???", "2"], FILES).parts, FILES)
    assert is_undecided(read_parts(["???", "2"], SHELF).parts, SHELF)
    assert not is_undecided(read_parts(["Who repairs the mixer?", "2"], SHELF).parts, SHELF)


def test_a_short_item_reads_those_before_it_and_keeps_its_place() -> None:
    items = numbered(
        "Answer.", "Who painted Guernica?", "Where does it hang?", "What is 3 * 3? " + "Say why. " * 9, items=True
    )
    plan, repairs = planned(["2", "3", "4"], items, "list")
    assert [spec.sources for spec in plan.threads] == [[2], [2, 3], [4]]
    assert [spec.parts[0].named for spec in plan.threads] == [[2], [3], [4]]
    assert kinds(repairs) == ["scope"] and faults(repairs) == []


def test_an_unread_document_is_told() -> None:
    _, repairs = planned(["1 2", "1 3"], [*FILES, Segment(number=4, kind="document", label="c", text="…")])
    assert [(repair.kind, repair.segments, str(repair)) for repair in repairs] == [
        ("unread", [4], "document 4 (c) is read by no thread")
    ]


def test_without_scopes_every_part_reads_everything() -> None:
    plan = read_everything(planned([f"1 {n}" for n in (2, 3, 2)], FILES, most=2).plan, FILES)
    read = [own for spec in plan.threads for own in (spec.sources, *(part.sources for part in spec.parts))]
    assert read == [[1, 2, 3]] * len(read) and [spec.id for spec in plan.threads] == ["T1", "T2"]


def test_long_documents_are_searched_in_no_time() -> None:
    # Quadratic work over this many characters takes minutes.
    texts = ["Kettles boil. " * 100_000, "unmill " * 200_000, "kettle " * 200_000, "mill " * 200_000 + "loom"]
    documents = numbered(documents={str(number): text for number, text in enumerate(texts)})
    assert closest("How do mills use a loom, a dryer, or a thing unseen?", documents, [1]) == [4]


WORDS = ["What is it?", "what is  it", "Who wrote #1?", "#2 and #3", "列出所有。", "", " \n", "3 * 4", "#1"]
LINES = st.one_of(
    st.sampled_from(WORDS),
    st.builds(lambda numbers: " ".join(map(str, numbers)), st.lists(st.integers(-1, 9), min_size=1, max_size=4)),
    st.builds(lambda numbers, words: f"{numbers}: {words}", st.integers(0, 9), st.sampled_from(WORDS)),
    st.text(max_size=12),
)
TEXTS = ["Ana has 3 boxes of pens.", "Why?", "Be brief.", "谁？", "What is it?"]
INPUTS = st.builds(
    lambda texts, documents, items: numbered(*texts, documents=documents, items=items),
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=6),
    st.dictionaries(st.sampled_from(["a.txt", "b.txt", "c", "d"]), st.sampled_from(TEXTS)),
    st.booleans(),
)


@given(st.lists(LINES, max_size=9), INPUTS, st.sampled_from(["list", "text"]), st.integers(2, 6), st.integers(1, 6))
def test_every_outline_becomes_a_plan_that_can_be_run_and_loses_nothing(
    lines: list[str], segments: list[Segment], said: AnswerForm, most: int, at_once: int
) -> None:
    parts, reading = read_parts(lines, segments)
    plan, making = make_plan(parts, said, segments, max_threads=most, max_parallel=at_once)
    known = {segment.number for segment in segments}
    own = [part for spec in plan.threads for part in spec.parts]

    assert [spec.id for spec in plan.threads] == [f"T{number}" for number in range(1, len(plan.threads) + 1)]
    assert len(plan.threads) <= most and 1 <= plan.parallelism <= max(1, min(at_once, len(plan.threads)))
    for spec in plan.threads:
        assert set(spec.sources) <= known and spec.sources == sorted(set(spec.sources)) and spec.subquestion.strip()
        assert spec.sources == sorted({number for part in spec.parts for number in part.sources})
    # Every line is a part, or it is told why not; every part is a thread's, or it waits for others and is told.
    assert len(parts) + sum(repair.kind in ("dropped", "merged") for repair in reading) == sum(
        map(bool, map(str.strip, lines))
    )
    waiting = {repair.part for repair in making if repair.kind == "left_to_join"}
    threaded = [part for part in parts if part.number not in waiting]
    assert [part.number for part in own] == [part.number for part in threaded]
    assert not waiting & {part.number for part in independent(parts)}
    # Every thread can run: what it needs is there, and nothing waits for itself.
    ids = [spec.id for spec in plan.threads]
    assert all(set(spec.needs) <= set(ids) for spec in plan.threads) and find_ring(plan.threads) == []
    assert sorted(spec.id for spec in in_turn(plan.threads)) == sorted(ids)
    assert len(plan.open_parts) == kinds(making).count("left_to_join") == len(parts) - len(own)
    assert all(set(before.named) <= set(after.sources) for before, after in zip(threaded, own, strict=True))
    # Every segment of the question is named, or nearly all of it said in the parts' words, or told to all.
    named = {number for part in parts for number in part.sources}
    words = [letters(part.question) for part in parts]
    for segment in segments:
        text = letters(segment.text.removeprefix(segment.marker))
        unsaid = len(text) - sum(len(own) for own in words if own in text)
        said_whole = any(text in own for own in words)
        kept = (
            segment.number in named or said_whole or segment.text in plan.shared_context or unsaid <= 0.25 * len(text)
        )
        assert segment.kind == "document" or kept
    assert plan.answer in (said, "text")


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
