"""For a question asked several ways: the first answer suffices, or that most agree; the other threads are stopped."""

from typing import Any

import pytest

from graphs import stop_thread
from graphs.page.page import page
from tests.support.server import HANG, Fault, ModelServer, review
from tests.support.subjects.stopping import PARTS, Running, begin_early, split

WAYS = ["Add them up.", "Count them.", "Look it up.", "Guess."]
ANSWERED, AGREED = "not needed: another thread had answered", "not needed: the others agree"


async def test_by_default_every_thread_is_waited_for(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, *WAYS)
    server.on(WAYS[3], HANG)
    for way in WAYS[:3]:
        server.on(way, "Result: 12")
    run = Running(context)
    await run.until(*((f"T{number}", "answered") for number in (1, 2, 3)), ("T4", "running"))
    assert stop_thread(run.run_id, "T4") and (await run.task).outcome == "partial"


async def test_the_first_answer_stops_the_others(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, *WAYS)
    server.on(WAYS[1], "Result: 12")
    for way in (WAYS[0], WAYS[2], WAYS[3]):
        server.on(way, HANG)
    solution = await Running({**context, "stop_when": "first_answer", "max_parallel": 3}).task
    await server.wait_until_idle()
    assert [thread.stopped for thread in solution.threads] == ["not_needed", "", "not_needed", "not_needed"]
    assert {thread.error for thread in solution.threads} == {"", ANSWERED}
    assert (solution.outcome, solution.stop_reason, solution.report.rounds) == ("complete", "", 0)
    assert [asked.dropped for asked in server.calls("solve")] == [
        asked.key != WAYS[1] for asked in server.calls("solve")
    ]
    assert not server.about(WAYS[3]) and "Missing" not in server.calls("review")[0].last
    assert ">not needed<" in page(solution)


@pytest.mark.parametrize("said", [["12", " 12. ", "13", "Twelve"], ["Zwölf!", "ZWÖLF!", "zwölf！", "13"]])
async def test_two_of_four_are_no_majority(server: ModelServer, context: dict[str, Any], said: list[str]) -> None:
    split(server, *WAYS)
    for way, answer in zip(WAYS, said, strict=True):
        server.on(way, f"Result: {answer}")
    solution = await Running({**context, "stop_when": "agreement"}).task
    assert [thread.status for thread in solution.threads] == ["answered"] * 4 and solution.outcome == "complete"


@pytest.mark.parametrize("said", [["12", " 12. ", "12"], ["Zwölf", "ZWÖLF。", "zwölf,"]])
async def test_a_majority_that_agrees_stops_the_others(
    server: ModelServer, context: dict[str, Any], said: list[str]
) -> None:
    split(server, *WAYS)
    for way, answer in zip(WAYS, said, strict=False):
        server.on(way, f"Result: {answer}")
    server.on(WAYS[3], HANG)
    solution = await Running({**context, "stop_when": "agreement"}).task
    last = solution.threads[3]
    assert (last.status, last.stopped, last.error) == ("failed", "not_needed", AGREED)
    assert (solution.outcome, solution.stop_reason) == ("complete", "") and server.about(WAYS[3])[0].dropped


async def test_what_fails_or_only_leads_on_is_no_answer(server: ModelServer, context: dict[str, Any]) -> None:
    ways = ["Which town?", "How large is #1?", "Guess the size."]
    split(server, *ways)
    server.on(ways[2], Fault(status=400))
    solution = await Running({**context, "stop_when": "first_answer", "max_rounds": 0}).task
    assert [thread.status for thread in solution.threads] == ["answered", "answered", "failed"]
    assert not any(thread.stopped for thread in solution.threads) and solution.outcome == "partial"


async def test_the_others_run_after_all_where_the_one_answer_does_not_stand(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, *PARTS)
    server.on("review", review("", "T2: it is wrong"), review("All of it."))
    server.on(PARTS[0], HANG, "Result: 1").on(PARTS[1], "Result: 2", HANG).on(PARTS[2], HANG)
    solution = await Running({**context, "stop_when": "first_answer"}).task
    assert [thread.status for thread in solution.threads] == ["answered", "refuted", "failed"]
    assert [thread.stopped for thread in solution.threads] == ["", "not_needed", "not_needed"]
    assert (solution.report.rounds, len(server.about(PARTS[0]))) == (1, 2)


async def test_a_thread_that_has_not_started_is_not_asked_even_if_its_call_had_begun_early(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, *PARTS)
    server.on(PARTS[1], HANG)
    early = {**context, "head_start": "on", "stop_when": "first_answer", "max_parallel": 3}
    solution = await Running(early, config={"max_concurrency": 1}, question=begin_early(server)).task
    await server.wait_until_idle()
    assert [len(server.about(part)) for part in PARTS] == [1, 1, 0] and server.about(PARTS[1])[0].dropped
    assert [thread.stopped for thread in solution.threads] == ["", "not_needed", "not_needed"]
    (wasted,) = [call for call in solution.calls if call.thread_id == "T2"]
    assert wasted.wasted and solution.outcome == "complete"
