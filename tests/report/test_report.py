"""What the report says of a run, against what the server counted."""

import random
from collections import Counter
from typing import Any

import pytest

from graphs import graph, sequential
from nodes.llm.endpoints.usage import Usage
from nodes.reporting.prices import cost_of
from nodes.settings import Settings
from tests.support.server import HANG, Fault, ModelServer, Reply, Step, outline, review

PARTS = [f"What is part {number}?" for number in range(1, 9)]


def reply(chance: random.Random) -> Reply:
    output = chance.randint(1, 90)
    return Reply(
        "Result: found",
        delay=chance.uniform(0, 0.1),
        prompt_tokens=chance.randint(20, 900),
        cached_tokens=chance.randint(0, 20),
        completion_tokens=output,
        reasoning_tokens=chance.randint(0, output),
    )


def fate(chance: random.Random) -> list[Step]:
    """Script what befalls a thread."""
    sound: list[Step] = [reply(chance), reply(chance)]
    fates: list[list[Step]] = [
        *[sound] * 5,
        [Fault(status=500), reply(chance)],
        ["", reply(chance)],
        [Reply("", prompt_tokens=70, completion_tokens=3), reply(chance)],
        [Fault(status=400)],
        [HANG, reply(chance)],
        [Reply("Result: late", delay=20), reply(chance)],
        ["over and over again " * 60, reply(chance)],
    ]
    return chance.choice(fates)


