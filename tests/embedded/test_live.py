"""The whole graph on the embedded model: real, and slow."""

import pytest

from graphs import graph

pytestmark = pytest.mark.live
pytest.importorskip("xllamacpp", reason="needs the `local` extra")
pytest.importorskip("psutil", reason="needs the `local` extra")


async def test_a_compound_question_is_answered_by_threads_on_the_embedded_model() -> None:
    question = "What is the capital of France, what is 12*7, and who wrote Hamlet?"
    solution = await graph.ainvoke({"question": question}, context={"model": "local"})
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
