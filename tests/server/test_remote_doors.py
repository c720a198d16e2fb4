"""The same three questions from other processes: LangGraph's clients, A2A, MCP and the command."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client, get_sync_client

from nodes.state import Solution
from tests.support.command import STEADY, apr
from tests.support.server import ModelServer, model_server
from tests.support.services.studio import PROJECT, dev_server, open_http
from tests.support.subjects.doors import DIRECT, Got, Outer, every_question, expected, got_of, got_of_json, script

pytest.importorskip("langgraph_api", reason="`langgraph dev` needs the `dev` extra")
pytestmark = pytest.mark.asyncio(loop_scope="module")

SDK = PROJECT / "node_modules" / "@langchain" / "langgraph-sdk"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of `langgraph dev`."""
    folder = tmp_path_factory.mktemp("doors")
    async with dev_server(folder, APR_MODEL="openai:scripted", APR_BASE_URL=model.url) as url:
        yield url


@every_question
async def test_langgraphs_python_clients(model: ModelServer, url: str, question: str) -> None:
    script(model, question)
    wanted = await expected(model, question)
    asked = {"question": question}
    async with get_client(url=url, api_key=None) as client:
        with get_sync_client(url=url, api_key=None) as sync_client:
            await ask_both_clients(RemoteGraph("adaptive", client=client, sync_client=sync_client), asked, wanted)
        assert got_of_json(await client.runs.wait(None, "adaptive", input=asked)) == wanted


async def ask_both_clients(remote: RemoteGraph, asked: dict[str, Any], wanted: Got) -> None:
    assert got_of_json(await remote.ainvoke(asked)) == wanted
    assert got_of_json(await asyncio.to_thread(remote.invoke, asked)) == wanted
    told = [event async for event in remote.astream(asked, stream_mode="custom")]
    ended = sorted(event["thread_id"] for event in told if event.get("status") == "answered")
    assert ended == ([] if asked["question"] == DIRECT else ["T1", "T2"])
    if asked["question"] == DIRECT:
        return
    parent: Any = StateGraph(Outer).add_node("inner", remote).add_edge(START, "inner").add_edge("inner", END)
    assert got_of_json(await parent.compile().ainvoke(asked)) == wanted


@pytest.mark.at_most(1)
@every_question
async def test_langgraphs_javascript_client(model: ModelServer, url: str, question: str) -> None:
    if shutil.which("node") is None or not SDK.exists():
        pytest.skip("no JavaScript SDK here: npm install --no-save @langchain/langgraph-sdk")
    script(model, question)
    wanted = await expected(model, question)
    heard = await by_sdk(url, "adaptive", {"question": question})
    assert got_of_json(heard["values"]) == wanted
    assert sorted(set(heard["ended"])) == ([] if question == DIRECT else ["T1", "T2"])
    heard = await by_sdk(url, "chat", {"messages": [{"type": "human", "content": question}]})
    said = heard["values"]["messages"][-1]
    assert got_of_said(said) == wanted and "".join(heard["pieces"]) == wanted.answer
    assert question != DIRECT or len(heard["pieces"]) > 1


async def by_sdk(url: str, graph: str, asked: dict[str, Any]) -> Any:
    program = Path(__file__).parents[1] / "support" / "ask_by_sdk.mjs"
    node = await asyncio.create_subprocess_exec(
        *("node", str(program), url, graph, json.dumps(asked)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await node.communicate()
    assert node.returncode == 0, err.decode()
    return json.loads(out)


def got_of_said(message: dict[str, Any]) -> Got:
    """Read a message of `chat` that came as JSON."""
    figures, total = message["additional_kwargs"]["apr"], message["usage_metadata"]["total_tokens"]
    return Got(message["content"], figures["outcome"], figures["route"], figures["calls"], total)


@every_question
async def test_other_agents_by_a2a(model: ModelServer, url: str, question: str) -> None:
    script(model, question)
    wanted = await expected(model, question)
    model.asked.clear()
    message = {"role": "user", "messageId": "1", "parts": [{"kind": "text", "text": question}]}
    asked = {"jsonrpc": "2.0", "id": "1", "params": {"message": message}}
    async with open_http(url) as http:
        (chat,) = (await http.post("/assistants/search", json={"graph_id": "chat"})).json()
        path = f"/a2a/{chat['assistant_id']}"
        task = (await http.post(path, json=asked | {"method": "message/send"})).json()["result"]
        # The protocol has no place for figures: what was asked of the model tells them.
        assert (task["status"]["state"], len(model.asked)) == ("completed", wanted.calls)
        accepts = {"Accept": "text/event-stream"}
        streamed = await http.post(path, json=asked | {"method": "message/stream"}, headers=accepts)
        events = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: ")]
    assert text_of(task) == wanted.answer
    assert wanted.answer in json.dumps(events, ensure_ascii=False).replace("\\n", "\n")
    assert "completed" in str(events[-1]) and len(model.asked) == 2 * wanted.calls


def text_of(task: dict[str, Any]) -> str:
    return "".join(part["text"] for artifact in task["artifacts"] for part in artifact["parts"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mcp(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """A client of `apr mcp`."""
    pytest.importorskip("mcp", reason="needs the extra mcp")
    from tests.support.subjects.mcp import held, over_streams

    async with held(over_streams(model, tmp_path_factory.mktemp("mcp"), **STEADY)) as client:
        yield client


@every_question
async def test_mcps_client(model: ModelServer, mcp: Any, question: str) -> None:
    script(model, question)
    wanted = await expected(model, question)
    found = (await mcp.call_tool("answer", {"question": question})).structured_content
    figures = found["figures"]
    assert Got(found["answer"], found["outcome"], figures["route"], figures["calls"], figures["tokens"]) == wanted


@every_question
async def test_the_command(model: ModelServer, question: str) -> None:
    script(model, question)
    wanted = await expected(model, question)
    status, out, _ = await apr(model, question, **STEADY)
    assert (status, out.rstrip("\n")) == (0, wanted.answer)
    status, out, _ = await apr(model, question, "--json", **STEADY)
    assert status == 0 and got_of(dict(Solution.model_validate_json(out))) == wanted
