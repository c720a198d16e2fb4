"""What endpoints have shown is kept for later processes, and nothing about that can fail a run."""

import asyncio
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from graphs import graph
from nodes.llm import clients
from nodes.llm.endpoints import pace_store
from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.endpoints.pace import Pace, Shown, Stage
from nodes.llm.endpoints.pace_store import MAX_ENDPOINTS, PACE_FILE, add_to_pace, find_or_measure, find_pace
from nodes.state import Solution
from tests.support.command import apr
from tests.support.forked import fork
from tests.support.server import ModelServer, Reply, outline, review

PARTS = ["What is one?", "What is two?"]
QUESTION = "One and two?"
ONE = Shown("solve", True, read=0, written=10, seconds=1.0)
ADD_MANY = """
from tests.history.test_pace import ONE, add_to_pace
print("ready", flush=True)
input()
for _ in range(100):
    assert add_to_pace("both", [ONE]) is not None
"""


def folder() -> Path:
    return Path(os.environ["APR_STORE"] + ".endpoints")


def kept() -> dict[str, Any]:
    return dict(json.loads((folder() / PACE_FILE).read_bytes()))


def slow_review(server: ModelServer) -> None:
    """Reviews take so long that a split does not pay."""
    server.on("assess", outline(*PARTS))
    said = json.dumps(review("Both."))
    server.on("review", Reply(said, completion_tokens=1_300, delay=1.3))
    for part in PARTS:
        server.on(part, Reply("Result: it", completion_tokens=10, delay=0.01))


async def test_a_fresh_process_weighs_a_split_as_a_long_lived_one_does(server: ModelServer) -> None:
    slow_review(server)
    ends = [await apr(server, QUESTION, "--json") for _ in range(3)]
    assert [status for status, _, _ in ends] == [0, 0, 0], ends
    solutions = [Solution.model_validate_json(out) for _, out, _ in ends]
    assert [solution.route for solution in solutions] == ["parallel", "parallel", "direct"]
    ahead = solutions[2].report.forecast
    assert ahead and not ahead.pays and ahead.came_s is not None
    assert f"forecast: {ahead}\n" in ends[2][2], "the summary says what was forecast and what came"
    assert "Answering in one call, since splitting into 2 threads cannot save time" in ends[2][2]
    assert "forecast" not in ends[0][2]


@pytest.mark.parametrize("none", ["environment", "option"])
async def test_where_no_runs_are_kept_nothing_of_endpoints_is(server: ModelServer, tmp_path: Path, none: str) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path / "state")}
    if none == "environment":
        status, _, err = await apr(server, "Why?", APR_STORE="none", **home)
    else:
        status, _, err = await apr(server, "Why?", "--store", "none", **home)
    assert status == 0, err
    assert not (tmp_path / "state").exists() and not folder().exists()


async def test_runs_in_a_database_leave_it_in_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ModelServer, context: dict[str, Any]
) -> None:
    monkeypatch.setenv("APR_STORE", "postgresql://apr:secret-word@127.0.0.1:9/apr")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    await ask("One?", context)
    assert [path.name for path in await asyncio.to_thread(lambda: sorted(tmp_path.rglob("*.json")))] == [PACE_FILE]


def wait_until_there(file: Path) -> None:
    until = time.monotonic() + 30
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.02)


async def ask(question: str, context: dict[str, Any]) -> None:
    """Run the graph on an event loop of its own, to the end of both."""

    async def run() -> None:
        await graph.ainvoke({"question": question}, context=context)

    await asyncio.to_thread(asyncio.run, run())


async def test_a_run_leaves_what_it_has_seen_and_no_key_or_address(
    server: ModelServer, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    server.on("assess", outline(*PARTS))
    await ask(QUESTION, context)
    (entry,) = (await asyncio.to_thread(kept)).values()
    assert {name: one["calls"] for name, one in entry["pace"]["stages"].items()} == {
        "assess": 1,
        "solve": 2,
        "review": 1,
    }
    content = await asyncio.to_thread((folder() / PACE_FILE).read_text)
    assert not any(word in content for word in ("secret", "127.0.0.1", "scripted", "One and two"))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder(), folder() / PACE_FILE, folder() / "pace.lock")]
    assert modes == [0o700, 0o600, 0o600]


def test_neither_a_key_nor_a_password_makes_another_endpoint_but_model_and_address_do() -> None:
    def known_as(name: str, base_url: str, key: str) -> str:
        return Endpoint(f"openai:{name}", "openai", name, base_url, SecretStr(key)).fingerprint

    one = known_as("a", "http://host/v1", "first")
    assert one == known_as("a", "http://me:password@host/v1", "second")
    assert len({one, known_as("b", "http://host/v1", "first"), known_as("a", "http://host:1/v1", "first")}) == 3


