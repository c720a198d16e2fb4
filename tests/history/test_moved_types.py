"""Runs whose types lay in other modules when they were kept are read, shown and resumed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from graphs.history.runs import Runs, config
from graphs.history.store import open_store
from nodes.boundary.stored_types import list_types
from nodes.settings import Settings
from nodes.state import Problem, State, ThreadTask
from tests.support.command import apr
from tests.support.server import HANG, ModelServer, Reply, outline

PARTS = ["What is part 1?", "What is part 2?", "What is part 3?"]
PLACE = "nodes.results"
"""A module that is no more."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


@contextmanager
def older_version() -> Iterator[None]:
    """What writes inside names that module."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in list_types(Problem, State, ThreadTask):
            patch.setattr(kind, "__module__", PLACE)
        yield


async def keep(server: ModelServer, place: Path, *, until: int) -> str:
    """Keep a run until so many results are there, or to its end; returns its id."""
    settings = Settings(model="openai:scripted", base_url=server.url)
    problem = Problem(question=" ".join(PARTS))
    server.on("assess", outline(*(f"{number}: {part}" for number, part in enumerate(PARTS, 1))))
    async with open_store(str(place)) as store:
        runs, written = Runs(store), 0
        async with runs.begin(problem, settings.show(), sequential=False) as entry:
            stream = runs.graph(entry).astream(problem.model_dump(), config(entry), context=settings, durability="sync")
            async for update in stream:
                written += "solve" in update
                if written == until:
                    await stream.aclose()
                    return entry.id
            await runs.end(entry, "complete")
    return entry.id


async def test_runs_of_an_older_version_are_listed_and_shown(server: ModelServer, place: Path) -> None:
    with older_version():
        complete = await keep(server, place, until=len(PARTS) + 1)
    assert PLACE.encode() in b"".join(file.read_bytes() for file in place.parent.glob("runs.sqlite*") if file.is_file())
    status, listed, errors = await apr(server, "runs", "--store", str(place))
    assert (status, errors) == (0, "") and complete in listed
    status, shown, errors = await apr(server, "show", complete, "--json", "--store", str(place))
    assert status == 0 and '"answer": "All of it."' in shown and "Blocked" not in errors


async def test_a_run_that_an_older_version_began_goes_on(server: ModelServer, place: Path) -> None:
    server.on(PARTS[2], HANG)
    with older_version():
        stopped = await keep(server, place, until=2)
    assessed, solved = len(server.calls("assess")), len(server.calls("solve"))
    server.on(PARTS[2], Reply("Result: the third"))
    status, out, errors = await apr(server, "resume", stopped, "--base-url", server.url, "--store", str(place))
    assert (status, out) == (0, "All of it.\n"), errors
    # Two of its threads had ended, and are not asked again.
    assert (len(server.calls("assess")), len(server.calls("solve"))) == (assessed, solved + 1)
