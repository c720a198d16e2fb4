"""What a server's environment holds stays there: over every route and every setting, for a page and a second user."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from aiohttp import web

from nodes.settings import Settings
from tests.support.server import Fault, ModelServer, model_server, outline, serving
from tests.support.services.studio import dev_server, open_http

pytest.importorskip("langgraph_api", reason="`langgraph dev` needs the `dev` extra")
pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN, BEN = "ann-0123456789abcdef", "ben-fedcba9876543210"
OWN = {"OPENAI_API_KEY": "planted-openai/0123456789", "DEEPSEEK_API_KEY": "planted-deepseek/0123456789"}
PAIRED = {"PAIRED_KEY": "planted-paired/0123456789"}
PLANTED = {
    **OWN,
    **PAIRED,
    "APR_ANY_PASSWORD": "planted-of-ours/0123456789",
    "AWS_SECRET_ACCESS_KEY": "planted-cloud/0123456789",
    "DATABASE_URL": "postgresql://me:planted-database-0123456789@localhost/x",
    "HARMLESS_NAME": "planted-harmless/0123456789",
    "LANGSMITH_API_KEY": "planted-langsmith/0123456789",
    "SOME_DB_PASSWORD": "planted-password/0123456789",
}
QUESTION = {"question": "What is one? What is two?"}
METHODS = ("get", "post", "put", "patch", "delete")
HIDDEN = (
    "/",
    "/ok",
    "/info",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/report/{thread_id}",
    "/ui/x",
    "/mcp/",
    "/noauth/ok",
)
PAGE = {"Origin": "https://foreign.example"}
HEAD_TIMEOUT_S = 15
"""Seconds for an answer to begin, on a busy machine; some streams begin only with their first event."""
SKIPPED = ("/runs/crons", "/shutdown")
"""Routes that the development server does not have, or that end it."""


@dataclass
class World:
    """A server with planted variables, and all that could hear of them."""

    url: str = ""
    model: ModelServer = field(default_factory=ModelServer)
    deepseek: ModelServer = field(default_factory=ModelServer)
    paired: ModelServer = field(default_factory=ModelServer)
    free: ModelServer = field(default_factory=ModelServer)
    thief: str = ""
    heard: list[str] = field(default_factory=list)
    """What reached the thief's server."""
    told: int = 0
    """Answers that were looked at."""

    def check(self, answer: httpx.Response | str, what: Any) -> None:
        """Look for planted bytes in all of an answer."""
        said = answer if isinstance(answer, str) else f"{answer.headers} {answer.text}"
        assert not [name for name, forms in FORMS.items() if any(form in said for form in forms)], (what, said[:500])
        self.told += 1


def forms(secret: str) -> list[str]:
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]
    return [secret, quote(secret, safe=""), encoded, secret.replace("/", "\\/"), secret[:20]]


FORMS = {name: forms(value) for name, value in PLANTED.items()}


async def world(folder: Any, **more: str) -> AsyncIterator[World]:
    made = World()

    async def hear(request: web.Request) -> web.Response:
        made.heard.append(f"{request.method} {request.path} {dict(request.headers)} {await request.text()}")
        return web.json_response({"error": {"message": "no"}}, status=400)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hear)
    async with AsyncExitStack() as stack:
        made.thief = f"{await stack.enter_async_context(serving(app))}/v1"
        for name in ("model", "deepseek", "paired", "free"):
            setattr(made, name, await stack.enter_async_context(model_server()))
        providers = {"OPENAI_BASE_URL": made.model.url, "DEEPSEEK_BASE_URL": made.deepseek.url}
        allowed = {"APR_ALLOW_ENDPOINTS": f"{made.paired.url}=PAIRED_KEY {made.free.url}"}
        given = {"APR_MODEL": "openai:scripted", "APR_MAX_ROUNDS": "0", **providers, **allowed, **PLANTED, **more}
        made.url = await stack.enter_async_context(dev_server(folder, **given))
        yield made


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["open", pytest.param("tokens", marks=pytest.mark.full)]
)
async def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    tokens = {"APR_TOKENS": f"ann:{ANN} ben:{BEN}"} if request.param == "tokens" else {}
    async for made in world(tmp_path_factory.mktemp("planted"), **tokens):
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(planted: World) -> AsyncIterator[httpx.AsyncClient]:
    """The second user; where there are no tokens, whoever reaches the port."""
    headers = {"Authorization": f"Bearer {BEN}"}
    async with open_http(planted.url, headers=headers) as client:
        yield client


