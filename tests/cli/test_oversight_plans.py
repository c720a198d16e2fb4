"""A person approves, edits or rejects plans, and what is expected of them."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.types import Command

from nodes.input.segments import split_input
from nodes.planning.edits import Edit, EditError, apply_edits
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.reporting import estimate as outlook
from tests.support.server import ModelServer, outline, plan
from tests.support.subjects.oversight import PARTS, Overseen, asked


async def test_no_thread_is_called_before_the_plan_is_approved(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "plan")
    shown = asked(await run.start())
    assert not split.calls("solve") and shown["stage"] == "plan" and shown["problem"] == ""
    assert [thread["subquestion"] for thread in shown["plan"]["threads"]] == PARTS
    assert (shown["estimate"]["threads"], shown["estimate"]["calls"]) == (3, 4)
    assert 0 < shown["estimate"]["tokens"]["low"] <= shown["estimate"]["tokens"]["high"]
    solution = await run.reply(action="approve")
    assert (solution["outcome"], len(split.calls("solve"))) == ("complete", 3)
    assert [(done.stage, done.action) for done in solution["decisions"]] == [("plan", "approve")]


async def test_parts_that_share_a_thread_are_expected_to_take_a_call_each(
    split: ModelServer, context: dict[str, Any]
) -> None:
    run = Overseen({**context, "max_threads": 2}, "plan")
    shown = asked(await run.start())
    assert (shown["estimate"]["threads"], shown["estimate"]["calls"]) == (2, 4)
    await run.reply(action="approve")
    assert len(split.calls("solve")) == 3


async def test_an_edited_plan_is_run_as_edited(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "plan")
    await run.start()
    edits = [
        {"op": "drop", "thread_ids": ["T3"]},
        {"op": "reword", "thread_ids": ["T1"], "subquestion": "What is the first?"},
        {"op": "add", "subquestion": "What is four?", "sources": [2, 1, 2]},
        {"op": "sources", "thread_ids": ["T2"], "sources": [3]},
        {"op": "parallelism", "parallelism": 2},
    ]
    solution = await run.reply(action="edit", edits=edits)
    assert [request.key for request in split.calls("solve")] == ["What is the first?", "What is two?", "What is four?"]
    assert PARTS[2] in split.about("What is two?")[0].last
    assert solution["plan"].parallelism == 2 and solution["plan"].threads[2].sources == [1, 2]
    assert len(solution["decisions"][0].edits) == 5


@pytest.mark.parametrize(
    ("edit", "asked_for", "read"),
    [
        ({"op": "reword", "subquestion": "What are both?"}, "What are both?", "What is one?"),
    ],
)
async def test_a_thread_that_parts_share_is_run_as_edited(
    split: ModelServer, context: dict[str, Any], edit: dict[str, Any], asked_for: str, read: str
) -> None:
    run = Overseen({**context, "max_threads": 2}, "plan")
    await run.start()
    solution = await run.reply(action="edit", edits=[{"thread_ids": ["T1"], **edit}])
    first, last = split.calls("solve")
    assert (first.key, last.key) == (asked_for, PARTS[2]) and read in first.last
    assert solution["threads"][0].subquestion == asked_for and solution["threads"][0].answers == []


async def test_threads_can_be_merged(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "plan")
    await run.start()
    solution = await run.reply(action="edit", edits=[{"op": "merge", "thread_ids": ["T1", "T3"]}])
    assert [thread.id for thread in solution["threads"]] == ["T1", "T2"]
    assert solution["threads"][0].subquestion == f"{PARTS[0]}\n{PARTS[2]}"


async def test_an_invalid_edit_is_refused_with_its_reason_and_asked_again(
    split: ModelServer, context: dict[str, Any]
) -> None:
    run = Overseen(context, "plan")
    await run.start()
    again = asked(await run.reply(action="edit", edits=[{"op": "drop", "thread_ids": ["T9"]}]))
    assert again["problem"] == "edit 1 (drop): there is no thread `T9`; there are T1, T2, T3"
    assert "`edits` is empty" in asked(await run.reply(action="edit"))["problem"]
    assert "`note` is empty" in asked(await run.reply(action="reject"))["problem"]
    assert "`action` is one of `approve`, `edit`, `reject`" in asked(await run.reply(action="maybe"))["problem"]
    assert not split.calls("solve") and (await run.reply(action="approve"))["outcome"] == "complete"


async def test_a_rejection_with_a_message_is_one_with_a_note(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "plan")
    await run.start()
    again = asked(await run.reply(decisions=[{"type": "reject", "message": "Shorter."}]))
    assert again["stage"] == "plan" and "Shorter." in split.calls("decompose")[-1].last


async def test_a_rejected_plan_is_made_anew_with_the_note(split: ModelServer, context: dict[str, Any]) -> None:
    other = ["What is half of it?", "And the rest?"]
    split.on("decompose", plan(*other))
    run = Overseen(context, "plan")
    await run.start()
    shown = asked(await run.reply(action="reject", note="Two threads will do."))
    assert [thread["subquestion"] for thread in shown["plan"]["threads"]] == other
    (anew,) = split.calls("decompose")
    assert "Their words:\nTwo threads will do." in anew.last
    assert "A person rejected these parts:\n- What is one?" in anew.last
    solution = await run.reply(action="approve")
    assert len(split.calls("solve")) == 2 and [done.action for done in solution["decisions"]] == ["reject", "approve"]


SEGMENTS = split_input(" ".join(PARTS))
PLAN = ThreadPlan(
    shared_context="",
    parallelism=3,
    threads=[ThreadSpec(id=f"T{n}", sources=[n], subquestion=part) for n, part in enumerate(PARTS, 1)],
)
EDITS = st.builds(
    Edit,
    op=st.sampled_from(["drop", "reword", "add", "merge", "sources", "parallelism"]),
    thread_ids=st.lists(st.sampled_from(["T1", "T2", "T3", "T4", "T9"]), max_size=3),
    subquestion=st.sampled_from(["", " ", "What?"]),
    sources=st.lists(st.integers(0, 5), max_size=3),
    parallelism=st.one_of(st.none(), st.integers(-1, 9)),
)


@given(st.lists(EDITS, max_size=5))
def test_whatever_is_edited_a_plan_can_be_run_or_the_edit_is_refused(edits: Sequence[Edit]) -> None:
    try:
        changed = apply_edits(PLAN, edits, SEGMENTS, max_threads=4)
    except EditError as error:
        assert str(error)
        return
    ids = [thread.id for thread in changed.threads]
    assert 2 <= len(ids) <= 4 and len(set(ids)) == len(ids) and 1 <= changed.parallelism <= len(ids)
    for thread in changed.threads:
        assert thread.subquestion.strip() and set(thread.sources) <= {1, 2, 3}
        assert thread.sources == sorted(set(thread.sources))


async def test_the_estimate_comes_near_what_is_used(server: ModelServer, context: dict[str, Any]) -> None:
    from evals.items import load_items

    outlook.forget()
    ratios = []
    items = [item for name in ("compound", "plans", "documents", "code_review") for item in load_items(name)][:90:4]
    for item in items[:22]:
        ratios.append(await estimated(server, context, item))
    # The first two have nothing to learn from.
    assert len(ratios) == 22 and all(0.7 <= ratio <= 1.3 for ratio in ratios[2:]), ratios


async def estimated(server: ModelServer, context: dict[str, Any], item: Any) -> float:
    """Return what was expected of a run's threads and review, as a multiple of what they used."""
    parts = [f"What of {words[0] if words else 'it'}?" for words in item.answers]
    server.script.clear()
    server.on("assess", outline(*(f"1: {part}" for part in parts)))
    server.realistic = True
    run = Overseen(context, "plan")
    run_config: Any = {"configurable": {"thread_id": item.id}}
    problem = {"question": item.question, "documents": item.documents}
    shown = asked(await run.graph.ainvoke(problem, run_config, context=run.context))
    done = await run.graph.ainvoke(Command(resume={"action": "approve"}), run_config, context=run.context)
    used = sum(call.usage.total for call in done["calls"] if call.stage in ("solve", "review"))
    likely: Any = shown["estimate"]["tokens"]["likely"]
    return float(likely / used)
