"""A careful review: each subquestion is asked anew, and of the other results."""

from typing import Any

import pytest

from tests.support.server import Fault, ModelServer, Reply
from tests.support.server import review as written
from tests.support.subjects.runs import RESULTS
from tests.support.subjects.runs import RIVERS as PARTS
from tests.support.subjects.runs import ask_of_rivers as ask


async def test_a_careful_review_sends_back_what_two_other_answers_agree_against(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(PARTS[0], RESULTS[0], "690 it is.\nResult: 690 km", "Result: 690 km")
    server.on(f"check: {PARTS[0]}", "690").on(f"check: {PARTS[2]}", "William Shakespeare")
    solution = await ask(server, {**context, "review": "careful"}, written("All."), written("All of it."))
    # T2 cannot be answered in a word, T3 is confirmed; T1 is worked out once more, sent back and confirmed then.
    assert sorted(asked.key for asked in server.calls("check")) == sorted(
        f"check: {part}" for part in [*PARTS, PARTS[0]]
    )
    assert not any("652" in asked.prompt for asked in server.calls("check"))
    _, worked, again = server.about(PARTS[0])
    assert (
        "652" not in worked.prompt and "Asked twice more, it came to: 690 km" in again.last and "652 km" in again.last
    )
    assert [(thread.answer, thread.checked, thread.rounds) for thread in solution.threads] == [
        ("690 km", True, 2),
        ("The Po, 690 km", False, 1),
        ("Shakespeare", True, 1),
    ]
    assert (solution.answer, solution.outcome) == ("All of it.", "complete")


async def test_a_thread_that_stays_with_its_result_is_not_doubted_again(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(PARTS[0], RESULTS[0], "Result: 690 km", RESULTS[0]).on(f"check: {PARTS[0]}", "690")
    solution = await ask(server, {**context, "review": "careful"}, written("All."), written("All of it."))
    assert len(server.calls("check")) == len(PARTS) and len(server.about(PARTS[0])) == 3
    assert (solution.outcome, solution.threads[0].rounds, solution.threads[0].fault) == ("complete", 2, "")


async def test_two_other_answers_that_differ_are_nothing_against_a_result(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(PARTS[0], RESULTS[0], "Result: 690 km").on(f"check: {PARTS[0]}", "700")
    solution = await ask(server, {**context, "review": "careful"}, written("All."))
    assert solution.outcome == "complete" and len(server.about(PARTS[0])) == 2 and not solution.threads[0].fault
    # One after the other on the critical path: both other answers, then what the other results say.
    assert [call.step for call in solution.calls if call.thread_id == "T1"] == [0, 0, 1, 2]


async def test_parts_that_share_a_thread_are_checked_each_by_itself(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(PARTS[0], RESULTS[0], "Result: 690 km", "Result: 690 km").on(f"check: {PARTS[0]}", "690")
    shared = {**context, "review": "careful", "max_threads": 2}
    solution = await ask(server, shared, written("All."), written("All of it."))
    assert len(solution.threads) == 2 and solution.outcome == "complete"
    assert {asked.key for asked in server.calls("check")} == {f"check: {part}" for part in PARTS}
    assert f"Asked twice more, “{PARTS[0]}” came to: 690 km" in server.about(PARTS[0])[2].last
    assert "690 km" in solution.threads[0].answer and "652" not in solution.threads[0].answer


@pytest.mark.parametrize(
    "step", [Reply("No.", refusal="no"), Reply("690", finish_reason="length"), Fault(400), "?", "？", " "]
)
async def test_a_check_that_fails_costs_its_thread_nothing(
    server: ModelServer, context: dict[str, Any], step: Any
) -> None:
    server.on(f"check: {PARTS[0]}", step)
    solution = await ask(server, {**context, "review": "careful"}, written("All."))
    assert (solution.answer, solution.outcome) == ("All.", "complete")
    assert not any(thread.checked or thread.fault for thread in solution.threads)
    assert len(server.about(PARTS[0])) == 1


async def test_a_careful_review_asks_the_other_results_what_they_say_of_a_subquestion(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on(PARTS[0], RESULTS[0], "Result: 690 km").on(f"crosscheck: {PARTS[0]}", "690", "690")
    server.on(PARTS[1], RESULTS[1], RESULTS[1]).on(f"crosscheck: {PARTS[1]}", "?", "the Po")
    solution = await ask(server, {**context, "review": "careful"}, written(), written("All of it."))
    asked = server.calls("crosscheck")
    assert len(asked) == 2 * len(PARTS)
    about = next(request.last for request in asked if request.key == f"crosscheck: {PARTS[0]}")
    assert "652" not in about and "The Po, 690 km" in about and "Shakespeare" in about
    reviewed, again = (request.last for request in server.calls("review"))
    assert "T1: 652 km; but by T2: 690" in reviewed and "but by" not in again
    # The reviewer named neither, so both run again, and agree then.
    retried = [server.about(part)[1].last for part in PARTS[:2]]
    assert all("T1: “652 km”; T2: “The Po, 690 km”" in text for text in retried)
    assert (solution.outcome, solution.answer, solution.contradictions) == ("complete", "All of it.", [])
    assert [thread.rounds for thread in solution.threads] == [2, 2, 1]
    assert sum(call.role == "review" for call in solution.calls) == len(asked) + len(server.calls("check")) + 2


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("652.0", "it is the result"),
        ("700", "it stands in no result"),
        ("52", "it is part of a figure"),
        (Reply("690", finish_reason="length"), "it was cut"),
        (Fault(400), "it failed"),
    ],
)
async def test_what_other_results_do_not_say_is_no_contradiction(
    server: ModelServer, context: dict[str, Any], word: Any, why: str
) -> None:
    server.on(f"crosscheck: {PARTS[0]}", word)
    solution = await ask(server, {**context, "review": "careful"}, written("All."))
    assert (solution.outcome, solution.contradictions, solution.threads[0].rounds) == ("complete", [], 1), why
    assert len(server.calls("crosscheck")) == len(PARTS)


async def test_a_contradiction_that_stays_is_told(server: ModelServer, context: dict[str, Any]) -> None:
    server.on(f"crosscheck: {PARTS[0]}", "690").on(f"crosscheck: {PARTS[1]}", "652 km")
    careful = {**context, "review": "careful", "max_rounds": 0}
    solution = await ask(server, careful, written("All."))
    (told,) = solution.contradictions
    assert (told.thread_ids, told.quotes) == (["T2", "T1"], ["The Po, 690 km", "652 km"])
    assert solution.outcome == "partial" and "contradict" in solution.stop_reason
