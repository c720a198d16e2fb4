"""Parts that need the results of others: each starts when those are there, and sees them and nothing else."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graphs import graph
from graphs.build import build_graph
from graphs.page.page import page
from nodes.state import Solution
from tests.support.server import HANG, Fault, ModelServer, Reply, model_server, outline, review

CHAIN = ["Who directed Jaws?", "Where was #1 born?", "In which country is #2?", "Who directed Psycho?"]
DIAMOND = [
    "Who wrote Faust?",
    "Where was #1 born?",
    "When was #1 born?",
    "What happened in #2 in #3?",
    "Who wrote Emma?",
]
FILM = "Tell me of Jaws and of Psycho."


async def ask(server: ModelServer, context: dict[str, Any], parts: list[str], *reviews: Any) -> Solution:
    server.on("assess", outline(*parts))
    server.on("review", *(reviews or (review("All of it."),)))
    return Solution.model_validate(await graph.ainvoke({"question": FILM}, context=context))


def order(server: ModelServer) -> list[tuple[str, str]]:
    """List what the server saw of threads, in time: each question as it came, and as it was answered."""
    seen = [(asked.at, "asked", asked.key) for asked in server.calls("solve")]
    seen += [(asked.ended or 0.0, "answered", asked.key) for asked in server.calls("solve")]
    return [(what, key) for _, what, key in sorted(seen)]


async def test_a_thread_starts_when_its_needs_are_there_and_sees_them_alone(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(CHAIN[0], "It was made in 1975.\nResult: Steven Spielberg")
    server.on(CHAIN[1], "Result: Cincinnati")
    solution = await ask(server, context, CHAIN)
    assert (solution.outcome, solution.answer) == ("complete", "All of it.")
    assert [thread.needs for thread in solution.threads] == [[], ["T1"], ["T2"], []]
    first, second, third, other = (server.about(part)[0] for part in CHAIN)
    assert first.ended and second.ended and first.ended <= second.at and second.ended <= third.at
    assert other.at < second.at
    assert '"result": "Steven Spielberg"' in second.last and "1975" not in second.last
    assert "Cincinnati" in third.last and "Spielberg" not in third.last
    assert "Spielberg" not in other.last and len(server.asked) == 6


async def test_the_critical_path_goes_along_the_needs(server: ModelServer, context: dict[str, Any]) -> None:
    for part, tokens in zip(CHAIN, (10, 20, 30, 50), strict=True):
        server.on(part, Reply("Result: so", completion_tokens=tokens))
    solution = await ask(server, context, CHAIN)
    alone = sum(call.usage.output for call in solution.calls if not call.thread_id)
    assert solution.report.critical_path_tokens == alone + 10 + 20 + 30
    assert "T3 ← T2" in page(solution)


async def test_no_branch_waits_for_another(server: ModelServer, context: dict[str, Any]) -> None:
    parts = ["Who directed Jaws?", "Who directed Psycho?", "Where was #1 born?", "Where was #2 born?"]
    server.on(parts[1], Reply("Result: Alfred Hitchcock", delay=1.5))
    running = asyncio.create_task(ask(server, context, parts))
    await server.wait_for(3, "solve")
    # The first branch goes on while the second still hangs at its first step.
    assert [key for what, key in order(server) if what == "asked"] == [parts[0], parts[1], parts[2]]
    assert server.about(parts[1])[0].ended is None
    assert (await running).outcome == "complete"
    assert "Hitchcock" in server.about(parts[3])[0].last


async def test_of_a_diamond_each_is_asked_once_and_the_last_sees_both(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(DIAMOND[1], Reply("Result: Frankfurt", delay=0.2))
    server.on(DIAMOND[2], "Result: 1749")
    solution = await ask(server, context, DIAMOND)
    assert [thread.status for thread in solution.threads] == ["answered"] * 5
    last = server.about(DIAMOND[3])[0].last
    assert "Frankfurt" in last and "1749" in last and "answer to Who wrote Faust" not in last
    assert [len(server.about(part)) for part in DIAMOND] == [1] * 5


async def test_what_needs_a_missing_result_fails_alone_and_says_why(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(CHAIN[0], Fault(status=400))
    solution = await ask(server, {**context, "max_rounds": 0}, CHAIN)
    assert [thread.status for thread in solution.threads] == ["failed", "failed", "failed", "answered"]
    assert "needs the result of T1" in solution.threads[1].error and "of T2" in solution.threads[2].error
    assert server.about(CHAIN[1]) == server.about(CHAIN[2]) == [] and solution.outcome == "partial"


async def test_a_result_that_goes_back_takes_what_was_built_on_it_along(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(CHAIN[0], "Result: Alfred Hitchcock", "Result: Steven Spielberg")
    server.on(CHAIN[1], "Result: London", "Result: Cincinnati")
    solution = await ask(server, context, CHAIN, review("", "T1: it was another"), review("All of it."))
    assert [len(server.about(part)) for part in CHAIN] == [2, 2, 2, 1]
    assert "Hitchcock" in server.about(CHAIN[1])[0].last and "Spielberg" in server.about(CHAIN[1])[1].last
    assert "it was another" not in server.about(CHAIN[1])[1].last
    assert [thread.rounds for thread in solution.threads] == [2, 2, 2, 1] and solution.outcome == "complete"


async def test_what_comes_to_the_same_again_is_not_paid_for_further_on(
    server: ModelServer, context: dict[str, Any]
) -> None:
    solution = await ask(server, context, CHAIN, review("", "T1: are you sure?"), review("All of it."))
    assert [len(server.about(part)) for part in CHAIN] == [2, 1, 1, 1] and solution.outcome == "complete"


async def test_one_thread_at_a_time_still_ends(server: ModelServer, context: dict[str, Any]) -> None:
    parts = ["Where is #3?", "Who directed Psycho?", "Who directed Jaws?"]
    server.on("assess", outline(*parts))
    solution = await graph.ainvoke({"question": FILM}, {"max_concurrency": 1}, context={**context, "max_parallel": 1})
    assert solution["outcome"] == "complete" and "answer to Who directed Jaws?" in server.about(parts[0])[0].last
    assert all(before.ended and before.ended <= after.at for before, after in pairwise(server.asked))


@pytest.mark.parametrize("stopped", [2, 3, 4, 5])
async def test_a_run_that_was_stopped_goes_on_with_what_its_threads_had_come_to(
    server: ModelServer, context: dict[str, Any], stopped: int
) -> None:
    """Stop at each moment: with so many threads asked, the last of them without an answer."""
    kept, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    server.on("assess", outline(*DIAMOND))
    in_turn = [DIAMOND[0], DIAMOND[4], DIAMOND[1], DIAMOND[2], DIAMOND[3]]
    server.on(in_turn[stopped - 1], HANG, "Result: at last")
    running = asyncio.create_task(kept.ainvoke({"question": FILM}, config, context=context))
    await server.wait_for(stopped, "solve")
    await asyncio.sleep(0.3)  # what has ended is kept a moment later
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    before = {asked.key for asked in server.calls("solve") if asked.ended and not asked.dropped}
    solution = Solution.model_validate(await kept.ainvoke(None, config, context=context))
    assert solution.outcome == "complete"
    assert all(len(server.about(part)) == 1 for part in before)
    for thread, part in zip(solution.threads, DIAMOND, strict=True):
        assert thread.answer in ("at last", f"answer to {part}"), "a result at the wrong thread"


def test_a_run_goes_on_in_another_event_loop(context: dict[str, Any]) -> None:
    kept, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}

    async def stop() -> None:
        async with model_server() as server:
            server.on("assess", outline(*CHAIN)).on(CHAIN[0], HANG)
            own = {**context, "base_url": server.url}
            running = asyncio.create_task(kept.ainvoke({"question": FILM}, config, context=own))
            await server.wait_for(2, "solve")
            running.cancel()
            await asyncio.wait({running})

    async def go_on() -> Any:
        async with model_server() as server:
            server.on("review", review("All of it."))
            own = {**context, "base_url": server.url}
            return await kept.ainvoke(None, config, context=own)

    asyncio.run(stop())
    solution = asyncio.run(go_on())
    assert (solution["outcome"], [thread.needs for thread in solution["threads"]]) == (
        "complete",
        [[], ["T1"], ["T2"], []],
    )


async def test_branches_run_without_an_event_loop_of_the_callers(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline(*DIAMOND)).on("review", review("All of it."))
    server.on("direct", Reply("Too late.", delay=30))
    given = {"context": {**context, "head_start": "on"}}
    solution = await asyncio.to_thread(graph.invoke, {"question": FILM}, **given)
    assert solution["outcome"] == "complete"
    assert [thread.answer for thread in solution["threads"]] == [f"answer to {part}" for part in DIAMOND]
