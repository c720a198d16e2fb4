"""The whole graph on the embedded model: real, and slow."""

from typing import Any

import pytest

from graphs import graph
from tests.graph.test_list_answers import LISTED, of_a_list
from tests.support.server import Fault, ModelServer, outline

pytestmark = pytest.mark.live
pytest.importorskip("xllamacpp", reason="needs the `local` extra")
pytest.importorskip("psutil", reason="needs the `local` extra")


async def test_a_compound_question_is_answered_by_threads_on_the_embedded_model() -> None:
    question = "What is the capital of France, what is 12*7, and who wrote Hamlet?"
    # How fast the machine is decides nothing: a short question may be answered in one call first.
    steady = {"split": "if_independent", "head_start": "off"}
    solution = await graph.ainvoke({"question": question}, context={"model": "local", **steady})
    threads, report = solution["threads"], solution["report"]
    assert solution["route"] == "parallel" and len(threads) >= 3
    assert solution["outcome"] in ("complete", "partial")
    assert report.threads_planned == len(threads) == len({thread.id for thread in threads})
    assert all(thread.answer if thread.status == "answered" else thread.error for thread in threads)
    assert report.threads_used == sum(thread.status == "answered" for thread in threads)
    assert report.tokens.input > report.tokens.output > 0
    assert "Paris" in solution["answer"] and "84" in solution["answer"]
    # It finds nothing in one call, so it is asked only where something must be written or seems wrong.
    listed = solution["plan"].answer == "list" and all(thread.status == "answered" for thread in threads)
    assert listed is not any(call.role == "review" for call in solution["calls"])


async def test_the_embedded_model_is_not_asked_about_a_list_in_which_nothing_is_amiss(
    server: ModelServer, context: dict[str, Any]
) -> None:
    embedded = {**context, "review_model": "local", "split": "if_independent"}
    solution = await of_a_list(server, embedded, LISTED, "1", "2")
    assert (solution["answer"], solution["outcome"]) == ("1. 4\n2. 7", "complete")
    assert [call.role for call in solution["calls"]] == ["assess", "solve", "solve"]
    server.on("assess", outline("1", "2", answer="list")).on("Two and two?", Fault(status=400), "Result: 4")
    again = await graph.ainvoke({"question": LISTED}, context={**embedded, "max_rounds": 1})
    assert (again["answer"], again["outcome"]) == ("1. 4\n2. 7", "complete") and again["report"].rounds == 1
    assert {call.role for call in again["calls"]} == {"assess", "solve"}
