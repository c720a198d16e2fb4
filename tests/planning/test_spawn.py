"""Threads that come upon several parts and hand them on to threads of their own."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs import AnswerReset, build_graph, graph, stream_answer
from nodes.planning.plan import ThreadSpec
from nodes.planning.spawn import make_children, read_spawned
from nodes.state import Solution
from tests.support.server import HANG, Fault, ModelServer, outline, review

QUESTION = "How did the first picks bat? What is the capital of France?"
PICKS, CAPITAL = "How did the first picks bat?", "What is the capital of France?"
PARTS = ["How did Ann bat?", "How did Bo bat?", "How did Cy bat?"]


async def ask(context: dict[str, Any], **more: Any) -> Solution:
    return Solution.model_validate(await graph.ainvoke({"question": QUESTION}, context={**context, **more}))


def hand_on(*parts: str) -> str:
    return f"The first picks were these.\nParts: {json.dumps(parts)}"


def script(server: ModelServer, first: Any = None) -> None:
    server.on("assess", outline(PICKS, CAPITAL)).on(PICKS, first or hand_on(*PARTS)).on(CAPITAL, "Result: Paris")
    for part in PARTS:
        server.on(part, f"Result: {part[8:-5]} bats left")


async def test_parts_handed_on_are_threads_of_the_plan(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.on("review", review("All bat left; Paris."))
    solution = await ask(context)
    assert [(thread.id, thread.status, thread.subquestion) for thread in solution.threads] == [
        *((f"T1.{place}", "answered", part) for place, part in enumerate(PARTS, 1)),
        ("T2", "answered", CAPITAL),
    ]
    assert (solution.outcome, solution.answer) == ("complete", "All bat left; Paris.")
    # Each was asked once, and the results were reviewed once, when all were there.
    assert sorted(request.key for request in server.calls("solve")) == sorted([PICKS, CAPITAL, *PARTS])
    assert len(server.calls("review")) == 1 and "bats left" in server.calls("review")[0].last
    assert solution.report.spawned == {"T1": ["T1.1", "T1.2", "T1.3"]} and solution.report.refined == {}
    assert solution.report.retries == 0
    assert len([call for call in solution.calls if call.thread_id == "T1"]) == 1


async def test_the_rounds_of_the_user_are_not_used_up(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    solution = await ask(context, max_rounds=0)
    assert solution.outcome == "complete" and len(solution.threads) == 4


async def test_what_is_handed_on_is_bounded(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.on(PARTS[0], hand_on("How did Ann bat at home?", "How did Ann bat away?"))
    solution = await ask(context)
    # One level: the next is told nothing of it, and what it writes is its answer.
    assert "Parts:" in server.calls("solve")[0].prompt
    assert not any("Parts:" in request.prompt for request in server.calls("solve") if request.key in PARTS)
    assert [thread.id for thread in solution.threads] == ["T1.1", "T1.2", "T1.3", "T2"]
    deeper = await ask(context, max_depth=2)
    assert [thread.id for thread in deeper.threads][:2] == ["T1.1.1", "T1.1.2"]
    never = await ask(context, max_depth=0)
    assert [thread.id for thread in never.threads] == ["T1", "T2"] and "Parts:" in never.threads[0].answer


async def test_a_thread_that_reads_a_document_hands_nothing_on(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.on("assess", outline(f"3: {PICKS}", CAPITAL))
    problem = {"question": QUESTION, "documents": [{"id": "draft", "text": "The picks: Ann, Bo and Cy."}]}
    solution = Solution.model_validate(await graph.ainvoke(problem, context=context))
    (reads,) = server.about(PICKS)
    assert "Ann, Bo and Cy" in reads.last and "Parts:" not in reads.prompt
    assert [thread.id for thread in solution.threads] == ["T1", "T2"] and "Parts:" in solution.threads[0].answer


@pytest.mark.parametrize(
    ("lines", "told"), [(("1", "2"), []), ((f"1: {PICKS}", "2"), [PICKS]), ((PICKS, "2"), [PICKS])]
)
async def test_what_the_user_asks_is_asked_as_it_stands(
    server: ModelServer, context: dict[str, Any], lines: tuple[str, ...], told: list[str]
) -> None:
    """Only a part that the model has worded is told that it may hand parts on."""
    script(server)
    server.on("assess", outline(*lines))
    solution = await ask(context)
    assert [request.key for request in server.calls("solve") if "`Parts:`" in request.prompt] == told
    ids = ["T1.1", "T1.2", "T1.3", "T2"] if told else ["T1", "T2"]
    assert [thread.id for thread in solution.threads] == ids
    assert told or "Parts:" in solution.threads[0].answer


async def test_more_parts_than_threads_share_them(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    solution = await ask(context, max_threads=3)
    assert [thread.id for thread in solution.threads] == ["T1.1", "T1.2", "T2"]
    assert [len(thread.answers) for thread in solution.threads] == [0, 2, 0]
    assert sorted(request.key for request in server.calls("solve")) == sorted([PICKS, CAPITAL, *PARTS])


async def test_a_thread_that_builds_on_it_waits_for_all_of_them(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.on("assess", outline(PICKS, CAPITAL, "Is that usual, given #1?")).on(
        "Is that usual, given #1?", "Result: yes"
    )
    solution = await ask(context)
    asked = [request for request in server.calls("solve") if request.key == "Is that usual, given #1?"]
    assert len(asked) == 1 and all(f"{name} bats left" in asked[0].last for name in ("Ann", "Bo", "Cy"))
    assert [thread.id for thread in solution.threads] == ["T1.1", "T1.2", "T1.3", "T2", "T3"]
    assert solution.threads[4].needs == ["T1.1", "T1.2", "T1.3"] and solution.outcome == "complete"


async def test_a_part_that_fails_costs_only_itself(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.on(PARTS[1], Fault(status=400))
    solution = await ask(context, max_rounds=0)
    assert solution.outcome == "partial"
    assert [thread.status for thread in solution.threads] == ["answered", "failed", "answered", "answered"]


async def test_a_failed_sibling_runs_again_beside_the_parts(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.on(CAPITAL, Fault(status=400), "Result: Paris")
    solution = await ask(context, max_rounds=1)
    assert solution.outcome == "complete" and solution.report.rounds == 1 and solution.threads[3].rounds == 2


async def test_no_parts_are_begun_when_time_is_up(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.on(CAPITAL, HANG)
    solution = await ask(context, deadline=3)
    assert solution.outcome == "failed" and not server.calls("review")
    assert "nobody has worked on that" in solution.stop_reason
    assert sorted(request.key for request in server.calls("solve")) == sorted([PICKS, CAPITAL])


async def test_a_plan_that_people_approve_stays_theirs(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    kept = build_graph(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    await kept.ainvoke({"question": QUESTION}, config, context={**context, "oversight": "plan"})
    values = await kept.ainvoke(Command(resume={"action": "approve"}), config, context={**context, "oversight": "plan"})
    assert [thread.id for thread in Solution.model_validate(values).threads] == ["T1", "T2"]
    assert not any("Parts:" in request.prompt for request in server.calls("solve"))


@given(st.text(), st.lists(st.text(), max_size=6))
def test_what_is_handed_on_is_read_or_nothing(before: str, parts: list[str]) -> None:
    read = read_spawned(f"{before}\nParts: {json.dumps(parts)}\n", PICKS)
    wanted = list(dict.fromkeys(part.strip() for part in parts if part.strip())) or [PICKS]
    assert read == wanted or (read == [] and ("`" in before or "~" in before))
    assert read_spawned(f"{before}\nParts: {json.dumps(parts)}\nResult: none", PICKS) == []
    assert read_spawned(before, PICKS) == [] or "Parts:" in before


@pytest.mark.parametrize("parts", [[], [PICKS], ["How did Ann bat?"]], ids=["none", "the same", "one"])
async def test_who_names_no_several_parts_is_asked_for_the_result(
    server: ModelServer, context: dict[str, Any], parts: list[str]
) -> None:
    script(server)
    # The second time it may hand nothing on.
    server.on(PICKS, hand_on(*parts), "Result: Ann bats left")
    solution = await ask(context)
    (first, second) = solution.threads
    assert (first.id, first.status, first.answer, second.answer) == ("T1.1", "answered", "Ann bats left", "Paris")
    assert solution.outcome == "complete" and not any("Parts:" in thread.answer for thread in solution.threads)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=20, unique=True), st.integers(1, 20))
def test_no_part_gets_lost(parts: list[str], limit: int) -> None:
    children = make_children(ThreadSpec(id="T4", sources=[2], subquestion="?", needs=["T1"]), parts, limit)
    assert [part.question for child in children for part in child.parts] == parts and len(children) <= limit
    assert all(child.parts and child.sources == [2] and child.needs == ["T1"] for child in children)


async def test_what_was_shown_of_a_list_is_withdrawn_in_words(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.on("assess", outline(CAPITAL, PICKS, answer="list")).on("review", review("All bat left; Paris."))
    changes = [change async for change in stream_answer(QUESTION, **context)]
    resets = [change.why for change in changes if isinstance(change, AnswerReset)]
    assert resets == ["smaller threads take the place of T2"]
    assert isinstance(changes[-1], Solution) and changes[-1].answer == "All bat left; Paris."
