"""A vote: samples side by side, the majority of their results, and no sample more than it takes to be certain."""

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from graphs import build_graph, graph, sequential, stop_thread
from nodes.asking.thread import RESULT_ALONE, asked_the_same_before, messages
from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.servers.options import wishes
from nodes.planning.plan import ThreadSpec
from nodes.settings import Settings
from nodes.shared.run import Run
from nodes.state import Solution, ThreadTask
from nodes.threads.results import ThreadResult
from tests.support.server import HANG, Fault, ModelServer, Reply, outline
from tests.support.subjects import oversight
from tests.support.subjects.solvers import ASKED, solve, solve_parts, solving_of
from tests.support.subjects.stopping import Running

VOTE = {"solver": "vote"}


async def test_a_thread_is_asked_once_unless_a_vote_is_asked_for(server: ModelServer, context: dict[str, Any]) -> None:
    solution = await solve_parts(server, context, ASKED, "How long is it?")
    assert len(server.about(ASKED)) == 1 and solution.report.solving == {}
    assert [thread.solver for thread in solution.threads] == ["chain", "chain"]
    assert "solvers" not in str([asked.body for asked in server.calls("assess")])


async def test_the_third_of_five_that_agree_cancels_the_other_two(server: ModelServer, context: dict[str, Any]) -> None:
    server.on(ASKED, "So.\nResult: 12", "Result: 12.0", "Result: $12.", HANG, HANG)
    solution = await solve_parts(server, context, ASKED, "How long is it?", **VOTE)
    await server.wait_until_idle()
    assert sorted(asked.dropped for asked in server.about(ASKED)) == [False] * 3 + [True] * 2
    thread, told = solution.threads[0], solving_of(solution, "T1")
    assert (thread.answer, thread.status, thread.solver, thread.attempts) == ("12", "answered", "vote", 5)
    assert [(votes.answer, votes.count) for votes in told.votes] == [("12", 3)]
    assert (told.asked, told.cancelled, told.failed) == (5, 2, 0) and thread.solving == [told]
    assert [call.status for call in solution.calls if call.thread_id == "T1"].count("cancelled") == 2
    assert solution.outcome == "complete" and solution.report.uncounted == 2


