"""What bounds a trajectory, and what answers where it leads nowhere."""

from typing import Any

import pytest

from graphs import native
from tests.support.server import DROP, HANG, STALL, WORDS, Fault, ModelServer, Reply
from tests.support.server.texts import Dialect, tokens_of
from tests.support.subjects.native import BEGINNING, ENDING, ONE, QUESTION, TWO, WHOLE, run, script

ONE_PASS = "It is 4776, in one pass."


def keys(server: ModelServer) -> list[str]:
    return sorted(request.key for request in server.texts.asked)


@pytest.mark.parametrize(
    ("ending", "written"),
    [
        ("</Parallel>\nThe sum is" + " long" * 200, "cut"),
        ("</Parallel>\nThe sum is 4776.", "</Parallel>\nThe sum is 4776."),
        ("</Parallel>\nThe sum.\n</think>\n", "</Parallel>\nThe sum.\n</think>\n"),
        (STALL, WORDS),
        (Fault(400), ""),
    ],
    ids=["cut", "never closed", "no answer", "late", "refused"],
)
async def test_a_trajectory_that_leads_nowhere_is_answered_in_one_pass(
    server: ModelServer, context: dict[str, Any], ending: str | Fault, written: str
) -> None:
    script(server)
    server.texts.on("1", ending)
    solution = await run(context, max_tokens=100, request_timeout=3 if ending == STALL else 60)
    assert (solution.answer, solution.outcome) == (ONE_PASS, "complete")
    assert keys(server) == ["0", "1", "1:1", "1:2", "pass"]
    (request,) = server.texts.about("pass")
    assert "stop" not in request.body and request.prompt == server.texts.asked[0].prompt
    before = WHOLE.removesuffix(ENDING)
    if written == "cut":
        written = "".join(tokens_of(str(ending))[:100])
    assert solution.trajectory == before + written
    (repair,) = solution.report.repairs
    assert "one sequential pass answers" in repair.text


@pytest.mark.parametrize("dialect", ["sglang", "silent"])
async def test_a_list_that_is_cut_opens_nothing(server: ModelServer, context: dict[str, Any], dialect: Dialect) -> None:
    script(server)
    server.texts.dialect = dialect
    server.texts.on("0", BEGINNING.replace("Work out 12", "Work" + " out" * 200))
    solution = await run(context, max_tokens=100)
    assert (solution.answer, solution.threads, keys(server)) == (ONE_PASS, [], ["0", "pass"])


async def test_where_the_pass_fails_too_the_run_says_why(server: ModelServer, context: dict[str, Any]) -> None:
    server.texts.on("0", "<think>\nNever done.").on("pass", "<think>\nNever done.")
    solution = await run(context, baseline=True)
    assert (solution.answer, solution.outcome, solution.trajectory) == ("", "failed", "<think>\nNever done.")
    assert solution.stop_reason.count("it ended without an answer") == 2 and keys(server) == ["0", "pass"]


@pytest.mark.parametrize("status", [401, 404])
async def test_what_is_hopeless_is_not_tried_again(server: ModelServer, context: dict[str, Any], status: int) -> None:
    server.texts.on("0", Fault(status))
    solution = await run(context)
    assert solution.outcome == "failed" and f"HTTP {status}" in solution.stop_reason and keys(server) == ["0"]


async def test_an_answer_that_is_cut_is_no_whole_one(server: ModelServer, context: dict[str, Any]) -> None:
    server.texts.on("0", "<think>\nShort.\n</think>\n\nIt" + " goes on" * 200)
    solution = await run(context, max_tokens=100)
    assert solution.outcome == "partial" and solution.answer.startswith("It goes on") and keys(server) == ["0"]
    assert "cut at the token limit" in solution.stop_reason


