"""What is tried again, how often, and how long it waits."""

import email.utils
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from graphs import graph
from tests.support.server import DROP, Fault, ModelServer, Reply, Step, Tool
from tests.support.subjects.calls import PARTS, ask, both_ways, reported, spent, split


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_stays_wrong_is_not_asked_again(server: ModelServer, context: dict[str, Any], status: int) -> None:
    server.on("direct", Fault(status=status), "Yes.")
    solution = await ask(context)
    assert solution["outcome"] == "failed" and f"HTTP {status}" in solution["stop_reason"]
    assert len(server.asked) == solution["report"].calls == 1


@both_ways
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(status=500), id="500"),
        pytest.param(Fault(status=503, body="upstream gone", content_type="text/plain"), id="503"),
        pytest.param(DROP, id="dropped"),
        pytest.param(Reply(), id="empty"),
        pytest.param(Reply("<think>Hm.</think>"), id="only thought"),
        pytest.param(Tool({"a": 1}), id="tool not offered"),
    ],
)
async def test_a_passing_fault_costs_one_more_request(
    server: ModelServer, context: dict[str, Any], fault: Step, streaming: bool
) -> None:
    server.on("direct", fault, "Yes.")
    solution = await ask(context, streaming=streaming)
    assert (solution["answer"], solution["outcome"], solution["stop_reason"]) == ("Yes.", "complete", "")
    assert (len(server.asked), solution["report"].calls, solution["report"].retries) == (2, 2, 1)
    assert reported(solution) == spent(server)


async def test_a_thread_counts_its_tries(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, *PARTS)
    server.on(PARTS[1], Fault(status=500), "Result: 2")
    solution = await ask(context, graph)
    assert [thread.attempts for thread in solution["threads"]] == [1, 2, 1]
    assert [thread.usage.total for thread in solution["threads"]] == [15, 15, 15]


@both_ways
async def test_an_empty_reply_is_asked_for_once_more_and_no_further(
    server: ModelServer, context: dict[str, Any], streaming: bool
) -> None:
    server.on("direct", "")
    solution = await ask(context, streaming=streaming)
    assert solution["outcome"] == "failed" and "reply was empty" in solution["stop_reason"]
    assert len(server.asked) == 2
    assert reported(solution) == spent(server) == (20, 10, 0)


async def test_a_lasting_fault_is_given_up_after_four_requests(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", Fault(status=500, headers={"Retry-After": "0"}))
    solution = await ask(context)
    assert f"{server.url} failed (HTTP 500): " in solution["stop_reason"] and "scripted 500" in solution["stop_reason"]
    assert len(server.asked) == 4


def seconds(wait: int) -> str:
    return str(wait)


def date(wait: int) -> str:
    return email.utils.formatdate(time.time() + wait, usegmt=True)


@pytest.mark.parametrize("wish", [seconds, date])
async def test_a_rate_limited_request_waits_as_long_as_it_was_told(
    server: ModelServer, context: dict[str, Any], wish: Callable[[int], str]
) -> None:
    began = time.time()
    server.on("direct", Fault(status=429, headers={"Retry-After": wish(3)}), "Yes.")
    solution = await ask(context)
    assert solution["answer"] == "Yes." and len(server.asked) == 2
    assert time.time() - began >= 2  # a date knows whole seconds only, and a wait of our own would be under 1 s


@pytest.mark.parametrize("wish", ["3600", "inf", "Fri, 31 Dec 2100 23:59:59 GMT"])
async def test_a_wait_beyond_the_time_limit_fails_at_once_and_says_why(
    server: ModelServer, context: dict[str, Any], wish: str
) -> None:
    server.on("direct", Fault(status=429, headers={"Retry-After": wish}))
    began = time.monotonic()
    solution = await ask({**context, "request_timeout": 60})
    assert time.monotonic() - began < 30
    assert "limits the rate of requests (HTTP 429)" in solution["stop_reason"] and len(server.asked) == 1


@pytest.mark.parametrize(("wish", "asked"), [("3600s", 1), ("3600.5s", 1), ("soon", 2), (7, 2), ("0s", 2)])
async def test_googles_wish_to_wait_stands_in_its_error(
    server: ModelServer, context: dict[str, Any], wish: Any, asked: int
) -> None:
    kind = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wish}
    error = {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED", "details": ["?", kind]}
    server.on("direct", Fault(429, json.dumps([{"error": error}])), "Yes.")
    solution = await ask({**context, "request_timeout": 60})
    assert len(server.asked) == asked
    if asked == 1:
        assert "limits the rate of requests (HTTP 429): Quota exceeded." in solution["stop_reason"]


@pytest.mark.parametrize("wish", ["soon", "", "-3", "nan"])
async def test_a_senseless_wait_is_passed_over(server: ModelServer, context: dict[str, Any], wish: str) -> None:
    server.on("direct", Fault(status=429, headers={"Retry-After": wish}), "Yes.")
    assert (await ask(context))["answer"] == "Yes."
