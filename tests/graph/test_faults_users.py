"""What users see beside their own: no warnings of a checkpointer of theirs, and no package that is not ours."""

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from graphs import build_graph, graph
from graphs.sequential import build_sequential
from tests.support.server import ModelServer, outline, review

PROJECT = Path(__file__).parents[2]


async def talk(kept: Any, context: dict[str, Any]) -> None:
    """Run twice on one LangGraph thread, and look back."""
    config: Any = {"configurable": {"thread_id": kept.name}}
    for _ in range(2):
        assert (await kept.ainvoke({"question": "1. One?\n2. Two?"}, config, context=context))["outcome"] == "complete"
        assert [state async for state in kept.aget_state_history(config)]


async def test_a_checkpointer_of_the_users_own_brings_no_warning(
    server: ModelServer, context: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    server.on("assess", outline("1", "2"))
    server.on("review", review("", "T2: wrong"), review("All of it."))
    async with AsyncSqliteSaver.from_conn_string(":memory:") as file:
        with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
            warnings.simplefilter("error")
            for saver in (InMemorySaver(), file):
                await talk(build_graph(checkpointer=saver), context)
                await talk(build_sequential(checkpointer=saver), context)
    assert not [record.getMessage() for record in caplog.records]


class Outer(TypedDict, total=False):
    question: str
    answer: str


async def test_a_checkpointer_of_an_outer_graph_brings_no_warning(
    server: ModelServer, context: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APR_MODEL", "openai:scripted")
    monkeypatch.setenv("APR_BASE_URL", server.url)
    server.on("assess", outline("1", "2"))
    outer: Any = StateGraph(Outer).add_node("inner", graph).add_edge(START, "inner").add_edge("inner", END)
    compiled, config = outer.compile(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert (await compiled.ainvoke({"question": "1. One?\n2. Two?"}, config))["answer"]
    assert not [record.getMessage() for record in caplog.records]
