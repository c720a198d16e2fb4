"""Threads that call the tools of MCP servers, which a file names."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from graphs import build_graph, graph
from nodes.boundary.access import for_request
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from tests.support.server import ModelServer, Tool, outline, review

needs_mcp = pytest.mark.skipif(importlib.util.find_spec("mcp") is None, reason="needs the extra mcp")
TOWERS = Path(__file__).parents[1] / "support" / "towers.py"
PARTS = ["How tall is the Ash Tower?", "How long is for ever?"]


def servers(folder: Path, **named: dict[str, Any]) -> str:
    file = folder / "servers.json"
    file.write_text(json.dumps({"mcpServers": named}))
    return str(file)


@needs_mcp
async def test_threads_call_the_tools_of_a_server(server: ModelServer, context: dict[str, Any], tmp_path: Path) -> None:
    def look_up(name: str) -> str:
        """Look something up."""
        return "nothing"

    towers = {"command": sys.executable, "args": [str(TOWERS)]}
    file = servers(tmp_path, towers=towers, other={"url": "http://127.0.0.1:1/mcp", "disabled": True})
    server.on("assess", outline(*PARTS)).on("review", review("120 m."))
    # The graph's own tool keeps its name.
    ash = Tool({"name": "the Ash Tower"}, name="towers_look_up")
    oak = Tool({"name": "the Oak Tower"}, name="towers_look_up")
    server.on(PARTS[0], ash, oak, "Result: 120 m").on(PARTS[1], Tool({}, name="wait"), "Result: unknown")
    solution = await build_graph(tools=[look_up]).ainvoke(
        {"question": "How tall, and how long?"}, context=context | {"mcp_config": file, "tool_timeout": 5}
    )
    assert solution["outcome"] == "complete"
    assert "- towers_look_up: Look up how many metres" in server.calls("assess")[0].last
    uses = [use for call in solution["calls"] for use in call.tools]
    assert {(use.name, use.status) for use in uses} == {
        ("towers_look_up", "ok"),
        ("towers_look_up", "failed"),
        ("wait", "timed_out"),
    }
    offered = server.about(PARTS[0])[0].body["tools"]
    assert [one["function"]["name"] for one in offered] == ["look_up", "towers_look_up", "wait"]
    assert offered[1]["function"]["parameters"]["properties"]["name"]["type"] == "string"
    (found,) = [message for message in server.about(PARTS[0])[1].body["messages"] if message["role"] == "tool"]
    assert found["content"] == "<tool-result>\n120 m\n</tool-result>"


@needs_mcp
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"mcpServers": {"a": {"command": "there-is-no-such-program"}}}, "the MCP server `a` cannot be used"),
        ({"mcpServers": {"a": {"url": "http://127.0.0.1:1/mcp"}}}, "the MCP server `a` cannot be used"),
        ({"mcpServers": {"a": {}}}, "mcpServers.a: Value error, names either a `command` or a `url`"),
        ({"servers": {}}, "mcpServers: Field required"),
        (None, "No such file"),
    ],
    ids=["no program", "no server", "neither", "another form", "no file"],
)
async def test_what_cannot_be_used_is_said_before_a_model_is_asked(
    server: ModelServer, context: dict[str, Any], tmp_path: Path, written: Any, why: str
) -> None:
    file = tmp_path / "servers.json"
    if written is not None:
        file.write_text(json.dumps(written))
    with pytest.raises(ConfigurationError, match="`mcp_config`: ") as refused:
        await graph.ainvoke({"question": "Why?"}, context=context | {"mcp_config": str(file)})
    assert why in str(refused.value) and server.asked == []


def test_callers_who_are_served_cannot_name_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="`mcp_config` is not a request's to choose"):
        for_request(Settings(mcp_config="/tmp/servers.json"))
    monkeypatch.setenv("APR_MCP_CONFIG", "/etc/servers.json")
    assert for_request(Settings(max_parallel=2)).mcp_config == "/etc/servers.json"
    with pytest.raises(ConfigurationError, match="`mcp_config`"):
        for_request(Settings(mcp_config="/tmp/servers.json"))
