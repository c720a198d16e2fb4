"""Threads that begin alike: the first has the server read what they share, and the others find it in its cache."""

import asyncio
from typing import Any

import pytest

from graphs import graph
from nodes.llm import siblings
from nodes.state import Solution
from nodes.threads.stopping import stop_thread
from tests.support.command import apr
from tests.support.server import DROP, HANG, Fault, ModelServer, Reply, Step, outline, review
from tests.support.subjects.stopping import Running

PARTS = ["What is part one?", "What is part two?", "What is part three?"]
RULES = "Be exact, and name the unit. " * 200
"""Some 1,450 tokens that every thread reads first."""
SHARED = 1_024
READING = Reply("Result: it", delay=0.3)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No busy machine ends the wait."""
    monkeypatch.setattr(siblings, "MAX_WAIT_S", 60.0)


@pytest.fixture
def sharing(server: ModelServer, context: dict[str, Any]) -> dict[str, Any]:
    server.caches = True
    script(server, READING)
    return {**context, "split": "if_independent", "share_prefix": "on"}


def script(server: ModelServer, first: Step, others: Step = READING) -> None:
    server.on("assess", outline(*PARTS)).on("review", review("All of it."))
    for part, step in zip(PARTS, (first, others, others), strict=True):
        server.on(part, step)


def begin(context: dict[str, Any], rules: str = RULES) -> "asyncio.Task[Any]":
    asked = {"question": "Tell me all.", "instructions": rules}
    return asyncio.create_task(graph.ainvoke(asked, context=context))


async def ask(context: dict[str, Any], rules: str = RULES) -> Solution:
    return Solution.model_validate(await begin(context, rules))


async def ask_at_once(server: ModelServer, context: dict[str, Any], rules: str = RULES) -> Solution:
    """Ask, and find that all threads are sent before the first of them is answered."""
    held, before = asyncio.Event(), len(server.calls("solve"))
    script(server, Reply("Result: it", held=held), Reply("Result: it", held=held))
    run = begin(context, rules)
    await server.wait_for(before + 3, "solve")
    held.set()
    return Solution.model_validate(await run)


def tokens_known(solution: Solution) -> list[int]:
    return [call.usage.cached for call in solution.calls if call.thread_id]


async def test_siblings_wait_until_the_first_begins_and_find_what_it_had_read(
    server: ModelServer, sharing: dict[str, Any]
) -> None:
    server.on(PARTS[0], Reply("Result: it takes a while", delay=0.3, pace=0.3))
    solution = await ask(sharing)
    first, *others = (server.about(part)[0] for part in PARTS)
    assert first.begun and first.ended and all(first.begun <= asked.at < first.ended for asked in others)
    none, *known = tokens_known(solution)
    assert none == 0 and min(known) >= SHARED
    assert solution.report.tokens.cached >= 2 * SHARED and solution.outcome == "complete"
    calls = [call for call in solution.calls if call.thread_id]
    assert calls[0].queued_s < 0.3 <= min(call.queued_s for call in calls[1:])
    assert [call.queued_s >= 0.3 for call in calls] == [thread.queued_s >= 0.3 for thread in solution.threads]
    assert first.body["stream"] and not any(asked.body.get("stream") for asked in others)


@pytest.mark.parametrize("why", ["off", "unknown", "short", "slots", "window"])
async def test_they_go_at_once_where_nothing_would_be_saved(
    server: ModelServer, sharing: dict[str, Any], why: str
) -> None:
    if why == "slots":
        server.slots = 8
    if why == "window":
        server.model_window = 100_000
    settings = {"off": {"share_prefix": "off"}, "short": {}}.get(why, {"share_prefix": "auto"})
    solution = await ask_at_once(server, {**sharing, **settings}, rules="" if why == "short" else RULES)
    if why in ("slots", "window"):  # and not where the server batches, although it caches
        await ask({**sharing, "share_prefix": "off"})
        solution = await ask_at_once(server, {**sharing, **settings}, rules=f"Once more. {RULES}")
    assert tokens_known(solution) == [0, 0, 0] and solution.outcome == "complete"


async def test_where_a_server_has_told_of_its_cache_they_wait_by_themselves(
    server: ModelServer, sharing: dict[str, Any]
) -> None:
    auto = {**sharing, "share_prefix": "auto"}
    await ask_at_once(server, auto)
    await ask_at_once(server, auto)  # what the first run read is known now
    script(server, READING)
    none, *known = tokens_known(await ask(auto, rules=f"Once more. {RULES}"))
    assert none == 0 and min(known) >= SHARED


@pytest.mark.parametrize("fault", [Fault(status=400), DROP], ids=["refused", "dropped"])
async def test_nobody_waits_for_one_that_failed(server: ModelServer, sharing: dict[str, Any], fault: Fault) -> None:
    script(server, fault)
    solution = await ask({**sharing, "max_rounds": 0})
    assert [thread.status for thread in solution.threads] == ["failed", "answered", "answered"]
    assert solution.report.wall_s < 50


async def test_nobody_waits_for_one_that_was_stopped(server: ModelServer, sharing: dict[str, Any]) -> None:
    script(server, HANG)
    run = Running(sharing, question=f"{RULES} Tell me all.")
    server.on("assess", outline(*(f"1: {part}" for part in PARTS)))
    await run.until(("T1", "running"))
    assert stop_thread(run.run_id, "T1")
    solution = await run.task
    assert [thread.status for thread in solution.threads] == ["failed", "answered", "answered"]


async def test_nobody_waits_longer_than_two_seconds(
    server: ModelServer, sharing: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert siblings.MAX_WAIT_S == 60
    monkeypatch.setattr(siblings, "MAX_WAIT_S", 0.2)
    held = asyncio.Event()
    script(server, Reply("Result: it", held=held))
    run = begin(sharing)
    await server.wait_for(3, "solve")
    held.set()
    solution = Solution.model_validate(await run)
    first, *others = solution.threads
    # The time counts from when the first went, so who comes later waits less; all is rounded to milliseconds.
    went = first.started_s - first.queued_s
    assert solution.outcome == "complete" and min(thread.started_s for thread in others) >= went + 0.19


async def test_those_that_begin_early_wait_too_and_one_of_them_may_have_a_second_copy(
    server: ModelServer, sharing: dict[str, Any]
) -> None:
    script(server, Reply("Result: it", delay=0.3, pace=1.5))
    server.on("direct", HANG)
    solution = await ask({**sharing, "head_start": "on", "hedge": 1})
    first, *others = (server.about(part)[0] for part in PARTS)
    threads = [call for call in solution.calls if call.thread_id and not call.hedge]
    assert solution.outcome == "complete" and [call.ahead for call in threads] == [True] * 3
    assert first.begun and min(asked.at for asked in others) >= first.begun
    assert solution.report.hedges == 1 and len(server.about(PARTS[0])) == 2


async def test_the_summary_tells_what_the_cache_held(server: ModelServer, sharing: dict[str, Any]) -> None:
    await ask(sharing)
    status, _, err = await apr(server, "Tell me all.", "--instructions", RULES)
    assert status == 0 and "from the server's prompt cache)" in err, err
