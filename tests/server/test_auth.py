"""The server with tokens: every route refuses strangers, and nobody reaches what is another's."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from nodes.shared.auth_tokens import read_tokens, user_of
from nodes.shared.environment import environment_secrets
from tests.support.server import HANG, ModelServer, model_server, outline
from tests.support.services.studio import dev_server, open_http

pytest.importorskip("langgraph_api", reason="`langgraph dev` needs the `dev` extra")

ANN, BEN, WRONG = "ann-0123456789abcdef", "ben-fedcba9876543210", "eve-0123456789abcdef"
QUESTION = {"question": "What is one? What is two?"}
OTHER = {"question": "Another one?"}
PARTS = ["What is one?", "What is two?"]
METHODS = ("get", "post", "put", "patch", "delete")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as server:
        server.on("assess", outline(*PARTS))
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    settings = {"APR_MODEL": "openai:scripted", "APR_BASE_URL": model.url, "APR_TOKENS": f"ann:{ANN}, ben:{BEN}"}
    async with dev_server(tmp_path_factory.mktemp("auth"), **settings) as address:
        yield address


def client(url: str, token: str = "") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return open_http(url, headers=headers)


async def routes(url: str) -> list[tuple[str, str]]:
    """List every route that the server has, from its own description, and those that it keeps out of it."""
    async with client(url, ANN) as ann:
        described = (await ann.get("/openapi.json")).json()["paths"]
    found = [(method, path) for path, methods in described.items() for method in methods if method in METHODS]
    hidden = [
        ("get", path) for path in ("/", "/ok", "/info", "/metrics", "/docs", "/openapi.json", "/report/{thread_id}")
    ]
    hidden.append(("post", "/threads/{thread_id}/stop/{part}"))
    return sorted({*found, *hidden})


def filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: ids.get(match[1], "8a0d5b6e-0000-4000-8000-000000000000"), path)


@pytest.mark.parametrize("token", ["", WRONG, ANN[:-1], f"{ANN}x"])
async def test_no_route_answers_without_a_token(url: str, model: ModelServer, token: str) -> None:
    before = len(model.asked)
    said = set()
    async with client(url, token) as stranger:
        for method, path in await routes(url):
            body: dict[str, Any] = (
                {"json": {"assistant_id": "adaptive", "input": QUESTION}} if method in ("post", "put", "patch") else {}
            )
            answer = await stranger.request(method, filled(path, {}), **body)
            assert answer.status_code == 401, (method, path)
            told = answer.json()
            said.add(told["error"]["message"] if path.startswith("/v1") else told["detail"])
    assert len(await routes(url)) > 40 and len(said) == 1 and len(model.asked) == before


async def finished(owner: httpx.AsyncClient) -> dict[str, str]:
    """Make a thread with a finished run."""
    thread = (await owner.post("/threads", json={})).json()["thread_id"]
    run = await owner.post(f"/threads/{thread}/runs", json={"assistant_id": "adaptive", "input": QUESTION})
    assert run.status_code == 200, run.text
    ids = {"thread_id": thread, "run_id": run.json()["run_id"]}
    assert (await owner.get(f"/threads/{thread}/runs/{ids['run_id']}/join")).json()["outcome"] == "complete"
    return ids


async def test_a_user_has_what_is_theirs(url: str) -> None:
    async with client(url, ANN) as ann:
        ids = await finished(ann)
        assert (await ann.get(f"/threads/{ids['thread_id']}")).json()["values"]["answer"]
        assert [run["run_id"] for run in (await ann.get(f"/threads/{ids['thread_id']}/runs")).json()] == [ids["run_id"]]
        assert ids["thread_id"] in {found["thread_id"] for found in (await ann.post("/threads/search", json={})).json()}
        page = await ann.get(f"/report/{ids['thread_id']}")
        assert page.status_code == 200 and PARTS[0] in page.text
        assert {found["graph_id"] for found in (await ann.post("/assistants/search", json={})).json()} == {
            "adaptive",
            "chat",
            "native",
            "sequential",
        }
        stateless = await ann.post("/runs/wait", json={"assistant_id": "adaptive", "input": QUESTION})
        assert stateless.json()["outcome"] == "complete"


async def test_nobody_reaches_what_is_anothers_by_any_route(url: str, model: ModelServer) -> None:
    async with client(url, ANN) as ann, client(url, BEN) as ben:
        ids = await finished(ann)
        before, asked = (await ann.get(f"/threads/{ids['thread_id']}")).json(), len(model.asked)
        tried = [(method, path) for method, path in await routes(url) if "{thread_id}" in path or "/internal" in path]
        # The dev server has none, and fails on these for everybody.
        tried = [(method, path) for method, path in tried if "crons" not in path]
        assert len(tried) > 15
        problems: list[Any] = []
        for method, path in tried:
            body = {
                "channels": ["values"],
                "id": 1,
                "method": "run.start",
                "params": {"assistant_id": "adaptive", "input": OTHER},
                "assistant_id": "adaptive",
                "input": OTHER,
                "metadata": {"owner": "ben"},
                "values": {"answer": "!"},
            }
            given: dict[str, Any] = {"json": body} if method in ("post", "put", "patch") else {}
            try:
                answer = await ben.request(method, filled(path, ids), **given)
            except httpx.ReadError as error:
                problems.append((method, path, error))
                continue
            # Streams and commands have begun before they are refused.
            refused = answer.status_code in (403, 404, 409, 422) or "404: Thread" in answer.text or not answer.text
            if not refused:
                problems.append((method, path, answer.status_code, answer.text[:300]))
            assert PARTS[0] not in answer.text and before["values"]["answer"] not in answer.text
        assert not problems
        for path in ("/threads/search", "/threads/count"):
            assert (await ben.post(path, json={"metadata": {"owner": "ann"}})).json() in ([], 0)
        assert (await ann.get(f"/threads/{ids['thread_id']}")).json() == before and len(model.asked) == asked


async def test_a_running_run_is_not_cancelled_by_another(url: str, model: ModelServer) -> None:
    async with client(url, ANN) as ann, client(url, BEN) as ben:
        model.on("review", HANG)
        try:
            thread = (await ann.post("/threads", json={})).json()["thread_id"]
            started = await ann.post(f"/threads/{thread}/runs", json={"assistant_id": "adaptive", "input": QUESTION})
            run = started.json()["run_id"]
            await model.wait_for(len(model.calls("review")) + 1, "review")
            for path, body in (
                (f"/threads/{thread}/runs/{run}/cancel", {}),
                ("/runs/cancel", {"thread_id": thread, "run_ids": [run]}),
                ("/runs/cancel", {"status": "all"}),
            ):
                await ben.post(path, json=body)
                assert (await ann.get(f"/threads/{thread}/runs/{run}")).json()["status"] == "running", path
            assert (await ann.post(f"/threads/{thread}/runs/{run}/cancel?wait=true")).status_code in (200, 204)
        finally:
            model.script.pop("review")


async def test_a_thread_of_a_run_is_stopped_by_its_owner_alone(url: str, model: ModelServer) -> None:
    async with client(url, ANN) as ann, client(url, BEN) as ben:
        model.on(PARTS[1], HANG)
        try:
            thread = (await ann.post("/threads", json={})).json()["thread_id"]
            started = await ann.post(f"/threads/{thread}/runs", json={"assistant_id": "adaptive", "input": QUESTION})
            run, stop = started.json()["run_id"], f"/threads/{thread}/stop/T2"
            await model.wait_for(len(model.calls("solve")) + 2, "solve")
            (hanging,) = [asked for asked in model.about(PARTS[1]) if not asked.ended]
            others = await ben.post(stop)
            assert (others.status_code, others.text) == (404, f"{thread}: no such thread\n") and not hanging.ended
            assert (await ann.get(stop)).status_code in (404, 405)
            for wrong in (f"/threads/{thread}/stop/T9", f"/threads/{run}/stop/T2"):
                assert (await ann.post(wrong)).status_code == 404
            assert not hanging.ended and (await ann.post(stop)).text == f"{thread}: T2 stops\n"
            values = (await ann.get(f"/threads/{thread}/runs/{run}/join")).json()
            assert (values["outcome"], values["threads"][1]["stopped"]) == ("partial", "person") and hanging.dropped
            again = await ann.post(stop)
            assert (again.status_code, again.text) == (404, f"{thread}: no thread T2 is at work in this process\n")
        finally:
            model.script.pop(PARTS[1])


async def test_the_graphs_are_nobodys_to_change_and_the_store_is_shut(url: str) -> None:
    async with client(url, BEN) as ben:
        graph = (await ben.post("/assistants/search", json={})).json()[0]["assistant_id"]
        assert (await ben.post("/assistants", json={"graph_id": "adaptive"})).status_code == 403
        assert (await ben.patch(f"/assistants/{graph}", json={"name": "mine"})).status_code == 403
        assert (await ben.delete(f"/assistants/{graph}")).status_code == 403
        assert (await ben.put("/store/items", json={"namespace": ["a"], "key": "k", "value": {}})).status_code == 403


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ann", "entry 1 is not of the form name:token"),
        (f"ann:{ANN} :x", "entry 2"),
        ("", "is set and holds no token"),
        (" ,\n", "is set and holds no token"),
        (f'"ann:{ANN}"', "holds quotation marks"),
        (f"ann:'{ANN}'", "holds quotation marks"),
        ("ann:short", "the token of `ann` has 5 characters, the least is 16"),
        (f"ann:{ANN},ben:{ANN}", "`ann` and `ben` have the same token"),
    ],
)
async def test_malformed_tokens_are_refused_without_being_shown(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        read_tokens(text)
    assert ANN not in str(refused.value)


@pytest.mark.parametrize("held", ["", *(pytest.param(one, marks=pytest.mark.full) for one in (" ", f"'ann:{ANN}'"))])
async def test_a_server_whose_tokens_are_none_does_not_start(tmp_path: Path, held: str) -> None:
    with pytest.raises(AssertionError, match="ended before it answered"):
        async with dev_server(tmp_path, APR_TOKENS=held):
            pass


async def test_tokens_are_known_by_the_whole_and_masked_as_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = read_tokens(f" ann:{ANN},\n ben:{BEN} ")
    assert (user_of(f"Bearer {ANN}", tokens), user_of(f"bearer  {BEN}", tokens)) == ("ann", "ben")
    assert [user_of(header, tokens) for header in ("", ANN, f"Basic {ANN}", f"Bearer {ANN[:-1]}", "Bearer ü")] == [
        None
    ] * 5
    monkeypatch.setenv("APR_TOKENS", f"ann:{ANN} ben:{BEN}")
    assert {ANN, BEN} <= set(environment_secrets())
