"""The same three questions in one process: sync, in a parent graph, as the tool and the sub-agent of other agents."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from graphs import answer, answer_sync, build_tool, chat, graph
from tests.support.server import Fault, ModelServer, outline
from tests.support.subjects.doors import (
    DIRECT,
    SETTINGS,
    TEXT,
    Got,
    Outer,
    every_question,
    expected,
    got_of,
    got_of_message,
    script,
)


class Agent(BaseChatModel):
    """An agent's model: calls the tools that it is told to, then repeats what it last read."""

    calls: list[dict[str, Any]]

    @property
    def _llm_type(self) -> str:
        return "agent"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        ended = messages[-1].type == "tool" or (messages[-1].type == "ai" and len(messages) > 2)
        said = AIMessage(messages[-1].text) if ended else AIMessage("", tool_calls=self.calls)
        return ChatResult(generations=[ChatGeneration(message=said)])


def call(name: str, id: str = "1", **arguments: Any) -> dict[str, Any]:
    return {"name": name, "args": arguments, "id": id, "type": "tool_call"}


@pytest.fixture
def context(server: ModelServer) -> dict[str, Any]:
    return SETTINGS | {"base_url": server.url}


@pytest.fixture
async def bound(context: dict[str, Any]) -> AsyncIterator[Any]:
    yield chat.with_config(context=context)


@every_question
async def test_python_and_parent_graphs(server: ModelServer, context: dict[str, Any], question: str) -> None:
    script(server, question)
    wanted = await expected(server, question)
    typed = await answer(question, **context)
    later = await asyncio.to_thread(answer_sync, question, **context)
    for solution in (typed, later):
        total = solution.report.tokens.total
        assert Got(solution.answer, solution.outcome, solution.route, solution.report.calls, total) == wanted
    asked = {"question": question}
    assert got_of(await asyncio.to_thread(graph.invoke, asked, context=context)) == wanted
    inner = graph.with_config(context=context)
    parent = StateGraph(Outer).add_node("inner", inner).add_edge(START, "inner").add_edge("inner", END)
    for saver in (None, InMemorySaver()):
        compiled: Any = parent.compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": question}}
        assert got_of(await compiled.ainvoke(asked, config)) == wanted
        assert got_of(await asyncio.to_thread(compiled.invoke, asked, config)) == wanted
    assert len({request.last for request in server.calls("assess")}) == 1


def got_of_tool(message: Any) -> Got:
    """Read the message of the tool: the agent's model reads the answer, and no figures."""
    figures = message.artifact
    total = figures["usage"]["total_tokens"]
    return Got(message.text, figures["outcome"], figures["route"], figures["calls"], total)


def calling(*tools: Any) -> Any:
    """An agent's step that calls tools."""
    return StateGraph(MessagesState).add_node("tools", ToolNode(tools)).add_edge(START, "tools")


@every_question
async def test_a_tool_of_an_agent(server: ModelServer, bound: Any, question: str) -> None:
    script(server, question)
    wanted = await expected(server, question)
    tool = build_tool(bound=bound)
    asking = {"messages": [AIMessage("", tool_calls=[call(tool.name, question=question)])]}
    for saver in (None, InMemorySaver()):
        agent, config = calling(tool).compile(checkpointer=saver), {"configurable": {"thread_id": question}}
        assert got_of_tool((await agent.ainvoke(asking, config))["messages"][-1]) == wanted
        again = await asyncio.to_thread(agent.invoke, asking, config)
        assert got_of_tool(again["messages"][-1]) == wanted
    assert len({request.last for request in server.calls("assess")}) == 1


async def test_what_an_agent_streams_holds_nothing_that_models_tell_each_other(server: ModelServer, bound: Any) -> None:
    script(server, TEXT)
    agent = calling(build_tool(bound=bound)).compile()
    asking = {"messages": [AIMessage("", tool_calls=[call("answer_in_parts", question=TEXT)])]}
    heard = ""
    async for _, (message, _) in agent.astream(asking, stream_mode="messages", subgraphs=True):
        heard += message.text
    assert heard == "It is all." * 2  # as the answer grows, and as the tool's message


