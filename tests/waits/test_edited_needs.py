"""Plans whose threads need each other, edited by a person: each thread can get what it needs, or they are refused."""

from typing import Any

import pytest

from nodes.input.segments import split_input
from nodes.planning.edits import Edit, EditError, apply_edits
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.state import State, tasks_of

SEGMENTS = split_input("Tell me of Jaws and Psycho.")
PLAN = ThreadPlan(
    parallelism=2,
    threads=[
        ThreadSpec(id="T1", subquestion="Who directed Jaws?"),
        ThreadSpec(id="T2", subquestion="Where was #1 born?", needs=["T1"]),
        ThreadSpec(id="T3", subquestion="Who directed Psycho?"),
        ThreadSpec(id="T4", subquestion="How far is #2 from London?", needs=["T2"]),
    ],
)


def edited(*edits: dict[str, Any]) -> dict[str, list[str]]:
    plan = apply_edits(PLAN, [Edit(**edit) for edit in edits], SEGMENTS, max_threads=8)
    return {thread.id: thread.needs for thread in plan.threads}


@pytest.mark.parametrize(
    ("edits", "needs"),
    [
        ([{"op": "drop", "thread_ids": ["T4"]}], {"T1": [], "T2": ["T1"], "T3": []}),
        (
            [{"op": "drop", "thread_ids": ["T2"]}, {"op": "drop", "thread_ids": ["T4"]}],
            {"T1": [], "T3": []},
        ),
        (
            [{"op": "reword", "thread_ids": ["T4"], "subquestion": "How far is #2 from where #3 was born?"}],
            {"T1": [], "T2": ["T1"], "T3": [], "T4": ["T2", "T3"]},
        ),
        (
            [{"op": "reword", "thread_ids": ["T2"], "subquestion": "Where was Spielberg born?"}],
            {"T1": [], "T2": [], "T3": [], "T4": ["T2"]},
        ),
        (
            [{"op": "add", "subquestion": "Where was #3 born?"}],
            {"T1": [], "T2": ["T1"], "T3": [], "T4": ["T2"], "T5": ["T3"]},
        ),
        ([{"op": "merge", "thread_ids": ["T1", "T2"]}], {"T1": [], "T3": [], "T4": ["T1"]}),
    ],
    ids=["last", "both", "more needs", "no need", "added", "merged"],
)
def test_needs_follow_the_words_of_a_person(edits: list[dict[str, Any]], needs: dict[str, list[str]]) -> None:
    assert edited(*edits) == needs


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"op": "drop", "thread_ids": ["T2"]}, "T4 needs the result of T2; drop it too, or reword it without `#2`"),
        (
            {"op": "reword", "thread_ids": ["T1"], "subquestion": "Who made what #4 is about?"},
            "T1 and T2 and T4 would wait for each other",
        ),
        ({"op": "merge", "thread_ids": ["T1", "T4"]}, "T1 and T2 would wait for each other"),
    ],
    ids=["dropped", "ring", "merged ring"],
)
def test_a_plan_that_could_not_be_run_is_refused(edit: dict[str, Any], why: str) -> None:
    with pytest.raises(EditError, match=why):
        edited(edit)


def test_threads_that_wait_for_each_other_in_an_edited_state_do_not_wait_for_ever() -> None:
    ring = [ThreadSpec(id="T1", subquestion="#2?", needs=["T2"]), ThreadSpec(id="T2", subquestion="#1?", needs=["T1"])]
    state = State(question="?", plan=ThreadPlan(threads=ring), redo=["T1", "T2"])
    assert [task.awaited for task in tasks_of(state)] == [[], ["T1"]]
