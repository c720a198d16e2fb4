"""What a request may not do to the server that it reaches: learn its keys, choose where they go, come from a page."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiohttp import web

from graphs import graph, sequential
from graphs.server import foreign
from nodes.llm.replies.errors import ConfigurationError
from tests.support.server import ModelServer, model_server, serving
from tests.support.services.studio import dev_server, open_http

pytest.importorskip("langgraph_api", reason="`langgraph dev` needs the `dev` extra")
pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = {"question": "What is it?"}
PLANTED = {
    "APR_ANY_PASSWORD": "planted-of-ours-0123456789",
    "SOME_DB_PASSWORD": "planted-password-0123456789",
    "LANGSMITH_API_KEY": "planted-langsmith-0123456789",
    "OPENAI_API_KEY": "planted-openai-0123456789",
    "DEEPSEEK_API_KEY": "planted-deepseek-0123456789",
    "PAIRED_KEY": "planted-paired-0123456789",
}


class Listener:
    """A server of the attacker's: all that reaches it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.url = ""

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append(f"{request.method} {request.path} {dict(request.headers)} {await request.text()}")
        return web.json_response({"error": {"message": "no"}}, status=400)


async def listening() -> AsyncIterator[Listener]:
    listener = Listener()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listener.hear)
    async with serving(app) as address:
        listener.url = f"{address}/v1"
        yield listener


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def thief() -> AsyncIterator[Listener]:
    async for listener in listening():
        yield listener


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paired() -> AsyncIterator[ModelServer]:
    """A server that the operator lists, with a key of its own."""
    async with model_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def free() -> AsyncIterator[ModelServer]:
    """A server that the operator lists without a key."""
    async with model_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(
    model: ModelServer, paired: ModelServer, free: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    settings = {"APR_MODEL": "openai:scripted", "APR_BASE_URL": model.url}
    allowed = {"APR_ALLOW_ENDPOINTS": f"{paired.url}=PAIRED_KEY {free.url}"}
    async with dev_server(tmp_path_factory.mktemp("requests"), **settings, **allowed, **PLANTED) as address:
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with open_http(url) as client:
        yield client


def asked(**more: Any) -> dict[str, Any]:
    return {"assistant_id": "adaptive", "input": QUESTION, **more}


def stealing(thief: Listener) -> list[dict[str, Any]]:
    """List what a request may give to have a key sent to somebody else, or another key sent at all."""
    names = [*PLANTED, "HOME", "APR_MODEL", "UNSET"]
    return [
        {"base_url": thief.url},
        {"base_url": thief.url, "model": "deepseek:x"},
        *({"base_url": thief.url, "api_key_env": name} for name in names),
        *({"api_key_env": name} for name in names),
        {"model": "deepseek:x"},
        {"fallback_model": "deepseek:x", "assess_model": "deepseek:x"},
        {"prompts": "assess@1"},
        {"prompts": "../../etc/passwd@1"},
        {"planner": "dspy:/tmp/any"},
        {"mcp_config": "/tmp/any.json"},
    ]


async def test_no_route_lets_a_request_choose_where_keys_go(
    caller: httpx.AsyncClient, thief: Listener, model: ModelServer
) -> None:
    thread = (await caller.post("/threads", json={})).json()["thread_id"]
    before = len(model.asked)
    for given in stealing(thief):
        for way in ({"context": given}, {"config": {"configurable": given}}):
            for path in (
                "/runs",
                "/runs/wait",
                "/runs/stream",
                f"/threads/{thread}/runs",
                f"/threads/{thread}/runs/wait",
            ):
                answer = await caller.post(path, json=asked(**way))
                assert answer.status_code == 422, (path, way, answer.text)
            answer = await caller.post("/runs/batch", json=[asked(**way)])
            assert answer.status_code == 422, (way, answer.text)
            answer = await caller.post("/assistants", json={"graph_id": "adaptive", **way})
            assert answer.status_code == 422, (way, answer.text)
            command = {"id": 1, "method": "run.start", "params": asked(**way)}
            if "config" in way:  # it knows no context
                await caller.post(f"/threads/{thread}/commands", json=command)
    assert (await caller.get(f"/threads/{thread}/runs")).json() == []
    assert not thief.heard and len(model.asked) == before


async def test_nothing_that_is_stored_chooses_where_keys_go(caller: httpx.AsyncClient, thief: Listener) -> None:
    """A state that somebody wrote is read at run time, past what looks at requests."""
    made = await caller.post("/threads", json={"metadata": {"graph_id": "adaptive"}})
    thread = made.json()["thread_id"]
    stolen = {"base_url": thief.url, "api_key_env": "SOME_DB_PASSWORD"}
    run = {"id": "1", "started_at": 0, "settings": stolen}
    wrote = await caller.post(
        f"/threads/{thread}/state", json={"values": {**QUESTION, "run": run, "parallel": False}, "as_node": "assess"}
    )
    assert wrote.status_code == 200, wrote.text
    await caller.post(f"/threads/{thread}/runs/wait", json={"assistant_id": "adaptive", "input": None})
    await caller.post(f"/threads/{thread}/runs/wait", json=asked(command={"update": {"run": run}}, input=None))
    assert not thief.heard


async def test_what_a_server_runs_is_refused_at_run_time_too(thief: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever way it took: LangGraph says of every run whether a server made it."""
    monkeypatch.setenv("OPENAI_API_KEY", PLANTED["OPENAI_API_KEY"])
    monkeypatch.setenv("SOME_DB_PASSWORD", PLANTED["SOME_DB_PASSWORD"])
    served: Any = {"configurable": {"graph_id": "any", "assistant_id": "any"}}
    for asked_graph in (graph, sequential):
        for stolen in ({"base_url": thief.url}, {"base_url": thief.url, "api_key_env": "SOME_DB_PASSWORD"}):
            context = {"model": "openai:x", **stolen}
            with pytest.raises(ConfigurationError, match="is not a request's to choose"):
                await asked_graph.ainvoke(QUESTION, served, context=context)
    assert not thief.heard


async def test_other_protocols_choose_nothing_either(caller: httpx.AsyncClient, thief: Listener) -> None:
    accept = {"Accept": "application/json, text/event-stream"}
    stolen = {"base_url": thief.url, "api_key_env": "SOME_DB_PASSWORD"}
    for extra in ({"context": stolen}, {"config": {"configurable": stolen}}, stolen, {"configurable": stolen}):
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        tool = {"name": "adaptive", "arguments": {**QUESTION, **extra}, **extra}
        await caller.post("/mcp/", json={**call, "params": tool}, headers=accept)
        assistant = (await caller.post("/assistants/search", json={})).json()[0]["assistant_id"]
        message = {"role": "user", "messageId": "1", "parts": [{"kind": "text", "text": "What?"}], "metadata": extra}
        sent = {"message": message, "metadata": extra, **extra}
        await caller.post(f"/a2a/{assistant}", json={**call, "method": "message/send", "params": sent}, headers=accept)
    assert not thief.heard


async def test_a_pair_that_the_operator_lists_gets_its_own_key_and_no_other(
    caller: httpx.AsyncClient, model: ModelServer, paired: ModelServer, free: ModelServer
) -> None:
    cases: list[tuple[dict[str, Any], ModelServer, str]] = [
        ({}, model, PLANTED["OPENAI_API_KEY"]),
        ({"base_url": model.url, "max_parallel": 2}, model, PLANTED["OPENAI_API_KEY"]),
        ({"base_url": None, "api_key_env": None}, model, PLANTED["OPENAI_API_KEY"]),
        ({"base_url": paired.url}, paired, PLANTED["PAIRED_KEY"]),
        ({"base_url": f"{paired.url}/", "api_key_env": "PAIRED_KEY"}, paired, PLANTED["PAIRED_KEY"]),
        ({"base_url": free.url}, free, "none"),
        ({"base_url": free.url, "model": "deepseek:x", "fallback_model": "openai:y"}, free, "none"),
    ]
    for given, server, key in cases:
        before = len(server.asked)
        answer = await caller.post("/runs/wait", json=asked(context=given))
        assert answer.json()["outcome"] == "complete", answer.text
        sent = {request.headers["Authorization"] for request in server.asked[before:]}
        assert sent == {f"Bearer {key}"}, given
    for given in ({"base_url": free.url, "api_key_env": "PAIRED_KEY"}, {"api_key_env": "PAIRED_KEY"}):
        assert (await caller.post("/runs/wait", json=asked(context=given))).status_code == 422


FOREIGN = "https://foreign.example"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Origin": FOREIGN, "Content-Type": "text/plain"}, "{}", 403),
        ({"Origin": FOREIGN, "Content-Type": "application/json"}, "{}", 403),
        ({"Origin": "null", "Content-Type": "application/json"}, "{}", 403),
        ({"Origin": "http://127.0.0.1:1", "Content-Type": "application/json"}, "{}", 403),
        ({"Content-Type": "text/plain"}, "{}", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "{}=", 415),
        ({"Content-Type": "multipart/form-data; boundary=application/json"}, "{}", 415),
        ({}, "{}", 415),
        ({"Host": "rebound.example", "Content-Type": "application/json"}, "{}", 403),
        ({"Host": "rebound.example:2024"}, "", 403),
        ({"Host": "127.0.0.1.rebound.example", "Content-Type": "application/json"}, "{}", 403),
        ({"Host": "rebound.example", "Origin": "http://rebound.example"}, "", 403),
        ({"Origin": "https://smith.langchain.com", "Content-Type": "application/json"}, "{}", 200),
        ({"Content-Type": "application/json; charset=utf-8"}, "{}", 200),
        ({"Host": "localhost:1", "Origin": "http://localhost:1", "Content-Type": "application/json"}, "{}", 200),
        ({"Host": "[::1]:2024", "Content-Type": "application/json"}, "{}", 200),
    ],
)
async def test_what_a_foreign_page_could_send_is_refused(
    caller: httpx.AsyncClient, headers: dict[str, str], body: str, status: int
) -> None:
    answer = await caller.post("/threads", content=body.encode(), headers=headers)
    assert answer.status_code == status, answer.text


async def test_a_foreign_page_may_not_read_anything_and_studio_may(caller: httpx.AsyncClient) -> None:
    for origin, welcome in ((FOREIGN, False), ("https://smith.langchain.com", True)):
        ahead = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        told = (await caller.options("/runs/wait", headers=ahead)).headers.get("access-control-allow-origin")
        assert told == (origin if welcome else None)
        for path in ("/threads/search", "/assistants/search"):
            answer = await caller.post(path, json={}, headers={"Origin": origin})
            assert answer.status_code == (200 if welcome else 403)
        for path in ("/ok", "/info", "/docs", "/openapi.json", "/metrics", "/internal/x", "/report/x"):
            answer = await caller.get(path, headers={"Origin": origin})
            assert (answer.status_code == 403) is not welcome, path


async def test_the_pages_that_may_ask_are_those_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    assert foreign.origins() == set(foreign.STUDIO)
    monkeypatch.setenv("LANGGRAPH_HTTP", '{"cors": {"allow_origins": ["https://mine.example", "*"]}}')
    assert foreign.origins() == {"https://mine.example"}
