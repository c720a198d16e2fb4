"""Every fault at every call of a vote or a search: the run ends, says why it has no answer, and counts what it used."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from nodes.state import Solution
from tests.support.kept import KEY
from tests.support.server import DROP, HANG, Fault, ModelServer, Reply
from tests.support.subjects.solvers import ASKED, rate, solve, step

THREAD_TIMEOUT_S = 6
CUT = Reply("I think, therefore", finish_reason="length")
BROKEN, MISFIT = '{"scores": [1', {"scores": "many", "step": 1, "lesson": []}


def status(number: int) -> Fault:
    return Fault(number, json.dumps({"error": {"message": f"scripted (Authorization: Bearer {KEY})"}}))


FAULTS: dict[str, Any] = {
    "429": status(429),
    "500": status(500),
    "401": status(401),
    "dropped half-way": DROP,
    "hangs": HANG,
    "empty": "",
    "cut": CUT,
    "broken JSON": BROKEN,
    "misfit": MISFIT,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "vote": {"solver": "vote", "samples": 3},
    "tree": {"solver": "tree", "tree_iterations": 2, "tree_width": 2},
}
CALLS = [("vote", ASKED), ("tree", "step"), ("tree", "rate"), ("tree", "lesson")]


def script(server: ModelServer) -> None:
    """Script a vote that agrees, and a search that fails once, learns from it, and ends."""
    server.on(ASKED, "Seven.\nResult: 7")
    server.on("step", step("One way.", "8"), step("Another.", "9"), step("A third.", "7"))
    server.on("rate", rate(2, 1), rate(10, 9))
    server.on("lesson", {"lesson": "It is an odd number."})


async def run(server: ModelServer, context: Mapping[str, Any], solver: str) -> Solution:
    solution = await solve(server, {**context, **SETTINGS[solver], "thread_timeout": THREAD_TIMEOUT_S})
    async with asyncio.timeout(10):
        await server.wait_until_idle()
    # What a request used that broke off is estimated: its server did not get to say.
    if not solution.report.uncounted:
        assert (solution.report.tokens.input, solution.report.tokens.output) == tuple(
            server.usage[name] for name in ("input", "output")
        )
        assert solution.report.calls == len(server.asked)
    shown = solution.model_dump_json()
    assert KEY not in shown and "Traceback" not in shown
    return solution


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


at_every_call = pytest.mark.parametrize(
    ("solver", "call", "fault"),
    [pytest.param(*call, fault, id=f"{call[0]}-{call[1]}-{name}") for call in CALLS for name, fault in FAULTS.items()],
)


@at_every_call
async def test_one_fault_costs_at_most_its_own_call(
    server: ModelServer, context: dict[str, Any], solver: str, call: str, fault: Any
) -> None:
    script(server)
    server.on(call, fault, *server.script[call])
    solution = await run(server, context, solver)
    assert solution.outcome == "complete" and solution.answer, solution.stop_reason


@at_every_call
async def test_a_fault_that_lasts_costs_no_more_than_what_needs_the_call(
    server: ModelServer, context: dict[str, Any], solver: str, call: str, fault: Any
) -> None:
    script(server)
    server.on(call, fault)
    solution = await run(server, context, solver)
    # A rating or a lesson only guides; what is no JSON is a sample like any other.
    if call in ("rate", "lesson") or (solver == "vote" and fault in (BROKEN, MISFIT)):
        assert solution.outcome == "complete" and solution.answer, solution.stop_reason
    else:
        assert solution.outcome != "complete" and solution.stop_reason