async def test_processes_that_write_at_once_lose_nothing() -> None:
    processes = [await fork("-c", code=ADD_MANY, env=os.environ) for _ in range(3)]
    for process in processes:
        assert process.stdout and await process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write(b"start\n")
    assert [await process.wait() for process in processes] == [0, 0, 0]
    known = await asyncio.to_thread(find_pace, "both")
    assert known and known.of("solve").calls == 300


async def test_a_long_lived_process_leaves_it_for_others_while_it_goes_on(
    server: ModelServer, context: dict[str, Any]
) -> None:
    await graph.ainvoke({"question": "One?"}, context=context)
    await asyncio.to_thread(wait_until_there, folder() / PACE_FILE)
    (entry,) = (await asyncio.to_thread(kept)).values()
    assert entry["pace"]["stages"]["direct"]["calls"] == 1


async def test_what_others_see_meanwhile_is_taken_over(server: ModelServer, context: dict[str, Any]) -> None:
    await ask("One?", context)
    (known,) = await asyncio.to_thread(kept)
    for _ in range(5):
        await asyncio.to_thread(add_to_pace, known, [ONE])
    await ask("One?", context)
    (learnt,) = clients._learnt.values()
    assert (learnt.pace.of("solve").calls, learnt.pace.of("direct").calls) == (5, 2)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 99, b'{"a": {"at": 1, "pace": {"alone": {"ww": -1}}}}'],
    ids=["empty", "bytes", "negative"],
)
async def test_a_damaged_file_costs_a_warning_and_is_begun_anew(server: ModelServer, content: bytes) -> None:
    await asyncio.to_thread(folder().mkdir)
    await asyncio.to_thread((folder() / PACE_FILE).write_bytes, content)
    status, out, err = await apr(server, "Why?")
    assert (status, out) == (0, "Thinking.\nResult: answer to direct\n") and "Traceback" not in err
    assert err.count("it is damaged; it is begun anew") == 1
    status, _, err = await apr(server, "Why?")
    assert status == 0 and "damaged" not in err and len(await asyncio.to_thread(kept)) == 1


@pytest.mark.parametrize("place", ["a file in its place", "no folder can be made", "no file can be written"])
async def test_a_place_that_cannot_be_written_costs_a_warning(server: ModelServer, tmp_path: Path, place: str) -> None:
    store = Path(os.environ["APR_STORE"])
    if place == "a file in its place":
        await asyncio.to_thread(folder().write_text, "mine")
    elif place == "no folder can be made":
        store = Path("/proc/nowhere/runs.sqlite")
    else:
        # The name is taken by a folder: for a user who may write anywhere, no mode would keep the file away.
        await asyncio.to_thread((folder() / "pace-1.writing").mkdir, parents=True)
    status, out, err = await apr(server, "Why?", APR_STORE=str(store))
    assert (status, out) == (0, "Thinking.\nResult: answer to direct\n") and "Traceback" not in err
    assert err.count("what endpoints have shown cannot be kept in") == 1


async def test_who_holds_the_lock_for_long_costs_a_warning_and_no_answer(server: ModelServer) -> None:
    await asyncio.to_thread(folder().mkdir)
    with pace_store._lock(folder(), "pace.lock", patience=1):
        status, out, err = await apr(server, "Why?")
    assert (status, out) == (0, "Thinking.\nResult: answer to direct\n")
    assert "what endpoints have shown cannot be kept in" in err and "Traceback" not in err


def test_the_endpoints_asked_last_stay() -> None:
    for number in range(MAX_ENDPOINTS + 5):
        add_to_pace(f"e{number}", [ONE])
        if number == 10:
            add_to_pace("e0", [ONE])
    assert len(kept()) == MAX_ENDPOINTS
    assert find_pace("e5") is None and all(find_pace(endpoint) for endpoint in ("e0", "e6", "e204"))


def test_an_endpoint_is_measured_once_and_not_while_another_process_is_at_it() -> None:
    measured = Pace(stages={"solve": Stage(output=60, usual=True)})
    with pace_store._lock(folder(), "measuring.lock", patience=1):
        find_or_measure("local", lambda: pytest.fail("measured twice at once"))
    find_or_measure("local", lambda: measured)
    assert find_pace("local") == measured
    find_or_measure("local", lambda: pytest.fail("measured again"))


@given(
    st.lists(
        st.builds(
            Shown,
            st.sampled_from(["assess", "solve", "review"]),
            st.booleans(),
            st.integers(0, 10**6),
            st.integers(0, 10**6),
            st.floats(0, 10**5),
        ),
        max_size=9,
    )
)
def test_what_is_kept_is_what_was_seen(shown: list[Shown]) -> None:
    seen = Pace()
    for one in shown:
        seen.take(one)
    endpoint = f"endpoint {time.perf_counter_ns()}"
    middle = len(shown) // 2
    add_to_pace(endpoint, shown[:middle])
    assert add_to_pace(endpoint, shown[middle:]) == seen == find_pace(endpoint)