async def routes(caller: httpx.AsyncClient) -> list[tuple[str, str]]:
    described = (await caller.get("/openapi.json")).json()["paths"]
    found = [(method, path) for path, methods in described.items() for method in methods if method in METHODS]
    hidden = [(method, path) for method in ("get", "post") for path in HIDDEN]
    every = sorted({*found, *hidden})
    return [(method, path) for method, path in every if not any(skipped in path for skipped in SKIPPED)]


def stolen(thief: str) -> list[dict[str, Any]]:
    """List what a request may give to have a variable sent somewhere, or shown."""
    theft = {"base_url": thief, "api_key_env": "SOME_DB_PASSWORD"}
    every = dict.fromkeys(Settings.model_fields, "$SOME_DB_PASSWORD")
    return [{}, {"context": theft}, {"config": {"configurable": theft}}, {"context": every, **theft, "metadata": theft}]


async def heard_back(caller: httpx.AsyncClient, method: str, path: str, **more: Any) -> str:
    """Return the head and the body of an answer; of a stream, what comes in two seconds after its head."""
    said = ""
    try:
        async with asyncio.timeout(HEAD_TIMEOUT_S) as limit, caller.stream(method, path, **more) as answer:
            said = f"{answer.status_code} {answer.headers}"
            limit.reschedule(asyncio.get_running_loop().time() + 2)
            async for chunk in answer.aiter_text():
                said += chunk
    except (TimeoutError, httpx.TransportError):  # it goes on, or is broken off
        pass
    return said


@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.full) for turn in range(1, 4))])
async def test_no_route_tells_or_sends_a_planted_variable(planted: World, caller: httpx.AsyncClient, turn: int) -> None:
    own = (await caller.post("/threads", json={})).json()["thread_id"]
    assistant = (await caller.post("/assistants/search", json={})).json()[0]["assistant_id"]
    ids = {"thread_id": own, "assistant_id": assistant, "graph_id": "adaptive"}
    known = await routes(caller)
    assert len(known) > 60
    at_once = asyncio.Semaphore(8)

    # Each route meets one way, with each turn another; with `-m full` all.
    async def look(number: int, method: str, path: str) -> str:
        where = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: ids.get(found[1], own), path)
        if method == "delete" and "run_id" not in path:
            return "the thread and the graphs are still needed"
        ways = stolen(planted.thief)
        place = (number + turn) % len(ways)
        way = ways[place] if method in ("post", "put", "patch") else {}
        body = {**BODY, **way, "params": {**BODY, **way}, "payload": {**BODY, **way}}
        more: dict[str, Any] = {"json": [body] if path.endswith("/batch") else body} if method != "get" else {}
        kinds: tuple[dict[str, str], ...] = ({}, PAGE, {**PAGE, "Content-Type": "text/plain"})
        said = ""
        for headers in kinds if place == 1 or method == "get" else kinds[:1]:
            async with at_once:
                answer = await heard_back(caller, method, where, headers=headers, **more)
            planted.check(answer, (method, where, way, headers))
            said += answer
        return said

    said = await asyncio.gather(*(look(number, *route) for number, route in enumerate(known)))
    silent = [route for route, heard in zip(known, said, strict=True) if not heard]
    assert len(silent) < 5, silent
    assert planted.told > 100 and not planted.heard


BODY: dict[str, Any] = {
    "assistant_id": "adaptive",
    "graph_id": "adaptive",
    "input": QUESTION,
    "id": 1,
    "jsonrpc": "2.0",
    "method": "run.start",
    "channels": ["values"],
    "keys": ["x"],
    "values": {"answer": "!"},
    "namespace": ["x"],
    "key": "k",
    "value": {},
}
WAYS = ("/runs/wait", "/runs/stream", "/threads/{id}/runs/wait", "/threads/{id}/runs/stream")


