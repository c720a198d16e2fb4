"""The graph among other people's graphs and programs: as a node or a tool, bound, without a loop, gone on with."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from graphs import build_graph, graph, sequential
from graphs.sequential import build_sequential
from nodes.llm.replies.errors import ConfigurationError
from nodes.reporting.report import Report
from nodes.settings import Settings
from tests.support.command import STEADY
from tests.support.forked import STRICT, fork
from tests.support.server import HANG, ModelServer, Reply, outline

PARTS = ["What is one?", "What is two?"]
QUESTION = {"question": " ".join(PARTS)}
PROJECT = Path(__file__).parents[2]


class Outer(TypedDict, total=False):
    question: str
    answer: str


@dataclass
class Ctx:
    model: str
    tenant: str = "a"


@pytest.fixture
def split(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    monkeypatch.setenv("APR_MODEL", "openai:scripted")
    monkeypatch.setenv("APR_BASE_URL", server.url)
    return server.on("assess", outline(*PARTS))


FOREIGN: list[Any] = [
    None,
    {},
    {"tenant": "a"},
    {"model": "anthropic:claude", "tenant": "a"},
    {"model": "gpt-4o"},
    Ctx("anthropic:claude"),
    "text",
]


def as_node() -> Any:
    return StateGraph(Outer).add_node("inner", graph).add_edge(START, "inner").add_edge("inner", END)


def in_node(inner: Any) -> Any:
    async def call(state: Outer) -> dict[str, Any]:
        return {"answer": (await inner.ainvoke({"question": state["question"]}))["answer"]}

    return StateGraph(Outer).add_node("inner", call).add_edge(START, "inner").add_edge("inner", END)


@pytest.mark.parametrize("context", FOREIGN, ids=str)
@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["unkept", "kept"])
async def test_it_is_a_node_of_a_graph_whatever_that_ones_context(split: ModelServer, context: Any, saver: Any) -> None:
    config: Any = {"configurable": {"thread_id": "1", "model": "claude", "user_id": "me"}}
    for outer in (as_node(), in_node(graph), in_node(sequential)):
        result = await outer.compile(checkpointer=saver).ainvoke(QUESTION, config, context=context)
        assert result["answer"]
    assert {request.body["model"] for request in split.asked} == {"scripted"}


@pytest.mark.filterwarnings("ignore:This API is in beta")
async def test_it_is_a_tool_of_an_agent(split: ModelServer) -> None:
    tool = graph.as_tool(name="ask", description="Ask.", arg_types={"question": str})
    assert (await tool.ainvoke(QUESTION))["outcome"] == "complete"
    result = await asyncio.to_thread(tool.invoke, QUESTION)
    assert result["outcome"] == "complete"

    async def call(state: Outer) -> dict[str, Any]:
        return {"answer": (await tool.ainvoke({"question": state["question"]}))["answer"]}

    outer: Any = StateGraph(Outer, context_schema=Ctx).add_node("tools", call).add_edge(START, "tools").compile()
    assert (await outer.ainvoke(QUESTION, context=Ctx("x")))["answer"] == "All of it."


async def test_a_context_of_another_kind_is_said(split: ModelServer) -> None:
    with pytest.raises(ConfigurationError, match="the context is a Ctx; pass settings"):
        await graph.ainvoke(QUESTION, context=Ctx("x"))
    assert not split.asked


@pytest.mark.parametrize("inner", [graph, sequential], ids=["adaptive", "sequential"])
async def test_settings_can_be_bound(split: ModelServer, monkeypatch: pytest.MonkeyPatch, inner: Any) -> None:
    monkeypatch.setenv("APR_MODEL", "openai:environment")
    by_config, by_context = {"configurable": {"model": "openai:bound"}}, {"model": "openai:bound", "max_parallel": 1}
    for bound in (
        inner.with_config(by_config),
        inner.with_config(configurable=by_config["configurable"]),
        inner.with_config(context=by_context),
        inner.with_config(context=Settings(**by_context)),
        inner.with_config(context=by_context).with_config(tags=["a"]),
    ):
        for ask in (bound, in_node(bound).compile()):
            before = len(split.asked)
            await ask.ainvoke(QUESTION)
            assert {request.body["model"] for request in split.asked[before:]} == {"bound"}
        before = len(split.asked)
        await bound.ainvoke(QUESTION, context={"model": "openai:explicit"})
        assert {request.body["model"] for request in split.asked[before:]} == {"explicit"}
    with pytest.raises(ConfigurationError, match="names no provider"):
        await inner.ainvoke(QUESTION, {"configurable": {"model": "bound"}})


async def printed(code: str) -> str:
    """Run a program in which no event loop runs but what it starts; returns what it prints."""
    program = await fork("-c", env=os.environ | STEADY, code=f"{STRICT}{code}")
    out, err = await program.communicate()
    assert program.returncode == 0 and not err, err.decode()
    return out.decode().strip()


async def test_it_works_without_an_event_loop(split: ModelServer) -> None:
    code = (
        "from graphs import graph, sequential\n"
        f"q = {QUESTION!r}\n"
        "print(graph.invoke(q)['outcome'], sequential.invoke(q)['outcome'])\n"
        "print([s['outcome'] for s in graph.batch([q] * 3)])\n"
        "print(list(graph.stream(q, stream_mode='values'))[-1]['outcome'])\n"
        "print(any('thread_id' in e for e in graph.stream(q, stream_mode='custom')))\n"
    )
    assert (await printed(code)).splitlines() == [
        "complete complete",
        "['complete', 'complete', 'complete']",
        "complete",
        "True",
    ]


async def test_it_can_be_called_without_an_event_loop_while_one_runs(split: ModelServer) -> None:
    code = (
        "import asyncio\nfrom graphs import graph\n"
        "async def main():\n"
        f"    return graph.invoke({QUESTION!r})['outcome'], (await graph.ainvoke({QUESTION!r}))['outcome']\n"
        "print(asyncio.run(main()))\n"
    )
    assert await printed(code) == "('complete', 'complete')"


async def test_a_person_is_asked_without_an_event_loop_too(split: ModelServer) -> None:
    overseen, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}

    def talk() -> Any:
        waits = overseen.invoke(QUESTION, config, context={"oversight": "plan"})
        assert waits["__interrupt__"] and waits["outcome"] == "running"
        return overseen.invoke(Command(resume="approve"), config)

    assert (await asyncio.to_thread(talk))["outcome"] == "complete"


@pytest.mark.at_most(1)
@pytest.mark.parametrize("what", ["prompts.py", "nodes.py", "nodes/__init__.py", "prompts/x.txt"])
def test_a_script_that_hides_a_package_is_told(tmp_path: Path, what: str) -> None:
    (tmp_path / what).parent.mkdir(exist_ok=True)
    (tmp_path / what).write_text("")
    (tmp_path / "script.py").write_text("import nodes, prompts\nfrom graphs import graph\nprint(graph.name)\n")
    # As in an installed copy: what links to a checkout would find the hidden modules all the same.
    installed = [path for path in sys.path if path.endswith("site-packages")]
    paths = {"PYTHONPATH": os.pathsep.join([str(PROJECT), *installed])}
    command = [sys.executable, "-S", str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | paths)
    if what.endswith(".txt"):  # a folder without code hides nothing
        assert done.stdout == "adaptive\n", done.stderr
        return
    name = what.partition("/")[0].removesuffix(".py")
    assert done.returncode and f"`{name}` was imported from {tmp_path}" in done.stderr
    assert "rename that file or folder" in done.stderr


# Going on


async def stopped_at(split: ModelServer, kept: Any, config: Any, context: dict[str, Any]) -> None:
    """Run until the review, and break off there."""
    split.on("review", HANG)
    task = asyncio.create_task(kept.ainvoke(QUESTION, config, context=context))
    await split.wait_for(1, "review")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    split.on("review", "All of it.")


async def test_time_in_which_nobody_works_does_not_count(split: ModelServer) -> None:
    kept, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    await stopped_at(split, kept, config, {"deadline": 6})
    await asyncio.sleep(6)  # longer than the whole run may take
    assert (await kept.aget_state(config)).values["outcome"] == "running"
    (review,) = [state.config async for state in kept.aget_state_history(config) if state.next == ("review",)]
    for where in (config, review):
        solution = await kept.ainvoke(None, where)
        assert solution["outcome"] != "failed" and solution["report"].wall_s < 6, solution["stop_reason"]


async def test_a_run_goes_on_with_the_settings_that_it_began_with(
    split: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    began = {"model": "openai:began", "max_parallel": 3, "deadline": 50}
    await stopped_at(split, kept, config, began)
    before = len(split.asked)
    solution = await kept.ainvoke(None, config, context={"max_parallel": 2})
    assert {request.body["model"] for request in split.asked[before:]} == {"began"}
    used = solution["report"].settings
    assert (used["max_parallel"], used["deadline"]) == (2, 50)
    await kept.ainvoke(QUESTION, config)  # another question begins anew
    assert split.asked[-1].body["model"] == "scripted"


async def test_a_clock_that_is_set_back_changes_nothing(split: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    split.on(PARTS[0], Reply("Result: 1", delay=0.3))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 86_400 * len(split.asked))
    solution = await graph.ainvoke(QUESTION, context={"deadline": 20})
    assert solution["outcome"] == "complete" and 0.3 <= solution["report"].wall_s < 10


@pytest.mark.parametrize("build", [build_graph, build_sequential])
async def test_a_checkpointer_of_ones_own_reads_our_types_back_without_a_word(
    build: Any, split: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    kept, config = build(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    await kept.ainvoke(QUESTION, config)
    steps = [step async for step in kept.aget_state_history(config)]
    forked = await kept.aupdate_state(steps[-2].config, {"instructions": "Be brief."})
    assert (await kept.ainvoke(None, forked))["outcome"] == "complete"
    assert isinstance(steps[0].values["report"], Report) and "eserializ" not in caplog.text
