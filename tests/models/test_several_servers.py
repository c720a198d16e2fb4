"""Servers and keys of a role's own, and several servers for one role."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from graphs import graph
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from tests.support.server import HANG, Fault, ModelServer, Reply, model_server
from tests.support.subjects.calls import ask, split

FOUR = [f"What is {number}?" for number in ("one", "two", "three", "four")]
KEYS = {name: f"planted-{name.lower()}-0123456789" for name in ("OPENAI_API_KEY", "SOLVE_KEY", "LATER_KEY", "PAIR_KEY")}
SERVED: Any = {"configurable": {"graph_id": "any", "assistant_id": "any"}}


@pytest.fixture
async def other() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)


def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def sent_to(server: ModelServer) -> set[str]:
    """The keys that a server was sent."""
    return {request.headers["Authorization"].removeprefix("Bearer ") for request in server.asked}


# Several servers for one role


async def test_threads_go_to_the_least_loaded_server(server: ModelServer, other: ModelServer) -> None:
    held = asyncio.Event()
    for one in (server, other):
        split(one, *FOUR)
        one.on("solve", Reply("Result: 1", held=held))
    context = {"model": "openai:scripted", "base_url": [server.url, other.url]}
    run = asyncio.create_task(ask(context, graph))
    await asyncio.gather(server.wait_for(2, "solve"), other.wait_for(2, "solve"))
    held.set()
    solution = await run
    assert solution["outcome"] == "complete"
    assert len(server.calls("solve")) == len(other.calls("solve")) == 2
    asked = {call.thread_id: call.server for call in solution["calls"] if call.thread_id}
    assert sorted(asked.values()) == sorted([server.url, other.url] * 2)


async def test_nothing_is_lost_when_a_server_is_killed(server: ModelServer) -> None:
    split(server, *FOUR)
    async with AsyncExitStack() as stack:
        killed = await stack.enter_async_context(model_server())
        killed.on("solve", HANG)
        context = {"model": "openai:scripted", "base_url": f"{server.url}, {killed.url}"}
        run = asyncio.create_task(ask(context, graph))
        await killed.wait_for(1, "solve")
        await stack.aclose()
        solution = await run
    assert (solution["outcome"], [thread.status for thread in solution["threads"]]) == ("complete", ["answered"] * 4)
    lost = [call for call in solution["calls"] if call.server == killed.url]
    assert lost and {call.status for call in lost} <= {"dropped", "unreachable"}
    # Who lost its server is answered at once by the other.
    assert solution["report"].fallbacks == 0 and all(thread.attempts <= 2 for thread in solution["threads"])


async def test_dead_servers_cost_tries_and_no_answer(server: ModelServer) -> None:
    dead = [nobody() for _ in range(5)]
    solution = await ask({"model": "openai:scripted", "base_url": [*dead, server.url]})
    assert solution["outcome"] == "complete" and len(server.asked) == 1
    assert [call.status for call in solution["calls"]] == ["unreachable"] * 5 + ["ok"]
    again = await ask({"model": "openai:scripted", "base_url": [*dead, server.url]})
    assert [call.status for call in again["calls"]] == ["ok"]


async def test_all_servers_dead_is_told_and_ends(server: ModelServer) -> None:
    solution = await ask({"model": "openai:scripted", "base_url": [nobody(), nobody()], "request_timeout": 20})
    assert solution["outcome"] == "failed" and "cannot reach" in solution["stop_reason"]
    assert 2 <= len(solution["calls"]) <= 8


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
async def test_a_server_that_fails_is_left_out_for_a_while(
    server: ModelServer, other: ModelServer, status: int
) -> None:
    server.on("direct", Fault(status=status, headers={"Retry-After": "5"}), "Here again.")
    context = {"model": "openai:scripted", "base_url": [server.url, other.url]}
    first, second = await ask(context), await ask(context)
    assert first["outcome"] == second["outcome"] == "complete"
    assert (len(first["calls"]), len(second["calls"]), len(server.asked), len(other.asked)) == (2, 1, 1, 2)


async def test_a_server_that_was_left_out_is_asked_again(server: ModelServer, other: ModelServer) -> None:
    server.on("direct", Fault(status=503, headers={"Retry-After": "1"}), "Here again.")
    context = {"model": "openai:scripted", "base_url": [server.url, other.url]}
    answers = [(await ask(context))["answer"]]
    async with asyncio.timeout(60):
        while answers[-1] != "Here again.":
            answers.append((await ask(context))["answer"])
    assert len(answers) > 1 and len(server.asked) == 2


async def test_what_is_wrong_with_a_request_is_asked_nowhere_else(server: ModelServer, other: ModelServer) -> None:
    server.on("direct", Fault(status=400))
    solution = await ask({"model": "openai:scripted", "base_url": [server.url, other.url]})
    assert solution["outcome"] == "failed" and (len(server.asked), len(other.asked)) == (1, 0)


# Servers and keys of a role's own


@pytest.mark.usefixtures("keys")
async def test_no_key_goes_to_another_roles_server(server: ModelServer, other: ModelServer) -> None:
    split(server, *FOUR)
    server.on("review", Fault(status=401))
    async with model_server() as later, model_server() as free:
        context = {
            "model": "openai:scripted",
            "base_url": server.url,
            "solve_base_url": other.url,
            "solve_api_key_env": "SOLVE_KEY",
            "fallback_model": "openai:scripted",
            "fallback_base_url": later.url,
            "fallback_api_key_env": "LATER_KEY",
        }
        solution = await ask(context, graph)
        assert solution["outcome"] == "complete" and later.calls("review") and other.calls("solve")
        assert (sent_to(server), sent_to(other), sent_to(later)) == (
            {KEYS["OPENAI_API_KEY"]},
            {KEYS["SOLVE_KEY"]},
            {KEYS["LATER_KEY"]},
        )
        for one, own in ((server, "OPENAI_API_KEY"), (other, "SOLVE_KEY"), (later, "LATER_KEY")):
            seen = str([(request.headers, request.body) for request in one.asked])
            assert not [name for name, key in KEYS.items() if name != own and key in seen]
        # A server of a role's own for which no key is named gets none.
        await ask({**context, "solve_base_url": free.url, "solve_api_key_env": None}, graph)
        assert sent_to(free) == {"none"}


async def test_a_roles_dead_server_does_not_rule_out_anothers(server: ModelServer) -> None:
    context = {"model": "openai:scripted", "base_url": server.url, "assess_base_url": nobody(), "request_timeout": 10}
    solution = await ask(context, graph)
    assert solution["outcome"] == "complete" and len(server.calls("direct")) == 1


async def test_a_missing_key_of_a_role_is_told_by_name(server: ModelServer) -> None:
    context = {"model": "openai:scripted", "base_url": server.url, "review_api_key_env": "UNSET_KEY"}
    with pytest.raises(ConfigurationError, match="UNSET_KEY is not set.*`review_api_key_env`"):
        await ask(context, graph)
    assert not server.asked


@pytest.mark.usefixtures("keys")
async def test_a_served_request_gets_the_key_that_is_listed_with_an_address(
    server: ModelServer, other: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with model_server() as free:
        monkeypatch.setenv("APR_ALLOW_ENDPOINTS", f"{other.url}=PAIR_KEY {free.url}")
        monkeypatch.setenv("APR_BASE_URL", server.url)
        monkeypatch.setenv("APR_SOLVE_API_KEY_ENV", "SOLVE_KEY")
        for one in (server, other, free):
            split(one, *FOUR)

        async def served(**given: Any) -> list[set[str]]:
            before = [len(one.asked) for one in (server, other, free)]
            solution = await graph.ainvoke({"question": "What?"}, SERVED, context={"model": "openai:s", **given})
            assert solution["outcome"] == "complete"
            new = [one.asked[start:] for one, start in zip((server, other, free), before, strict=True)]
            return [{request.headers["Authorization"].removeprefix("Bearer ") for request in asked} for asked in new]

        openai, solve, pair = KEYS["OPENAI_API_KEY"], KEYS["SOLVE_KEY"], KEYS["PAIR_KEY"]
        assert await served() == [{openai, solve}, set(), set()]
        assert await served(base_url=other.url) == [set(), {pair}, set()]
        assert await served(base_url=free.url) == [set(), set(), {"none"}]
        assert await served(solve_base_url=free.url) == [{openai}, set(), {"none"}]
        assert await served(solve_base_url=other.url) == [{openai}, {pair}, set()]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("role", ["assess", "decompose", "solve", "review", "fallback"])
async def test_a_served_request_may_not_send_a_roles_key_elsewhere(
    server: ModelServer, other: ModelServer, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setenv("APR_BASE_URL", server.url)
    thefts: list[dict[str, Any]] = [
        {f"{role}_base_url": other.url},
        {f"{role}_base_url": [server.url, other.url]},
        {f"{role}_api_key_env": "SOLVE_KEY"},
        {f"{role}_base_url": other.url, f"{role}_api_key_env": "OPENAI_API_KEY"},
    ]
    for theft in thefts:
        with pytest.raises(ConfigurationError, match=f"`{role}_.*is not a request's to choose"):
            await graph.ainvoke({"question": "What?"}, SERVED, context={"model": "openai:s", **theft})
    assert not server.asked and not other.asked


def test_addresses_are_kept_as_text_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(base_url=["http://a/v1/", " http://b/v1", "http://a/v1"]).base_url == "http://a/v1,http://b/v1"
    monkeypatch.setenv("APR_SOLVE_BASE_URL", "http://a/v1, http://b/v1,")
    assert Settings().solve_base_url == "http://a/v1,http://b/v1"
    assert Settings().servers_for("solve").addresses == ("http://a/v1", "http://b/v1")
    for wrong in ("http://a/v1,ftp://b", ["http://a/v1", "me:hush@b"], ","):
        with pytest.raises(ValueError, match="solve_base_url") as refused:
            Settings(solve_base_url=wrong)
        assert "hush" not in str(refused.value)