SHARES = 12
"""Into so many the spellings are dealt out; each setting gets one share, and with `-m full` all."""


@pytest.mark.every_case
@pytest.mark.parametrize("name", sorted(Settings.model_fields))
@pytest.mark.parametrize("share", [0, *(pytest.param(share, marks=pytest.mark.full) for share in range(1, SHARES))])
async def test_no_setting_tells_or_sends_a_planted_variable(
    planted: World, caller: httpx.AsyncClient, name: str, share: int
) -> None:
    spelt = [form for variable in PLANTED for form in (f"${variable}", variable)]
    spelt += ["${SOME_DB_PASSWORD}", "openai:$PAIRED_KEY", "{{SOME_DB_PASSWORD}}"]
    dealt = (sorted(Settings.model_fields).index(name) + share) % SHARES
    values: list[Any] = [*spelt[dealt::SHARES], (planted.thief, ["HOME"], None)[dealt % 3]]

    async def ask(place: int) -> None:
        given, turn = {name: values[place]}, place + dealt
        way: dict[str, Any] = {"context": given} if turn % 2 else {"config": {"configurable": given}}
        # Runs of one thread do not run beside each other.
        thread = (await caller.post("/threads", json={})).json()["thread_id"]
        path = WAYS[turn // 2 % len(WAYS)].replace("{id}", thread)
        planted.check(await caller.post(path, json={"assistant_id": "adaptive", "input": QUESTION, **way}), (path, way))

    await asyncio.gather(*map(ask, range(len(values))))
    assert not planted.heard


@pytest.mark.parametrize("planted", ["open"], indirect=True, scope="module")
async def test_keys_of_two_endpoints_never_cross(planted: World, caller: httpx.AsyncClient) -> None:
    """Whatever model a setting names, at whatever address a request may name."""
    planted.model.on("assess", outline("1", "2"))
    models = [name for name in Settings.model_fields if name.endswith("model")]
    assert len(models) > 5
    servers = {"": planted.model, "deepseek": planted.deepseek, "paired": planted.paired, "free": planted.free}
    before = {name: len(server.asked) for name, server in servers.items()}
    given = [
        {name: model} | ({"base_url": address} if address else {})
        for address in (None, planted.paired.url, planted.free.url)
        for name in models
        for model in ("openai:other", "deepseek:other")
    ]

    async def ask(context: dict[str, str]) -> None:
        body = {"assistant_id": "adaptive", "input": QUESTION, "context": context}
        planted.check(await caller.post("/runs/wait", json=body), context)

    await asyncio.gather(*map(ask, given))
    sent = {
        name: {request.headers["Authorization"] for request in server.asked[before[name] :]}
        for name, server in servers.items()
    }
    keys = {
        "": OWN["OPENAI_API_KEY"],
        "deepseek": OWN["DEEPSEEK_API_KEY"],
        "paired": PAIRED["PAIRED_KEY"],
        "free": "none",
    }
    assert sent == {name: {f"Bearer {key}"} for name, key in keys.items()}
    heard = [f"{request.headers} {request.body}" for server in servers.values() for request in server.asked]
    others = [form for name in PLANTED if name not in {**OWN, **PAIRED} for form in FORMS[name]]
    assert not any(form in text for text in heard for form in others)


@pytest.mark.parametrize("planted", ["open"], indirect=True, scope="module")
async def test_a_key_that_its_own_server_repeats_is_not_told(planted: World, caller: httpx.AsyncClient) -> None:
    for key in (*OWN.values(), *PAIRED.values()):
        echo = Fault(status=401, body=f'{{"error": {{"message": "Incorrect API key provided: {key}"}}}}')
        planted.model.on("assess", echo).on("direct", echo)
        planted.paired.on("assess", echo).on("direct", echo)
        for given in ({}, {"base_url": planted.paired.url}):
            for path in ("/runs/wait", "/runs/stream"):
                body = {"assistant_id": "adaptive", "input": QUESTION, "context": given, "stream_mode": "values"}
                answer = await caller.post(path, json=body)
                assert "HTTP 401" in answer.text
                planted.check(answer, given)