async def test_samples_side_by_side_count_once_on_the_critical_path(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(ASKED, *(Reply(f"Result: {number}", completion_tokens=number) for number in (10, 30, 50, 70, 90)))
    solution = await solve(server, context, **VOTE)
    assess = next(call for call in solution.calls if call.role == "assess").usage.output
    assert solution.report.critical_path_tokens == assess + 90 and solution.report.tokens.output == assess + 250
    assert solution.report.critical_path_s <= solution.report.wall_s
    both = await solve_parts(server, context, ASKED, "How long is it?", solver="vote", samples=2)
    assert both.report.estimate and both.report.estimate.output == 90 + 5


@pytest.mark.parametrize(
    ("said", "winner", "counts"),
    [
        (["12", "13", "13", "14", "15"], "13", [2, 1, 1, 1]),
        (["12", "13", "14", "15", "16"], "12", [1, 1, 1, 1, 1]),
        (["Zwölf", "zwölf.", "1,200", "1200", "1200.00"], "1,200", [3, 2]),
        (["5 May", "5 June", "5 June", "3 + 4", "3 * 4"], "5 June", [2, 1, 1, 1]),
        (["১২", "12", "１２", "€ 12", "13"], "১২", [3]),
    ],
)
async def test_the_majority_wins_and_the_first_of_what_is_even(
    server: ModelServer, context: dict[str, Any], said: list[str], winner: str, counts: list[int]
) -> None:
    server.slots = 1  # one after another, so that it is certain which sample says what
    server.on(ASKED, *(f"Result: {one}" for one in said))
    solution = await solve(server, context, **VOTE)
    told = solving_of(solution)
    assert [votes.count for votes in told.votes] == counts
    assert solution.outcome == "complete" and solution.answer == winner
    assert len(server.about(ASKED)) == sum(counts)


async def test_samples_that_fail_cost_only_themselves(server: ModelServer, context: dict[str, Any]) -> None:
    cut = Reply("Result: 99", finish_reason="length")
    server.on(ASKED, Fault(status=400), cut, "Result: 7", "Result: 7", Fault(status=400))
    solution = await solve(server, context, **VOTE)
    told = solving_of(solution)
    assert (solution.answer, solution.outcome) == ("7", "complete")
    assert (told.failed, told.cancelled, [votes.count for votes in told.votes]) == (3, 0, [2])


async def test_samples_that_end_without_a_result_are_asked_for_it(server: ModelServer, context: dict[str, Any]) -> None:
    server.on(ASKED, "It comes to 12", "Result: 13", "四十减二十八 12", "So that is 12")
    solution = await solve_parts(server, context, ASKED, "How long is it?", **VOTE, samples=4)
    thread, told = solution.threads[0], solving_of(solution, "T1")
    assert [(votes.answer, votes.count) for votes in told.votes if votes.answer == "12"] == [("12", 3)]
    assert thread.answer == "12" and thread.text.endswith("12\n\nResult: 12")
    first = next(asked for asked in server.calls("result") if asked.key == "result: It comes to 12")
    assert [turn["content"] for turn in first.body["messages"][-2:]] == ["It comes to 12", RESULT_ALONE]
    assert first.body["messages"][:-2] == server.about(ASKED)[0].body["messages"]
    own = [call for call in solution.calls if call.thread_id == "T1"]
    assert len(own) == 4 + len(server.calls("result")) and sorted({call.sample for call in own}) == [1, 2, 3, 4]
    assert {call.attempt for call in own} == {1} and solution.report.retries == 0


@pytest.mark.parametrize("step", [Fault(status=400), Reply("a bit of", finish_reason="length")])
async def test_a_result_that_cannot_be_had_costs_no_sample(
    server: ModelServer, context: dict[str, Any], step: Fault | Reply
) -> None:
    server.on(ASKED, "It comes to 12").on("result: It comes to 12", step)
    solution = await solve(server, context, **VOTE, samples=3)
    assert (solution.outcome, solution.answer, solving_of(solution).failed) == ("complete", "It comes to 12", 0)


async def test_what_a_sample_is_asked_after_the_majority_is_certain_is_cancelled(
    server: ModelServer, context: dict[str, Any]
) -> None:
    asked_for = asyncio.Event()
    server.on(ASKED, "It comes to 12", Reply("Result: 7", held=asked_for)).on("result: It comes to 12", HANG)
    run = asyncio.create_task(solve(server, context, **VOTE, samples=3))
    await server.wait_for(1, "result")
    asked_for.set()
    solution = await run
    await server.wait_until_idle()
    assert (solution.answer, solving_of(solution).cancelled) == ("7", 1)
    assert [asked.dropped for asked in server.calls("result")] == [True]


async def test_where_all_fail_the_run_says_why(server: ModelServer, context: dict[str, Any]) -> None:
    server.on(ASKED, Fault(status=400))
    solution = await solve(server, context, **VOTE, samples=3)
    assert solution.outcome == "failed" and "400" in solution.stop_reason and solving_of(solution).failed == 3
    server.on(ASKED, Reply("Result: half of", finish_reason="length"))
    solution = await solve(server, context, **VOTE, samples=2)
    assert (solution.outcome, solution.answer) == ("partial", "half of")


async def test_samples_are_asked_for_a_bare_result_and_are_no_streamed_answer(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", outline()).on(ASKED, "Long thoughts.\nResult: 7")
    modes, told = ["messages", "values"], []
    problem = {"question": ASKED, "instructions": "In euros.", "documents": [{"id": "bill", "text": "Rent: 7"}]}
    asked = graph.astream(problem, context={**context, **VOTE, "temperature": 0.4}, stream_mode=modes)
    async for mode, event in asked:
        if mode == "messages":
            told.append(event[1]["langgraph_node"])
        else:
            solution = Solution.model_validate(event)
    assert solution.answer == "7" and "direct" not in told
    assert all(asked.body["temperature"] == 0.4 for asked in server.calls("solve"))
    assert all("the bare answer" in asked.prompt for asked in server.calls("solve"))
    assert all("In euros." in asked.last and "Rent: 7" in asked.last for asked in server.calls("solve"))


async def test_the_baseline_stays_one_call(server: ModelServer, context: dict[str, Any]) -> None:
    await sequential.ainvoke({"question": ASKED}, context={**context, **VOTE})
    assert [asked.key for asked in server.asked] == ["direct"]


async def test_no_call_begins_early_and_none_has_a_second_copy(server: ModelServer, context: dict[str, Any]) -> None:
    settings = {**VOTE, "head_start": "on", "hedge": 1.0, "samples": 2}
    solution = await solve_parts(server, context, ASKED, "How long is it?", **settings)
    assert (solution.report.head_starts, solution.report.hedges) == (0, 0) and len(server.calls("solve")) == 4


async def test_parts_that_share_a_thread_are_voted_on_one_after_the_other(
    server: ModelServer, context: dict[str, Any]
) -> None:
    parts = ["What is one?", "What is two?", "What is three?", "What is four?"]
    solution = await solve_parts(server, context, *parts, **VOTE, samples=3, max_threads=2)
    assert [len(solution.report.solving[id]) for id in ("T1", "T2")] == [2, 2]
    assert [thread.answers for thread in solution.threads] == [
        [f"answer to {part}" for part in pair] for pair in (parts[:2], parts[2:])
    ]
    own = [call for call in solution.calls if call.thread_id == "T1"]
    assert sorted({call.step for call in own}) == [0, 1] and solution.report.critical_path_tokens == 5 + 10 + 5


async def test_stopping_a_thread_ends_all_its_samples(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline(ASKED, "How long is it?")).on(ASKED, HANG)
    run = Running({**context, **VOTE, "samples": 3})
    await run.until(("T1", "running"), ("T2", "answered"))
    assert stop_thread(run.run_id, "T1")
    solution = await run.task
    await server.wait_until_idle()
    assert [asked.dropped for asked in server.about(ASKED)] == [True] * 3
    assert (solution.threads[0].stopped, solution.outcome) == ("person", "partial")


async def test_cancelling_the_run_ends_all_samples(server: ModelServer, context: dict[str, Any]) -> None:
    server.on(ASKED, HANG)
    run = asyncio.create_task(solve(server, context, **VOTE, samples=4))
    await server.wait_for(4, "solve")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await server.wait_until_idle()
    assert all(asked.dropped for asked in server.about(ASKED))


async def test_the_cache_keeps_what_each_solver_found_apart(server: ModelServer, context: dict[str, Any]) -> None:
    parts, kept = (ASKED, "How long is it?"), {"cache": True, "samples": 2}
    for settings in (kept, {**kept, **VOTE}, {**kept, **VOTE, "samples": 3}, {**kept, "solver": "tree"}):
        before = len(server.asked)
        assert (await solve_parts(server, context, *parts, **settings)).report.cached == 0
        assert len(server.asked) - before > 3
        again = await solve_parts(server, context, *parts, **settings)
        assert again.report.cached == 2 and again.threads[0].solver == settings.get("solver", "chain")


async def test_the_model_chooses_the_solver_of_each_part_where_that_is_left_to_it(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", outline("What is one?", "What is two?") | {"solvers": ["chain", "vote"]})
    run = await graph.ainvoke({"question": "What is it all?"}, context={**context, "solver": "auto", "samples": 3})
    assert [thread.solver for thread in run["threads"]] == ["chain", "vote"]
    assert (len(server.about("What is one?")), len(server.about("What is two?"))) == (1, 3)
    assert "`solvers`: One word for each part" in server.calls("assess")[0].last
    server.on("assess", outline() | {"solvers": ["vote"]})
    run = await graph.ainvoke({"question": ASKED}, context={**context, "solver": "auto", "samples": 3})
    assert len(server.about(ASKED)) == 3 and run["assessment"].solver == "vote"
    server.on("assess", outline())
    await graph.ainvoke({"question": ASKED}, context={**context, "solver": "auto"})
    assert len(server.about("direct")) == 1


async def test_unknown_solvers_and_too_many_samples_are_refused(context: dict[str, Any]) -> None:
    for wrong in ({"solver": "guess"}, {"samples": 65}, {"tree_tokens": 1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            await build_graph().ainvoke({"question": ASKED}, context={**context, **wrong})


async def test_a_person_sees_what_a_vote_is_expected_to_take(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline(*oversight.PARTS))
    calls = []
    for settings in ({}, VOTE, {"solver": "tree", "tree_iterations": 2, "tree_width": 3}):
        shown = oversight.asked(await oversight.Overseen({**context, **settings}, "plan").start())
        calls.append(shown["estimate"]["calls"])
    assert calls == [3 + 1, 3 * 5 + 1, 3 * 2 * 4 + 1]


@pytest.mark.parametrize(("given", "varied", "temperature"), [(None, True, 0.7), (None, False, 0.0), (0.3, True, 0.3)])
def test_samples_of_the_embedded_model_are_sampled(given: float | None, varied: bool, temperature: float) -> None:
    endpoint = Endpoint("local", "local", "local", "http://127.0.0.1:1", SecretStr("none"), None)
    wished = wishes(endpoint, Settings(model="local", temperature=given), "solve", varied=varied)
    assert [wish.value for wish in wished if wish.field == "temperature"] == [temperature]


@pytest.mark.parametrize(("rounds", "again"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_thread_that_was_asked_the_same_before_is_sampled(rounds: int, again: bool) -> None:
    def after(rounds: int) -> ThreadTask:
        before = ThreadResult(id="T1", subquestion=ASKED, status="failed", marks=["cut"], rounds=rounds)
        spec = ThreadSpec(id="T1", subquestion=ASKED)
        return ThreadTask(run=Run(), spec=spec, segments=[], previous=before if rounds else None)

    def asked(rounds: int) -> list[str]:
        return [message.text for message in messages(after(rounds), Settings(model="local"))]

    assert asked_the_same_before(after(rounds)) == again == (rounds > 0 and asked(rounds) == asked(rounds - 1))
