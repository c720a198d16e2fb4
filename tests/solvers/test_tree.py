"""A search through a tree of steps: what it grows, what it learns from failures, how it is bounded and how it ends."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from graphs import build_graph, stop_thread
from graphs.history.runs import Runs, config
from graphs.history.store import open_store
from nodes.settings import Settings
from nodes.state import Problem, Solution
from nodes.threads.solving import TreeNode
from tests.support.server import HANG, Fault, ModelServer, Reply, outline
from tests.support.subjects.solvers import ASKED, rate, solve, solve_parts, solving_of, step
from tests.support.subjects.stopping import Running

TREE: dict[str, Any] = {"solver": "tree", "tree_width": 2}


@pytest.fixture
def in_turn(server: ModelServer) -> ModelServer:
    """A server that works on one request at a time, so that it is certain which candidate says what."""
    server.slots = 1
    return server


def nine(asked: str, result: str) -> tuple[bool, str]:
    """A checker that knows the rule, and no right answer."""
    return result == "9", f"{result} is not a square of an odd number"


async def test_a_search_goes_on_from_the_best_step_to_a_result_the_model_is_sure_of(
    in_turn: ModelServer, context: dict[str, Any]
) -> None:
    server = in_turn
    server.on("step", step("Add."), step("Multiply."), step("So it is 9.", "9"), step("It is nine.", "9"))
    server.on("rate", rate(2, 8), rate(10))
    solution = await solve(server, context, **TREE)
    told = solving_of(solution)
    assert (solution.answer, solution.outcome) == ("9", "complete")
    assert [(node.parent, node.text, node.answer) for node in told.tree] == [
        (None, "", ""),
        (0, "Add.", ""),
        (0, "Multiply.", ""),
        (2, "So it is 9.", "9"),
    ]
    # V = 0.5 rating + 0.5 share of the candidates; the way to the result then holds the means with its value, 1.
    assert [(node.visits, node.value) for node in told.tree] == [(2, 0.5), (1, 0.35), (2, 0.825), (2, 1.0)]
    assert (told.iterations, told.ended) == (1, "the model is sure of the result")
    assert "Steps so far:\n1. Multiply." in server.calls("step")[-1].last


async def test_candidates_count_once_a_step_on_the_critical_path(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("step", *(Reply('{"step": "So.", "result": "9"}', completion_tokens=tokens) for tokens in (10, 30)))
    server.on("rate", Reply('{"scores": [10]}', completion_tokens=7))
    solution = await solve(server, context, **TREE)
    assert solution.report.critical_path_tokens == 5 + 30 + 7 and solution.report.tokens.output == 5 + 40 + 7


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_checker_decides_and_lessons_of_failures_stand_in_later_steps(
    in_turn: ModelServer, context: dict[str, Any], asynchronous: bool
) -> None:
    server = in_turn
    judged: list[tuple[str, str]] = []

    def check(asked: str, result: str) -> tuple[bool, str]:
        judged.append((asked, result))
        return nine(asked, result)

    async def check_later(asked: str, result: str) -> tuple[bool, str]:
        await asyncio.sleep(0)
        return check(asked, result)

    server.on("step", step("Guess.", "8"), step("Guess again.", "10"), step("Square.", "9"), step("Root.", "3"))
    server.on("lesson", {"lesson": "Do not guess."})
    solution = await solve(server, context, on=build_graph(checker=check_later if asynchronous else check), **TREE)
    told = solving_of(solution)
    assert (solution.answer, solution.outcome, told.ended) == ("9", "complete", "the checker accepted the result")
    assert sorted(judged) == sorted((ASKED, result) for result in ("8", "10", "9", "3"))
    assert told.lessons == ["Do not guess."] and not server.calls("rate")
    first, second = server.calls("step")[0].last, server.calls("step")[2].last
    assert "Do not guess." not in first and "- Do not guess." in second
    assert "is not a square of an odd number" in server.calls("lesson")[0].last
    assert all(node.checked for node in told.tree if node.answer)


async def test_what_became_of_a_way_leads_the_next_iteration_elsewhere(
    in_turn: ModelServer, context: dict[str, Any]
) -> None:
    server = in_turn
    server.on(
        "step", step("Left."), step("Right."), step("Left end.", "8"), step("Left end 2.", "7"), step("End.", "9")
    )
    server.on("rate", rate(8, 7), rate(1, 1))
    solution = await solve(server, context, on=build_graph(checker=nine), **TREE)
    tree = solving_of(solution).tree
    assert solution.answer == "9" and solving_of(solution).iterations == 2
    way = next(node for node in tree if node.answer == "9").parent
    assert tree[1].text == "Left." and tree[1].value < 0.5 and tree[way or 0].text == "Right."


@pytest.mark.parametrize(
    ("scores", "outcome"), [([0.0], "partial"), ([0.4], "complete"), ([1], "complete"), (["bad"], "complete")]
)
async def test_only_what_the_checker_refuses_outright_is_no_answer(
    server: ModelServer, context: dict[str, Any], scores: list[Any], outcome: str
) -> None:
    server.on("step", step("So.", "9")).on("rate", rate(9))
    solution = await solve(server, context, on=build_graph(checker=lambda *_: scores[0]), **TREE, tree_iterations=1)
    assert (solution.answer, solution.outcome) == ("9", outcome)
    assert ("the checker refuses the result" in solution.stop_reason) == (outcome == "partial")
    # A checker that breaks gave no verdict.
    assert [node.checked for node in solving_of(solution).tree[1:]] == [scores != ["bad"]]


async def test_a_search_keeps_to_its_bounds(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("step", *(step(f"Step {number}.") for number in range(100))).on("rate", rate(3, 4))
    bounds: dict[str, Any] = {"tree_iterations": 2, "tree_depth": 3}
    solution = await solve(server, context, **TREE, **bounds)
    told = solving_of(solution)
    depth = {0: 0}
    for place, node in enumerate(told.tree[1:], 1):
        depth[place] = depth[node.parent or 0] + 1
    assert told.iterations == 2 and max(depth.values()) == 3 and told.ended == "2 iterations (`tree_iterations`)"
    assert "Write now: last step" in server.calls("step")[5].last and "last" not in server.calls("step")[3].last
    assert solution.outcome == "failed" and "the search ended without a result" in solution.stop_reason
    server.asked.clear()
    server.on(
        "step", *(Reply(f'{{"step": "S{number}."}}', prompt_tokens=200, completion_tokens=50) for number in range(9))
    )
    solution = await solve(server, context, **TREE, tree_tokens=800)
    assert "(`tree_tokens`)" in solving_of(solution).ended and len(server.calls("step")) == 2


async def test_candidates_and_ratings_that_fail_cost_only_themselves(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("step", Fault(status=400), step("So.", "9")).on("rate", Fault(status=400))
    # In words, after a refused schema: the rungs of structured output are tried for each candidate.
    solution = await solve(server, context, **TREE, tree_iterations=1)
    assert solution.answer == "9" and solution.outcome == "complete"
    server.on("step", Fault(status=401))
    solution = await solve(server, context, **TREE)
    assert solution.outcome == "failed" and "401" in solution.stop_reason


async def test_an_iteration_whose_steps_are_all_cut_is_not_the_last(
    in_turn: ModelServer, context: dict[str, Any]
) -> None:
    cut = Reply('{"step": "And so on and', finish_reason="length")
    in_turn.on("step", cut, cut, step("So.", "9")).on("rate", rate(10))
    solution = await solve(in_turn, context, **TREE)
    assert (solution.answer, solving_of(solution).iterations) == ("9", 2) and not in_turn.calls("lesson")
    in_turn.on("step", cut)
    solution = await solve(in_turn, context, **TREE, tree_iterations=2)
    assert solution.outcome == "failed" and "cut at the token limit" in solution.stop_reason
    assert solving_of(solution).ended == "2 iterations (`tree_iterations`)"


async def test_threads_search_side_by_side_and_one_is_stopped_with_all_its_candidates(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", outline("What is one?", "What is two?"))
    server.on("step", step("So.", "1"), step("So.", "1"), HANG).on("rate", rate(10))
    run = Running({**context, **TREE, "max_parallel": 1})
    await run.until(("T1", "answered"), ("T2", "running"))
    await server.wait_for(4, "step")
    assert stop_thread(run.run_id, "T2")
    solution = await run.task
    await server.wait_until_idle()
    assert [asked.dropped for asked in server.calls("step")] == [False, False, True, True]
    assert [(thread.status, thread.solver) for thread in solution.threads] == [("answered", "tree"), ("failed", "tree")]
    assert solution.threads[0].text == "So.\nResult: 1" and solution.threads[1].stopped == "person"


async def test_cancelling_the_run_ends_the_search(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("step", HANG)
    run = asyncio.create_task(solve(server, context, **TREE))
    await server.wait_for(2, "step")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await server.wait_until_idle()
    assert [asked.dropped for asked in server.calls("step")] == [True, True]


async def test_a_run_that_broke_off_goes_on_without_searching_again_for_what_it_had(
    server: ModelServer, context: dict[str, Any], tmp_path: Path
) -> None:
    settings, problem = Settings(**context, **TREE, tree_iterations=1, max_parallel=1), Problem(question="Both?")
    server.on("assess", outline("What is one?", "What is two?"))
    server.on("step", step("So.", "1"), step("So.", "1"), HANG, HANG, step("So.", "2")).on("rate", rate(10))
    async with open_store(str(tmp_path / "runs.sqlite")) as store:
        runs = Runs(store)
        async with runs.begin(problem, settings.show(), sequential=False) as entry:
            graph = runs.graph(entry)
            run = asyncio.create_task(
                graph.ainvoke(problem.model_dump(), config(entry), context=settings, durability="sync")
            )
            await server.wait_for(4, "step")
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            await server.wait_until_idle()
            found = Solution.model_validate(await graph.ainvoke(None, config(entry), context=settings))
    assert [thread.answer for thread in found.threads] == ["1", "2"] and found.outcome == "complete"
    assert sum("What is one?" in asked.last for asked in server.calls("step")) == 2
    tree = solving_of(found, "T2").tree
    assert all(isinstance(node, TreeNode) for node in tree) and tree[1].answer == "2"


async def test_threads_of_a_plan_use_the_checker_with_their_own_subquestion(
    server: ModelServer, context: dict[str, Any]
) -> None:
    judged: set[str] = set()

    def checker(asked: str, result: str) -> float:
        judged.add(asked)
        return 1.0

    solution = await solve_parts(
        server, context, "What is one?", "What is two?", on=build_graph(checker=checker), **TREE
    )
    assert judged == {"What is one?", "What is two?"} and solution.outcome == "complete"


async def test_a_call_that_hangs_leaves_time_to_go_on_without_it(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("step", HANG, step("So it is 8.", "8"), step("So it is 9.", "9"))
    server.on("rate", rate(6), rate(10))
    solution = await solve(server, context, **{**TREE, "thread_timeout": 4, "tree_iterations": 3})
    told = solving_of(solution)
    assert (solution.answer, solution.outcome, told.iterations) == ("9", "complete", 2)
    assert [call.status for call in solution.calls if call.stage == "direct"].count("timed_out") == 1
