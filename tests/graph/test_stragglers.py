"""Late threads get a second copy, failed ones a second model."""

import asyncio
from typing import Any

import pytest

from graphs import graph
from tests.support.server import HANG, Fault, ModelServer, Reply, outline, plan, review

PARTS = [f"What is part {number}?" for number in range(1, 9)]


def split(server: ModelServer, count: int = 8, delay: float = 0.0) -> list[str]:
    server.on("assess", outline(*PARTS[:count]))
    for part in PARTS[:count]:
        server.on(part, Reply("Result: done", delay=delay))
    return PARTS[:count]


async def ask(context: dict[str, Any]) -> Any:
    return await graph.ainvoke({"question": "Tell me all."}, context=context)


async def test_a_straggler_costs_little_with_a_hedge(server: ModelServer, context: dict[str, Any]) -> None:
    ratios: list[float] = []
    while len(ratios) < 3:  # a busy machine may hold one run up, hardly three in a row
        ratios.append(await straggler_against_none(server, context))
        if ratios[-1] <= 2.2:
            return
    raise AssertionError(f"times the run without the straggler: {ratios}")


async def straggler_against_none(server: ModelServer, context: dict[str, Any]) -> float:
    """Return how many times as long the run takes when one of its threads is ten times as slow."""
    split(server, delay=2.0)
    # What the first run has shown, on a busy machine, must not decide whether the second one splits.
    context = {**context, "split": "if_independent"}
    plain = (await ask(context))["report"].wall_s
    late = Reply("Result: late", delay=20.0)
    server.on(PARTS[4], late, Reply("Result: in time", delay=2.0))
    hedged = await ask({**context, "hedge": 1.05})
    assert (hedged["outcome"], hedged["threads"][4].answer) == ("complete", "in time")
    assert (hedged["report"].hedges, hedged["report"].calls) == (1, 11)
    first, second = server.about(PARTS[4])[-2:]
    assert first.dropped and not second.dropped
    assert first.ended is not None and second.ended is not None and first.ended - second.ended < 1
    # The copy that lost had read its prompt: its tokens count.
    assert hedged["threads"][4].usage.input == 2 * late.prompt_tokens
    assert hedged["report"].tokens.input == 11 * late.prompt_tokens
    return float(hedged["report"].wall_s / plain)


async def test_without_a_hedge_a_straggler_holds_the_run(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, delay=0.2)
    server.on(PARTS[4], Reply("Result: late", delay=2.0))
    held = await ask(context)
    assert held["report"].wall_s >= 2.0 and held["threads"][4].answer == "late"
    assert held["report"].hedges == 0 and held["outcome"] == "complete"


async def test_at_most_one_thread_in_ten_is_hedged(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, delay=0.1)
    for part in PARTS[:3]:
        server.on(part, Reply("Result: slow", delay=1.5))
    solution = await ask({**context, "hedge": 1})
    assert solution["report"].hedges == 1 and len(server.calls("solve")) == 9
    assert solution["outcome"] == "complete"


async def test_nothing_is_hedged_before_half_have_finished(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, delay=1.2)
    server.on(PARTS[0], Reply("Result: quick", delay=0.1))
    solution = await ask({**context, "hedge": 1})
    assert solution["report"].hedges == 0 and solution["outcome"] == "complete"


async def test_a_copy_that_fails_does_not_harm_the_first(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 4, delay=0.1)
    server.on(PARTS[0], Reply("Result: slow", delay=1.5), Fault(status=400))
    solution = await ask({**context, "hedge": 1})
    assert (solution["threads"][0].answer, solution["outcome"]) == ("slow", "complete")
    assert solution["report"].hedges == 1


async def test_a_thread_is_hedged_once_in_a_run(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 4, delay=0.1)
    server.on(PARTS[0], HANG)
    solution = await ask({**context, "hedge": 1, "thread_timeout": 1.5, "max_rounds": 1})
    assert solution["threads"][0].status == "timed_out" and len(server.about(PARTS[0])) == 3
    assert solution["report"].hedges == 1


async def test_cancelling_a_hedged_run_closes_both_copies(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 4, delay=0.1)
    server.on(PARTS[0], HANG)
    run = asyncio.create_task(ask({**context, "hedge": 1}))
    await server.wait_for(5, "solve")
    assert server.open == 2
    run.cancel()
    await asyncio.wait({run})
    async with asyncio.timeout(10):
        await server.wait_until_idle()


async def test_a_thread_that_failed_is_tried_once_on_the_second_model(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, 3)
    server.on(PARTS[1], Fault(status=400), "Result: from the second")
    solution = await ask({**context, "fallback_model": "openai:second"})
    assert (solution["outcome"], solution["threads"][1].answer) == ("complete", "from the second")
    assert [request.body["model"] for request in server.about(PARTS[1])] == ["scripted", "second"]
    assert solution["threads"][1].model == "openai:second" and solution["threads"][0].model == "openai:scripted"
    assert solution["report"].fallbacks == 1


async def test_a_thread_that_hangs_is_tried_on_the_second_model(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 3)
    server.on(PARTS[1], HANG, "Result: from the second")
    solution = await ask({**context, "fallback_model": "openai:second", "thread_timeout": 0.5})
    assert (solution["outcome"], solution["threads"][1].answer) == ("complete", "from the second")


@pytest.mark.parametrize("role", ["assess", "decompose", "review"])
async def test_stages_fall_back_too(server: ModelServer, context: dict[str, Any], role: str) -> None:
    split(server, 2)
    sound = {"assess": outline(*PARTS[:2]), "decompose": plan(*PARTS[:2]), "review": review("Both.")}
    if role == "decompose":
        # A plan is asked for where the outline has no parts and a split is wanted all the same.
        server.on("assess", outline())
    server.on(role, Fault(status=401), sound[role])
    solution = await ask({**context, "fallback_model": "openai:second", "split": "always"})
    assert (solution["outcome"], solution["route"], solution["report"].fallbacks) == ("complete", "parallel", 1)


async def test_when_both_models_fail_both_reasons_are_said(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 2)
    server.on(PARTS[1], Fault(status=400), Fault(status=403))
    solution = await ask({**context, "fallback_model": "openai:second", "max_rounds": 0})
    assert "HTTP 403" in solution["threads"][1].error and "before that" in solution["threads"][1].error
    assert "HTTP 400" in solution["threads"][1].error and len(server.about(PARTS[1])) == 2
