"""`apr mcp`: a question answered, files reviewed, a run stopped, by the client of the official package."""

import asyncio
import contextlib
import importlib.util
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.support.command import apr, launch
from tests.support.server import HANG, Fault, ModelServer, model_server, outline, review
from tests.support.subjects.mcp import KEY, connected, environment, held, over_http, over_streams, said

pytestmark = pytest.mark.asyncio(loop_scope="module")
needs_mcp = pytest.mark.skipif(importlib.util.find_spec("mcp") is None, reason="needs the extra mcp")
TWO = {"question": "What is one? What is two?"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


@pytest.fixture
def server(model: ModelServer) -> ModelServer:
    """A model server that nobody has asked or scripted anything."""
    model.script.clear()
    model.asked.clear()
    return model


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folders(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, Path]]:
    """The folders whose files may be read; the server runs in the first."""
    outside = tmp_path_factory.mktemp("outside")
    home, other = outside / "home", outside / "other"
    home.mkdir()
    other.mkdir()
    yield home, other


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(model: ModelServer, folders: tuple[Path, Path]) -> AsyncIterator[Any]:
    """A client of a real `apr mcp`."""
    home, other = folders
    async with held(over_streams(model, home, "--root", str(home), "--root", str(other))) as connected:
        yield connected


def split(server: ModelServer) -> None:
    server.on("assess", outline("What is one?", "What is two?", answer="list"))


@needs_mcp
async def test_a_client_gets_answer_outcome_missing_threads_and_figures(server: ModelServer, client: Any) -> None:
    split(server)
    server.on("review", review("One."))
    server.on("What is two?", "Result: 2", Fault(400))
    told: list[tuple[float, str]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message or ""))

    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {"question", "documents", "model"} <= set(tools["answer"].input_schema["properties"])
    assert {"question", "files", "model"} <= set(tools["review_files"].input_schema["properties"])
    whole = await client.call_tool("answer", TWO, progress_callback=hear)
    partial = await client.call_tool("answer", TWO)
    assert whole.structured_content["outcome"] == "complete" and not whole.is_error
    assert whole.structured_content["missing"] == [] and whole.structured_content["figures"]["threads"] == 2
    assert whole.structured_content["answer"] in said(whole)
    # Each thread is told of as it begins and ends, in numbers that grow.
    numbers = [number for number, _ in told]
    assert numbers == sorted(set(numbers))
    for id in ("T1", "T2"):
        assert [words.split()[1] for _, words in told if words.startswith(id)] == ["running", "answered"]
    found = partial.structured_content
    assert found["outcome"] == "partial" and [line[:3] for line in found["missing"]] == ["T2:"]
    assert found["figures"]["answered"] == 1 and "T2: " in said(partial)
    for result in (whole, partial):
        told_beside = result.structured_content | {"answer": ""}
        assert len(json.dumps(told_beside)) + len(said(result)) - len(result.structured_content["answer"]) < 1_000


@needs_mcp
async def test_callers_choose_what_is_theirs_and_hear_no_key(
    server: ModelServer, client: Any, folders: tuple[Path, Path]
) -> None:
    server.on("direct", Fault(401, f'{{"error": {{"message": "Incorrect key {KEY}"}}}}'))
    server.on("assess", Fault(401, f'{{"error": {{"message": "Incorrect key {KEY}"}}}}'))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"question": " "}, "`question` is blank"),
        ({"question": "q", "max_parallel": 1_000}, "max_parallel: Input should be less than or equal to 64"),
        ({"question": "q", "base_url": "http://127.0.0.1:1/v1"}, "`base_url`: not a caller's to choose"),
        ({"question": "q", "mcp_config": "/tmp/servers.json"}, "`mcp_config`: not a caller's to choose"),
        ({"question": "q", "model": "deepseek:chat"}, "a key of deepseek would go to where it does not belong"),
        ({"question": "q", "documents": [{"id": "a", "text": ""}]}, "'a' is empty"),
    ]
    for given, why in wrong:
        result = await client.call_tool("answer", given)
        assert result.is_error and why in said(result), given
    assert server.asked == []
    failed = await client.call_tool("answer", {"question": "What is one?"})
    assert failed.is_error and failed.structured_content["outcome"] == "failed"
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    everything = said(failed) + json.dumps(failed.structured_content) + (folders[0] / ".errors").read_text()
    assert "401" in everything and KEY not in everything


