"""Mistakes with several machines are told in words, and cost no call of a model."""

from pathlib import Path
from typing import Any

import pytest

from graphs.build import build_graph
from graphs.history.runs import RunError
from graphs.temporal.address import EngineError
from tests.support.server import model_server
from tests.support.services.temporal import workers

pytestmark = pytest.mark.asyncio(loop_scope="module")

MORE = {"split": "if_independent", "head_start": "off"}


@pytest.fixture(autouse=True)
def at_store(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks uses the workers' store."""
    monkeypatch.setenv("APR_STORE", store)


async def test_a_second_question_under_one_id_gets_no_old_answer(engine: str, store: str) -> None:
    config = {"configurable": {"thread_id": "00000000000000cc"}}
    async with model_server() as server, workers(server, engine, store):
        context: dict[str, Any] = {"model": "openai:scripted", "base_url": server.url, **MORE}
        server.on("direct", "Because.")
        elsewhere = build_graph(engine=engine)
        assert (await elsewhere.ainvoke({"question": "Why?"}, config, context=context))["answer"] == "Because."
        asked = len(server.asked)
        with pytest.raises(RunError, match="there is a run 00000000000000cc already"):
            await elsewhere.ainvoke({"question": "How?"}, config, context=context)
        # Who comes back to the run gets its answer.
        assert (await elsewhere.ainvoke(None, config, context=context))["answer"] == "Because."
        assert len(server.asked) == asked


async def test_a_worker_with_another_store_does_nothing_and_says_why(engine: str, store: str, tmp_path: Path) -> None:
    other = str(tmp_path / "other" / "runs.sqlite")
    async with model_server() as server, workers(server, engine, other):
        context: dict[str, Any] = {"model": "openai:scripted", "base_url": server.url, **MORE}
        with pytest.raises(EngineError, match="the store of this worker does not have run .* APR_STORE"):
            await build_graph(engine=engine).ainvoke({"question": "Why?"}, context=context)
        assert not server.asked