@pytest.mark.parametrize("seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.full) for seed in range(10, 20))])
async def test_the_report_agrees_with_the_server(server: ModelServer, context: dict[str, Any], seed: int) -> None:
    chance = random.Random(seed)
    parts = PARTS[: chance.randint(2, 8)]
    server.on("assess", outline(*parts))
    for part in parts:
        server.on(part, *fate(chance))
    back = [f"T{number}: wrong" for number in range(1, len(parts) + 1) if chance.random() < 0.2]
    server.on("review", review("", *back), review("All of it."))
    solution = await graph.ainvoke(
        {"question": "Tell me all."},
        context={
            **context,
            "max_rounds": chance.randint(0, 2),
            "thread_timeout": 8,
            "max_parallel": chance.randint(2, 4),
            "hedge": chance.choice([None, 1, 2]),
        },
    )
    report = solution["report"]
    # What lost a race was broken off, mostly before its usage was told; what it read is known from the other's.
    answered = {(call.thread_id, call.round): call.usage for call in solution["calls"] if call.status == "ok"}
    cut = [call for call in solution["calls"] if call.status == "cancelled" and not call.usage.output]
    heard = [call.usage for call in solution["calls"] if call not in cut and call.usage.total]
    lost = [answered[call.thread_id, call.round].input for call in cut]
    assert len(lost) <= report.hedges
    told = Counter((usage.input, usage.output, usage.reasoning, usage.cached) for usage in heard)
    sent = Counter(reply.counts for reply in server.replies)
    # A reply to such a request may have been on its way just then.
    assert told <= sent and (sent - told).total() <= len(lost)
    counted = sum(heard, Usage(input=sum(lost), total=sum(lost)))
    # One whose time was up, or that lost, may have been broken off before it was sent.
    unsent = sum(call.status in ("timed_out", "cancelled") for call in solution["calls"])
    assert report.tokens == counted and 0 <= report.calls - len(server.asked) <= unsent
    of_stages = {stage.stage: stage.tokens for stage in report.stages}
    assert sum(of_stages.values(), Usage()) == sum(report.tokens_by_model.values(), Usage()) == counted
    of_threads = of_stages.get("solve", Usage()) + of_stages.get("refine", Usage())
    assert sum(report.tokens_by_thread.values(), Usage()) == of_threads
    for thread in solution["threads"]:
        own = [call.usage for call in solution["calls"] if (call.stage, call.thread_id) == ("solve", thread.id)]
        assert thread.usage == sum(own, Usage())
    assert 0 < report.critical_path_s <= report.wall_s <= report.running_s + report.idle_s + 0.01
    assert report.critical_path_tokens <= report.tokens.output
    assert report.threads_suggested == len(parts)


async def test_threads_side_by_side_shorten_the_critical_path(server: ModelServer, context: dict[str, Any]) -> None:
    parts = PARTS[:3]
    server.on("assess", outline(*parts))
    for part, output in zip(parts, (10, 40, 30), strict=True):
        server.on(part, Reply("Result: found", delay=0.4, completion_tokens=output))
    report = (await graph.ainvoke({"question": "Tell me all."}, context=context))["report"]
    # Assess and review generate 5 tokens each.
    assert (report.tokens.output, report.critical_path_tokens) == (90, 50)
    assert report.parallel_share == pytest.approx(80 / 90, abs=0.001)
    assert report.estimate.output == 80
    assert report.estimate.token_latency == pytest.approx(80 / 50, abs=0.001)
    assert report.estimate.token_multiplier == pytest.approx(90 / 80, abs=0.001)
    assert [stage.stage for stage in report.stages] == ["assess", "solve", "review"]
    solve = report.stages[1]
    assert solve.calls == 3 and solve.running_s >= 1.2 and solve.wall_s < solve.running_s
    assert report.efficiency <= 1 and report.peak_parallel == 3


async def test_a_thread_that_waits_for_its_siblings_is_told_as_queued(
    server: ModelServer, context: dict[str, Any]
) -> None:
    parts = PARTS[:3]
    server.on("assess", outline(*parts))
    for part in parts:
        server.on(part, Reply("Result: found", delay=0.3))
    report = (await graph.ainvoke({"question": "Tell me all."}, context={**context, "max_parallel": 1}))["report"]
    assert report.stages[1].queued_s >= 0.9  # one waits for the first, one for two
    assert report.wall_s - report.critical_path_s >= 0.59  # the two other threads, one after another


async def test_the_baseline_has_a_report_of_one_stage(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", "Paris.")
    report = (await sequential.ainvoke({"question": "What is the capital of France?"}, context=context))["report"]
    assert [stage.stage for stage in report.stages] == ["direct"]
    assert report.estimate is None and report.parallel_share == 0
    assert report.critical_path_tokens == report.tokens.output == 5
    assert report.cost_usd is None and "unknown" in report.costs[0].source


async def test_the_baseline_is_measured_beside_the_run(server: ModelServer, context: dict[str, Any]) -> None:
    parts = PARTS[:3]
    server.on("assess", outline(*parts))
    for part in parts:
        server.on(part, Reply("Result: found", delay=0.3, completion_tokens=30))
    server.on("direct", Reply("In one go.", delay=1.2, completion_tokens=90))
    question = {"question": "Tell me all.", "instructions": "Be brief."}
    solution = await graph.ainvoke(question, context={**context, "baseline": True})
    report, baseline = solution["report"], solution["report"].baseline
    assert (solution["answer"], solution["route"]) == ("All of it.", "parallel")
    assert (baseline.answer, baseline.error, baseline.calls, baseline.tokens.output) == ("In one go.", "", 1, 90)
    # The run's own figures hold nothing of it.
    assert report.calls == 5 and report.tokens.output == 100
    assert baseline.wall_s >= 1.2 and baseline.wall_ratio == pytest.approx(baseline.wall_s / report.wall_s, abs=0.01)
    assert baseline.token_latency == pytest.approx(90 / 40, abs=0.001)
    assert baseline.token_multiplier == pytest.approx(report.tokens.total / 100, abs=0.001)
    asked = await sequential.ainvoke(question, context=context)
    first, second = server.calls("direct")
    assert first.body == second.body and asked["answer"] == baseline.answer


async def test_a_baseline_that_fails_harms_no_answer(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", "Paris.", Fault(status=400))
    solution = await graph.ainvoke({"question": "Which city?"}, context={**context, "baseline": True})
    baseline = solution["report"].baseline
    assert (solution["answer"], solution["outcome"], solution["route"]) == ("Paris.", "complete", "direct")
    assert "HTTP 400" in baseline.error and baseline.answer == ""
    assert baseline.wall_ratio is baseline.token_latency is baseline.token_multiplier is None


async def test_without_an_answer_no_baseline_is_paid_for(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", Fault(status=400))
    solution = await graph.ainvoke({"question": "Which city?"}, context={**context, "baseline": True})
    assert solution["outcome"] == "failed" and solution["report"].baseline is None
    assert len(server.asked) == 2


USAGE = Usage(input=1_000_000, cached=400_000, output=100_000, total=1_100_000)


def test_the_price_of_a_known_model_is_the_published_one() -> None:
    cost = cost_of(Settings(), "openai:gpt-5-mini", USAGE)
    # 0.25 $ a million read, 0.025 $ of the cache, 2 $ written.
    assert cost.usd == pytest.approx(0.6 * 0.25 + 0.4 * 0.025 + 0.1 * 2) and cost.source == "genai-prices"


@pytest.mark.parametrize(
    ("model", "base_url"),
    [("local", None), ("openai:gpt-5-mini", "http://127.0.0.1:1/v1"), ("openai:no-such-model", None)],
)
def test_an_unknown_price_is_not_guessed(model: str, base_url: str | None) -> None:
    cost = cost_of(Settings(base_url=base_url), model, USAGE)
    assert cost.usd is None and cost.source