@needs_mcp
async def test_files_are_read_below_the_roots_only(
    server: ModelServer, client: Any, folders: tuple[Path, Path]
) -> None:
    home, other = folders
    (home / "src").mkdir()
    (home / "src" / "a.py").write_text("a = 1 / 0\n")
    (home / ".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    (home / "image").write_bytes(b"\x00\x01\xff")
    (other / "b.py").write_text("b = 2\n")
    secret = home.parent / "secret.py"
    secret.write_text("c = 3\n")
    (home / "link.py").symlink_to(secret)
    refused = {
        str(secret): "lies outside of the folders that may be read",
        "../secret.py": "lies outside",
        "link.py": "lies outside",
        str(home.parent / "there-is-none.py"): "lies outside",
        ".env": "begin with a dot",
        "src": "is no file",
        "image": "binary file",
        "none.py": "No such file",
        "a\x00b": "cannot be one of a file",
    }
    for path, why in refused.items():
        result = await client.call_tool("review_files", {"files": [{"path": path}]})
        assert result.is_error and why in said(result), path
    assert server.asked == []
    files = [{"path": "src/a.py"}, {"path": str(other / "b.py")}, {"path": "/x/d.py", "text": "d = 4\n"}]
    result = await client.call_tool("review_files", {"question": "Which fault has each file?", "files": files})
    assert not result.is_error
    read = "\n".join(request.prompt for request in server.asked)
    assert "a = 1 / 0" in read and "b = 2" in read and "d = 4" in read and KEY not in read


@needs_mcp
async def test_a_request_that_is_cancelled_stops_its_run(server: ModelServer, client: Any) -> None:
    split(server)
    server.on("What is one?", HANG)
    server.on("What is two?", HANG)
    await cancel_at_work(server, client)
    # The server is there for the next one.
    assert (await client.call_tool("answer", {"question": " "})).is_error
    assert server.calls("review") == []


async def cancel_at_work(server: ModelServer, client: Any) -> None:
    """Ask, and cancel the request while its threads are at work: their requests to the model break off."""
    before = len(server.calls("solve"))
    asking = asyncio.create_task(client.call_tool("answer", TWO))
    await server.wait_for(before + 2, "solve")
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    await server.wait_until_idle()
    assert [request.dropped for request in server.about("What is one?")][-1]


@needs_mcp
async def test_standard_output_carries_the_protocol_and_nothing_else(server: ModelServer) -> None:
    split(server)
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    sent: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": about},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "answer", "arguments": TWO}},
        {"id": 3, "method": "tools/call", "params": {"name": "none", "arguments": {}}},
    ]
    process = await launch("mcp", env=environment(server))
    assert process.stdin and process.stdout
    process.stdin.write(b"".join(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n" for message in sent))
    got = [json.loads(await process.stdout.readline()) for _ in range(3)]
    # Its input ends, and so does it.
    rest, _ = await process.communicate(b"")
    assert {message["id"] for message in got} == {1, 2, 3} and rest == b"" and await process.wait() == 0
    assert "there is no tool `none`" in json.dumps(got)


@needs_mcp
async def test_over_http_only_who_has_a_token_is_served(server: ModelServer) -> None:
    split(server)
    async with over_http(server) as (address, key):
        assert address.startswith("http://127.0.0.1:")
        async with httpx2.AsyncClient() as http:
            for headers in ({}, {"Authorization": "Bearer 0123456789abcdef9999"}):
                assert (await http.post(address, json={}, headers=headers)).status_code == 401
            foreign = {"Authorization": f"Bearer {key}", "Host": "evil.example"}
            assert (await http.post(address, json={}, headers=foreign)).status_code == 421
        async with connected(address, key) as client:
            result = await client.call_tool("answer", TWO)
            assert result.structured_content["outcome"] == "complete"
            server.on("What is one?", HANG)
            await cancel_at_work(server, client)


@pytest.mark.skipif(importlib.util.find_spec("mcp") is not None, reason="the extra mcp is there")
async def test_without_the_extra_the_command_says_what_to_install(server: ModelServer) -> None:
    status, out, why = await apr(server, "mcp")
    assert status == 2 and out == "" and "[mcp]" in why