async def test_two_questions_of_an_agent_at_once_do_not_meet(server: ModelServer, bound: Any) -> None:
    script(server, DIRECT)
    server.on("assess", outline())
    asking = [call("answer_in_parts", id, question=f"What is {id}?") for id in ("one", "two")]
    agent = calling(build_tool(bound=bound)).compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    said = (await agent.ainvoke({"messages": [AIMessage("", tool_calls=asking)]}, config))["messages"][1:]
    assert [(message.tool_call_id, message.artifact["calls"]) for message in said] == [("one", 2), ("two", 2)]
    assert len(server.asked) == 4


async def test_texts_and_rules_come_with_an_agents_question(server: ModelServer, bound: Any) -> None:
    tool = build_tool(name="ask", description="Ask.", bound=bound)
    texts = [{"id": "sea", "text": "Deep."}, {"id": "sky", "text": "High."}]
    asked = call("ask", question="How is it?", documents=texts, instructions="Be brief.")
    assert (await tool.ainvoke(asked)).text
    assert "<document sea>\nDeep.\n</document>" in server.asked[-1].last and "Be brief." in server.asked[-1].last
    assert set(tool.args) == {"question", "documents", "instructions"}


async def test_an_agents_model_reads_why_there_is_no_answer(server: ModelServer, bound: Any) -> None:
    tool = build_tool(bound=bound)
    refused = await tool.ainvoke(call(tool.name, question="x" * 100_001))
    assert refused.status == "error" and "100,001 characters" in refused.text and not server.asked
    server.on("assess", Fault(400)).on("direct", Fault(400))
    failed = await tool.ainvoke(call(tool.name, question=DIRECT))
    assert failed.status == "error" and failed.text.startswith("[No answer: ")
    # What an agent cannot mend is for whoever runs it.
    with pytest.raises(ValueError, match="names no provider"):
        await build_tool(bound=chat.with_config(context={"model": "any"})).ainvoke(call(tool.name, question=DIRECT))


@every_question
async def test_langchains_agent(server: ModelServer, bound: Any, question: str) -> None:
    agents = pytest.importorskip("langchain.agents", reason="langchain is not installed")
    script(server, question)
    wanted = await expected(server, question)
    agent = agents.create_agent(Agent(calls=[call("answer_in_parts", question=question)]), [build_tool(bound=bound)])
    *_, said, last = (await agent.ainvoke({"messages": [("user", "Ask.")]}))["messages"]
    assert got_of_tool(said) == wanted and last.text == wanted.answer


@every_question
async def test_a_sub_agent_of_deepagents(server: ModelServer, bound: Any, question: str) -> None:
    deepagents = pytest.importorskip("deepagents", reason="deepagents is not installed")
    script(server, question)
    wanted = await expected(server, question)
    server.asked.clear()
    sub = deepagents.CompiledSubAgent(name="parallel", description="Answers.", runnable=bound)
    asking = call("task", description=question, subagent_type="parallel")
    agent = deepagents.create_deep_agent(model=Agent(calls=[asking]), subagents=[sub])
    *_, said, last = (await agent.ainvoke({"messages": [("user", "Ask.")]}))["messages"]
    # deepagents hands on the text of a sub-agent's last message, and no more.
    assert (said.text, last.text, len(server.asked)) == (wanted.answer, wanted.answer, wanted.calls)


@every_question
async def test_a_worker_of_langgraphs_supervisor(server: ModelServer, bound: Any, question: str) -> None:
    supervisor = pytest.importorskip("langgraph_supervisor", reason="langgraph-supervisor is not installed")
    script(server, question)
    wanted = await expected(server, question)
    agent = Agent(calls=[call("transfer_to_chat")])
    built = supervisor.create_supervisor([bound], model=agent, output_mode="full_history").compile()
    messages = (await built.ainvoke({"messages": [("user", question)]}))["messages"]
    (said,) = [message for message in messages if "apr" in message.additional_kwargs]
    assert got_of_message(said) == wanted and messages[-1].text
