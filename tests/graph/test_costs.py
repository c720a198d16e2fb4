"""What a run may cost: by whose prices, what is not asked any more, and what is said."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from graphs import graph, sequential
from nodes.llm.endpoints.price import ask_for_prices
from nodes.llm.endpoints.usage import Usage
from nodes.llm.replies.errors import ConfigurationError
from nodes.reporting.prices import cost_of
from nodes.settings import Settings
from tests.support.server import ModelServer, Reply, outline, review

PARTS = [f"What is part {number}?" for number in range(1, 9)]
PRICES = {"openai:scripted": {"input": 1.0, "output": 10.0}}
THREAD_USD = 0.0019
"""Of 900 tokens read and 100 written."""


def split(server: ModelServer, count: int = 8) -> None:
    server.on("assess", Reply(json.dumps(outline(*PARTS[:count])), prompt_tokens=900, completion_tokens=100))
    for part in PARTS[:count]:
        server.on(part, Reply(f"Result: answer to {part}", prompt_tokens=900, completion_tokens=100))


async def ask(context: dict[str, Any], **settings: Any) -> Any:
    return await graph.ainvoke({"question": "Tell me all."}, context={**context, "prices": PRICES, **settings})


async def test_a_run_stops_softly_before_its_dollars_are_passed(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    solution = await ask(context, max_cost=0.0125, max_parallel=1, max_rounds=0)
    answered = [thread for thread in solution["threads"] if thread.status == "answered"]
    # The outline, four threads, and as much as the outline kept for the review.
    assert len(answered) == len(server.calls("solve")) == 4
    assert solution["outcome"] == "partial" and solution["answer"].startswith("All of it.")
    assert 5 * THREAD_USD < solution["report"].cost_usd <= 0.0125
    assert "$0.0019 more would pass the $0.0125 of `max_cost`" in solution["threads"][-1].error
    assert "of $0.0125 (`max_cost`) are spent" in solution["stop_reason"]


async def test_side_by_side_threads_count_each_others_dollars(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    solution = await ask(context, max_cost=0.025, max_rounds=0)
    assert 1 <= len(server.calls("solve")) < 8 and solution["outcome"] == "partial"
    assert solution["report"].cost_usd <= 0.025


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        ({"max_cost": 0.0125, "max_total_tokens": 900_000}, "max_cost"),
        ({"max_total_tokens": 6_500}, "max_total_tokens"),
    ],
)
async def test_both_budgets_may_be_given_and_the_first_one_reached_counts(
    server: ModelServer, context: dict[str, Any], limits: dict[str, Any], reached: str
) -> None:
    split(server)
    solution = await ask(context, **{"max_cost": 100, "max_parallel": 1, "max_rounds": 0, **limits})
    (other,) = {"max_cost", "max_total_tokens"} - {reached}
    assert f"`{reached}`" in solution["stop_reason"] and f"`{other}`" not in solution["stop_reason"]
    assert 3 <= len(server.calls("solve")) < 8


async def test_each_model_counts_by_its_own_price(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    dear = {"openai:judge": {"input": 5.0, "output": 50.0}}
    few = {"max_cost": 0.0201, "max_parallel": 1, "max_rounds": 0}
    solution = await ask(context, review_model="openai:judge", **{**few, "prices": PRICES | dear})
    # Of the same sum, five times as much is kept for the review.
    assert len(server.calls("solve")) == 4 and len(server.calls("review")) == 1
    assert {cost.model for cost in solution["report"].costs} == {"openai:scripted", "openai:judge"}


async def test_no_round_begins_that_the_dollars_do_not_pay(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 2)
    server.on("review", Reply(json.dumps(review("", "T2: wrong")), prompt_tokens=900, completion_tokens=100))
    solution = await ask(context, max_cost=5 * THREAD_USD)
    assert len(server.calls("solve")) == 2 and solution["threads"][1].status == "refuted"
    assert "`max_cost`" in solution["stop_reason"] and f"answer to {PARTS[0]}" in solution["answer"]


async def test_a_question_too_dear_costs_nothing(server: ModelServer, context: dict[str, Any]) -> None:
    long = {"question": "word " * 2_000}
    for asked in (graph, sequential):
        solution = await asked.ainvoke(long, context={**context, "max_cost": 0.002, "prices": PRICES})
        assert solution["outcome"] == "failed" and "`max_cost`" in solution["stop_reason"]
    assert server.asked == []


@pytest.mark.parametrize("asked", [graph, sequential])
async def test_an_unknown_price_is_asked_for_before_any_call(
    server: ModelServer, context: dict[str, Any], asked: Any
) -> None:
    limited = {**context, "max_cost": 1, "prices": PRICES, "fallback_model": "openai:other"}
    with pytest.raises(ConfigurationError) as refused:
        await asked.ainvoke({"question": "Why?"}, context=limited)
    assert "`openai:other`: the price of a server of one's own is unknown" in str(refused.value)
    assert 'prices`, in US dollars a million tokens, such as {"openai:other": {"input": 0.5' in str(refused.value)
    assert server.asked == [] and "openai:scripted" not in str(refused.value)


def test_listed_models_and_the_embedded_one_need_no_price_of_ones_own() -> None:
    assert ask_for_prices(Settings(model="openai:gpt-5-mini", max_cost=1)) == ""
    assert ask_for_prices(Settings(model="local", max_cost=1)) == ""
    assert "`openai:no-such-model`: genai-prices" in ask_for_prices(Settings(model="openai:no-such-model", max_cost=1))


def test_ones_own_price_goes_before_the_published_one() -> None:
    used = Usage(input=1_000_000, cached=400_000, output=100_000, total=1_100_000)
    settings = Settings(
        prices={"openai:gpt-5-mini": {"input": 2, "output": 4, "cached": 0.5}, "local": PRICES["openai:scripted"]}
    )
    cost = cost_of(settings, "openai:gpt-5-mini", used)
    assert cost.usd == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.1 * 4) and cost.source == "the setting `prices`"
    assert cost_of(settings, "local", used).usd == pytest.approx(1 + 1)


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ("nonsense", 'must be JSON such as {"openai:qwen3"'),
        ({"qwen3": {"input": 1, "output": 1}}, "`qwen3` names no provider"),
        ({"openai:x": {"input": 1}}, "`openai:x`: `output` is missing"),
        ({"openai:x": {"input": 1, "output": 1, "cache": 1}}, "`cache` is no price; there are input, output, cached"),
        ({"openai:x": {"input": -1, "output": 1}}, "must be from 0 to 1,000,000 US dollars a million tokens"),
        ({"openai:x": {"input": 1, "output": float("nan")}}, "must be from 0 to"),
        ({f"openai:{number}": {"input": 1, "output": 1} for number in range(1_001)}, "the limit is 1,000"),
    ],
)
def test_what_is_no_price_is_refused_with_what_is(monkeypatch: pytest.MonkeyPatch, prices: Any, said: str) -> None:
    with pytest.raises(ValidationError, match="prices") as refused:
        Settings(prices=prices)
    assert said in str(refused.value)
    monkeypatch.setenv("APR_PRICES", prices if isinstance(prices, str) else json.dumps(prices))
    with pytest.raises(ValidationError, match="prices") as refused:
        Settings()
    assert said in str(refused.value)
