"""What all tests share: a scripted model server, and an environment that names no model or key."""

import gc
import inspect
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from nodes.llm import clients
from nodes.llm.endpoints import pace_store
from tests.support.forked import share_parent
from tests.support.server import ModelServer, model_server
from tests.support.services.postgres import Postgres, postgres

# Run in the background, tests inherit an ignored SIGINT, and so would the programs whose Ctrl-C they test.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: a busy machine is no fault.
settings.register_profile("project", deadline=None, max_examples=200 if os.environ.get("CI_FULL") else 25)
settings.load_profile("project")

MAX_CASES = 3
"""Cases of a test that runs something, see `limit_cases`."""


# Of what is imported nothing is garbage, so the collector need not look for it again and again.
gc.set_threshold(50_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    """Have several processes share the parent of what they fork: its imports take some seconds."""
    if config.getoption("numprocesses", 0):
        share_parent()


def pytest_collection_finish() -> None:
    """Have the collector leave alone what was imported for the tests."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int:
    """Have three processes a core: tests wait for what comes later more often than they compute."""
    return 3 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Limit the cases before those that are `full` are left out, and order what is left."""
    limit_cases(items)
    yield
    share_out(items)


def limit_cases(items: list[pytest.Item]) -> None:
    """Mark as `full` what is more of the same: all cases of a test but the first, the last and some in between.

    A test that runs something has `MAX_CASES`, one of plain functions or marked `every_case` all, and one marked
    `at_most` as many as it says.
    """
    cases: dict[tuple[Path, str], list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and not item.get_closest_marker("full"):
            cases.setdefault((item.path, item.originalname), []).append(item)
    for same in cases.values():
        marker = same[0].get_closest_marker("at_most")
        runs = inspect.iscoroutinefunction(same[0].function) and not same[0].get_closest_marker("every_case")
        most = marker.args[0] if marker else MAX_CASES if runs else len(same)
        kept = {round(place * (len(same) - 1) / max(1, most - 1)) for place in range(most)}
        for number, item in enumerate(same):
            if len(same) > most and number not in kept:
                item.add_marker(pytest.mark.full)


def share_out(items: list[pytest.Item]) -> None:
    """Have modules that share a server begin the run of tests of one process, where no other takes half of them.

    xdist deals out as many neighbours to each process, and has those who are done early take from the ends.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    shared: dict[Path, list[pytest.Item]] = {}
    rest: list[pytest.Item] = []
    for item in items:
        marker = item.get_closest_marker("asyncio")
        together = marker is not None and marker.kwargs.get("loop_scope") == "module"
        (shared.setdefault(item.path, []) if together else rest).append(item)
    firsts: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for module in sorted(shared.values(), key=len, reverse=True):
        min(firsts, key=len).extend(module)
    left, ordered = len(items), list[pytest.Item]()
    for number, first in enumerate(firsts):
        more = max(0, left // (processes - number) - len(first))
        ordered += first + rest[:more]
        left -= len(first) + len(rest[:more])
        del rest[:more]
    items[:] = ordered


def make_bare(monkeypatch: pytest.MonkeyPatch, kept: Path) -> None:
    """Forget what the machine has set, and keep runs, results and paces in a folder of the tests."""
    for name in list(os.environ):
        if name.startswith(("APR_", "OPENAI_", "DEEPSEEK_", "LANGSMITH_", "LANGCHAIN_")) and name != "APR_LOCAL_GGUF":
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    monkeypatch.setenv("APR_STORE", str(kept / "runs.sqlite"))
    monkeypatch.setenv("APR_CACHE_FILE", str(kept / "threads.sqlite"))


@pytest.fixture(scope="session", autouse=True)
def bare_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No server that a module's tests share depends on what the machine has set, or leaves anything where a user's is.

    It is older than what makes the environment of each test bare.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_bare(monkeypatch, tmp_path_factory.mktemp("kept", numbered=True))
        yield


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test depends on what the machine has set, or on what another one has kept."""
    make_bare(monkeypatch, tmp_path_factory.mktemp("kept", numbered=True))


@pytest.fixture(autouse=True)
def nothing_learnt() -> None:
    """No test knows what another one's server taught this process: its port may be given out again."""
    clients._learnt.clear()
    clients._limiters.clear()
    pace_store._warned.clear()


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A scripted model server."""
    async with model_server() as running:
        yield running


@pytest.fixture
def context(server: ModelServer) -> dict[str, Any]:
    """Settings that use the scripted server."""
    return {"model": "openai:scripted", "base_url": server.url}


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    """A PostgreSQL server, where the machine has its programs."""
    try:
        with postgres() as server:
            yield server
    except LookupError as missing:
        pytest.skip(str(missing))