@pytest.mark.parametrize(("most", "asked"), [(0, ["pass"]), (1, ["0", "1", "1:1", "1:2"])])
async def test_after_so_many_blocks_the_model_writes_on_alone(
    server: ModelServer, context: dict[str, Any], most: int, asked: list[str]
) -> None:
    script(server)
    alone = "\n<Thread>\n1: By itself.</Thread>\n"
    server.texts.on("pass", WHOLE).on("1", f"</Parallel>\nAgain.\n{BEGINNING}{alone}{ENDING}")
    solution = await run(context, max_blocks=most)
    assert (solution.answer, solution.outcome, keys(server)) == ("It is 4776.", "complete", asked)
    assert solution.trajectory == WHOLE if most == 0 else alone in solution.trajectory


async def test_of_too_many_outlines_the_rest_is_not_run(server: ModelServer, context: dict[str, Any]) -> None:
    third = "<Outline>3: Add them.</Outline>\n</Outlines>"
    script(server)
    server.texts.on("0", BEGINNING.replace("</Outlines>", third))
    solution = await run(context, max_threads=2)
    assert keys(server) == ["0", "1", "1:1", "1:2"]
    assert f"{TWO}</Thread><Thread>\n3: [unfinished]</Thread>\n</Parallel>" in solution.trajectory
    assert [thread.status for thread in solution.threads] == ["answered", "answered", "failed"]
    assert "`max_threads`" in solution.threads[2].error and solution.outcome == "partial"


@pytest.mark.parametrize("limits", [{"max_parallel": 2}, {"slots": 2}], ids=["setting", "slots"])
async def test_threads_wait_for_their_turn(
    server: ModelServer, context: dict[str, Any], limits: dict[str, int]
) -> None:
    outlines = "".join(f"<Outline>{number}: Part.</Outline>\n" for number in range(1, 7))
    server.slots = limits.pop("slots", None)
    server.texts.on("0", f"<think>\n<Parallel>\n<Outlines>\n{outlines}</Outlines>").on("1", ENDING)
    for number in range(1, 7):
        server.texts.on(f"1:{number}", Reply(" Done.</Thread>", delay=0.2))
    solution = await run(context, **limits)
    assert solution.outcome == "complete" and server.texts.peak == 2 == solution.report.peak_parallel


async def test_tokens_bound_the_run(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.texts.on("1:1", " word" * 2000 + "</Thread>")
    solution = await run(context, max_total_tokens=2_000)
    assert solution.outcome == "failed" and "`max_total_tokens`" in solution.stop_reason
    assert keys(server) == ["0", "1:1", "1:2"]


async def test_the_window_bounds_a_reply(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.texts.on("0", BEGINNING.replace("Two products.", "Two products." * 300))
    await run(context)
    assert server.texts.asked[0].body["max_tokens"] == 16_384
    server.window = 2_000
    server.texts.asked.clear()
    await run({**context, "model": "openai:another"})  # the process asks a server once for each model
    (sequel,) = server.texts.about("1")
    read = len(tokens_of(sequel.prompt))
    assert read > 1_000 and 2_000 - read - 100 < sequel.body["max_tokens"] <= 2_000 - read


async def test_a_deadline_leaves_time_for_one_pass(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.texts.on("1:1", HANG).on("1", HANG)
    solution = await run(context, deadline=10.0)
    assert (solution.answer, solution.outcome) == (ONE_PASS, "partial")
    assert [thread.status for thread in solution.threads] == ["timed_out", "answered"]
    assert solution.report.wall_s < 10 and "deadline" in solution.threads[0].error


async def test_a_server_that_hangs_on_its_template_takes_a_part_of_the_time(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server)
    server.texts.template = "hangs"
    solution = await run(context, deadline=12.0)
    assert (solution.trajectory, solution.outcome) == (WHOLE, "complete")
    assert 2 < solution.report.wall_s < 9 and solution.report.idle_s > 2


async def test_the_fallback_model_is_not_asked(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.texts.on("1:1", DROP, DROP, DROP, DROP, f"{ONE}</Thread>")
    asked = {**context, "fallback_model": "openai:other", "thread_timeout": 2.0}
    solution = await native.ainvoke(QUESTION, context=asked)
    assert {call.model for call in solution["calls"]} == {"openai:scripted"} and not server.asked


async def test_a_template_without_the_question_is_refused(server: ModelServer, context: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="prompt_template.*must hold {question} once"):
        await run(context, prompt_template="no question")
    assert not server.texts.asked
