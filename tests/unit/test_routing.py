"""Where the graph goes next, and what each thread is sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.types import Send

from graphs.routing import after_assess, after_decompose, after_review, to_threads
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.state import Assessment, Document, State, ThreadTask
from nodes.threads.results import ThreadResult


@pytest.mark.parametrize(("parallel", "next_node"), [(True, "decompose"), (False, "direct")])
def test_only_what_the_gate_lets_through_is_split(parallel: bool, next_node: str) -> None:
    assert after_assess(State(question="Why?", parallel=parallel)) == next_node


def specs(count: int) -> list[ThreadSpec]:
    return [ThreadSpec(id=f"T{n}", sources=[n, 4], subquestion=f"{n}?") for n in range(1, count + 1)]


def planned(count: int = 3, redo: tuple[str, ...] = ("T1", "T2", "T3"), **more: Any) -> State:
    plan = ThreadPlan(shared_context="All.", parallelism=2, threads=specs(count))
    documents = [Document(id="d", text="text")]
    return State(question="One? Two? Three?", documents=documents, plan=plan, redo=list(redo), **more)


def tasks(sends: list[Send] | str) -> dict[str, ThreadTask]:
    assert isinstance(sends, list) and all(send.node == "solve" for send in sends)
    return {send.arg.spec.id: send.arg for send in sends}


@pytest.mark.parametrize(
    "state",
    [State(question="Why?"), planned(0), planned(1, ("T1",)), planned(3, ())],
    ids=["no plan", "no thread", "one thread", "nothing to run"],
)
def test_a_plan_without_threads_side_by_side_is_answered_directly(state: State) -> None:
    assert after_decompose(state) == "direct"


def test_every_thread_of_a_plan_is_sent() -> None:
    assert list(tasks(after_decompose(planned()))) == ["T1", "T2", "T3"]


def test_a_thread_knows_its_own_segments_and_no_others() -> None:
    task = tasks(after_decompose(planned(instructions="Be brief.")))["T2"]
    assert [segment.text for segment in task.segments] == ["Two?", "text"]
    assert (task.shared_context, task.instructions, task.degree, task.planned, task.settled) == (
        "All.",
        "Be brief.",
        2,
        3,
        0,
    )
    assert (task.round, task.critique, task.previous) == (0, "", None)
    assert not any(word in task.model_dump_json() for word in ("One?", "Three?", "1?", "3?"))


def test_only_named_threads_run_again_with_what_was_said_of_them() -> None:
    earlier = {id: ThreadResult(id=id, subquestion="?", status="refuted", answer=f"by {id}") for id in ("T1", "T2")}
    state = planned(redo=("T2", "T9"), round=1, results=earlier, critiques={"T2": "no unit", "T1": "late"})
    (task,) = tasks(after_review(state)).values()
    assert (task.spec.id, task.round, task.critique, task.previous) == ("T2", 1, "no unit", earlier["T2"])
    assert (task.planned, task.settled) == (3, 2)


@pytest.mark.parametrize(
    ("state", "next_node"),
    [
        (planned(outcome="complete", redo=()), "__end__"),
        (planned(outcome="complete"), "__end__"),
        (planned(redo=()), "direct"),
        (planned(redo=("T9",)), "direct"),
        (State(question="Why?"), "direct"),
    ],
    ids=["answered", "answered is final", "nothing stands", "only unknown threads", "no plan"],
)
def test_after_the_review_the_run_ends_or_answers_directly(state: State, next_node: str) -> None:
    assert after_review(state) == next_node


IDS = st.sampled_from(["T1", "T2", "T3", "", "x"])
STATES = st.builds(
    State,
    question=st.text(st.characters(categories=["L", "N", "P"]), min_size=1),
    outcome=st.sampled_from(["running", "complete", "partial", "failed"]),
    assessment=st.none()
    | st.builds(
        Assessment,
        subquestions=st.lists(st.text(max_size=3), max_size=3),
        decomposable=st.booleans(),
    ),
    plan=st.none()
    | st.builds(
        ThreadPlan,
        parallelism=st.integers(),
        threads=st.lists(st.builds(ThreadSpec, id=IDS, sources=st.lists(st.integers(-2, 6), max_size=4)), max_size=4),
    ),
    redo=st.lists(IDS, max_size=5),
    critiques=st.dictionaries(IDS, st.text(max_size=3), max_size=3),
    round=st.integers(0, 9),
)


@given(STATES)
def test_no_state_breaks_a_router_or_ends_the_run_silently(state: State) -> None:
    before = state.model_copy(deep=True)
    assert after_assess(state) in ("decompose", "direct")
    for went in (after_decompose(state), after_review(state)):
        assert went in ("direct", "__end__") or (isinstance(went, list) and went)
    assert all(0 <= send.arg.settled < send.arg.planned for send in to_threads(state))
    assert state == before
