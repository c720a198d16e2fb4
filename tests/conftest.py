"""What all tests share: a scripted model server, and an environment that names no model or key."""

import gc
import os
import signal
from collections import Counter
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
settings.register_profile("project", deadline=None)
settings.load_profile("project")

_collected: Counter[tuple[Path, str]] = Counter()
"""Cases so far of each test marked `one_in`; of one axis, less those that are `full` anyway."""


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


def pytest_itemcollected(item: pytest.Item) -> None:
    """Of the cases of a test marked `one_in(n)`, leave every n-th, the first of all included, and mark the rest `full`.

    Of a matrix these lie on diagonals, so that each value meets some of the others wherever there are `n` of them.
    """
    marker = item.get_closest_marker("one_in")
    if marker is None or not isinstance(item, pytest.Function):
        return
    axes = [mark.args[1] for mark in item.iter_markers("parametrize")]
    if len(axes) == 1 and item.get_closest_marker("full"):
        return
    name = (item.path, item.originalname)
    number, places = _collected[name], 0
    _collected[name] += 1
    for values in reversed(axes[1:]):
        number, place = divmod(number, len(values))
        places += place
    if (number + places) % marker.args[0]:
        item.add_marker(pytest.mark.full)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
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


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test depends on what the machine has set, or leaves runs, results and paces where a user's are."""
    for name in list(os.environ):
        if name.startswith(("APR_", "OPENAI_", "DEEPSEEK_", "LANGSMITH_", "LANGCHAIN_")) and name != "APR_LOCAL_GGUF":
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    kept = tmp_path_factory.mktemp("kept", numbered=True)
    monkeypatch.setenv("APR_STORE", str(kept / "runs.sqlite"))
    monkeypatch.setenv("APR_CACHE_FILE", str(kept / "threads.sqlite"))
    yield


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


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """A PostgreSQL server, where the machine has its programs."""
    try:
        with postgres() as server:
            yield server
    except LookupError as missing:
        pytest.skip(str(missing))
