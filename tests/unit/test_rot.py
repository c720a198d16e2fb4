"""Signs of context rot, cutting what is too long, and the smaller threads made of it (pure)."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.input.pieces import as_segments, cut
from nodes.input.segments import Segment
from nodes.llm.endpoints.usage import Call, Usage
from nodes.planning.finer import cut_sources, in_place, split_finer, without_vain_splits
from nodes.planning.outline import read_parts
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.threads.context_rot import marks_of, repetition
from nodes.threads.results import Mark, Status, ThreadResult

PROSE = st.text(alphabet="ab .\n\u00e9", max_size=300)


@given(PROSE, st.integers(1, 40))
def test_no_text_is_lost_in_cutting_and_no_piece_is_too_long(text: str, longest: int) -> None:
    spans = cut(text, longest)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(0 < end - start <= longest for start, end in spans)
    assert all(end == start for (_, end), (start, _) in pairwise(spans))


def test_texts_are_cut_between_paragraphs_then_lines_then_words() -> None:
    paragraphs = "One two three.\n\n" * 10
    assert {paragraphs[start:end][-2:] for start, end in cut(paragraphs, 60)} == {"\n\n"}
    lines = "one two three\n" * 10
    assert all(lines[start:end].endswith("\n") for start, end in cut(lines, 60))
    words = "one two three " * 10
    assert all(words[start:end].endswith(" ") for start, end in cut(words, 60))


@given(st.text(alphabet="abcdefgh ", max_size=2_000), st.integers(1, 5))
def test_repetition_is_a_share(text: str, n: int) -> None:
    assert 0 <= repetition(text, n) < 1


def test_only_text_that_loops_counts_as_repetitive() -> None:
    prose = " ".join(f"word{number}" for number in range(300))
    assert repetition(prose) == 0
    assert repetition("and so on it goes " * 60) > 0.9
    assert repetition("too short to tell " * 10) == 0


@pytest.mark.parametrize(
    ("call", "text", "flags", "expected"),
    [
        (Call(run_id="r", role="solve", window=100, usage=Usage(total=80)), "", {}, []),
        (Call(run_id="r", role="solve", window=100, usage=Usage(total=81)), "", {}, ["crowded"]),
        (Call(run_id="r", role="solve", usage=Usage(total=10**9)), "", {}, []),
        (Call(run_id="r", role="solve"), "over and over again " * 50, {}, ["repetitive"]),
        (Call(run_id="r", role="solve"), "", {"cut": True}, ["cut"]),
        (Call(run_id="r", role="solve"), "", {"too_long": True}, ["too_long"]),
    ],
)
def test_each_sign_has_its_mark(call: Call, text: str, flags: dict[str, bool], expected: list[Mark]) -> None:
    given = {"cut": False, "too_long": False} | flags
    assert marks_of([call], text=text, window_share=0.8, **given) == expected


SPEC = ThreadSpec(id="T3", sources=[1, 2], subquestion="What is said?")
SEGMENTS = [
    Segment(number=1, text="Read it."),
    Segment(number=2, text="One sentence. " * 40, kind="document", label="long.txt"),
]


def split(longest: int = 100, written: Sequence[str] = (), limit: int = 16) -> tuple[list[ThreadSpec], list[Segment]]:
    spec, pieces = cut_sources(SPEC, SEGMENTS, longest)
    read = [*SEGMENTS, *as_segments(pieces, SEGMENTS)]
    read = [segment for segment in read if segment.number in spec.sources]
    return split_finer(read_parts(written, read).parts, spec, read, longest=longest, limit=limit), read


@given(st.integers(20, 700), st.integers(2, 16))
def test_smaller_threads_read_all_that_the_large_one_had_to(longest: int, limit: int) -> None:
    threads, read = split(longest, limit=limit)
    texts = {segment.number: segment.text for segment in read}
    named = [number for thread in threads for number in thread.sources]
    assert sorted(named) == sorted(texts) and 2 <= len(threads) <= limit
    assert "".join(texts[number] for number in named) == "".join(segment.text for segment in SEGMENTS)
    assert [thread.id for thread in threads] == [f"T3.{number}" for number in range(1, len(threads) + 1)]


def test_the_models_split_is_used_when_it_is_sound() -> None:
    threads, read = split(300, ["3: Part 1?", "4: Part 2?"])
    assert [segment.label for segment in read] == ["", "long.txt (1/2)", "long.txt (2/2)"]
    assert [thread.subquestion for thread in threads] == ["Part 1?", "Part 2?"]
    assert [thread.sources for thread in threads] == [[1, 3], [1, 4]]  # what was asked is for both


@pytest.mark.parametrize(
    "lines",
    [[], ["3 4: All?"], ["3: One?", "3: Two?"], ["3 4: One?", "4: Two?"], ["3: One?", "99: Two?"]]
    + [["3: One?", "4: Two?", "Is #1 more?"]],
    ids=["no part", "one part", "a part unread", "too much for one", "an unknown part", "one needs another"],
)
def test_an_unsound_split_is_replaced_by_one_by_size(lines: list[str]) -> None:
    threads, _ = split(300, lines)
    assert [thread.sources for thread in threads] == [[1, 3], [4]]
    assert [thread.subquestion for thread in threads] == [f"{SPEC.subquestion} ({number}/2)" for number in (1, 2)]


def test_what_cannot_be_split_is_left_as_it_is() -> None:
    spec = SPEC.model_copy(update={"sources": [1]})
    assert split_finer([], spec, SEGMENTS[:1], longest=100, limit=16) == []
    assert split_finer([], spec, [], longest=100, limit=16) == []


def result(id: str, status: Status, answer: str = "") -> ThreadResult:
    return ThreadResult(id=id, subquestion=f"{id}?", status=status, answer=answer)


def test_an_answer_comes_back_when_its_smaller_threads_came_to_nothing() -> None:
    children = [ThreadSpec(id=f"T2.{number}", sources=[], subquestion="?") for number in (1, 2)]
    threads = [ThreadSpec(id=f"T{n}", sources=[], subquestion="?") for n in (1, 2, 3)]
    start = ThreadPlan(parallelism=3, threads=threads, answer="list", open_parts=["#1 + #3?"])
    plan = in_place(start, "T2", children)
    # Results of pieces are no entries of a list.
    assert (plan.answer, plan.open_parts) == ("text", ["#1 + #3?"])
    assert [spec.id for spec in plan.threads] == ["T1", "T2.1", "T2.2", "T3"]
    results = {
        "T2": result("T2", "answered", "yes"),
        "T2.1": result("T2.1", "failed"),
        "T2.2": result("T2.2", "timed_out"),
    }
    refined = {"T2": ["T2.1", "T2.2"]}
    assert [spec.id for spec in without_vain_splits(plan, results, refined).threads] == ["T1", "T2", "T3"]
    some = results | {"T2.2": result("T2.2", "answered", "half")}
    assert without_vain_splits(plan, some, refined) == plan
    none = results | {"T2": result("T2", "failed")}
    assert without_vain_splits(plan, none, refined) == plan
