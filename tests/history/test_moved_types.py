"""Runs that were kept by version 0.1.0, whose types lay in other modules, are read, shown and resumed."""

import shutil
from pathlib import Path

import pytest

from tests.support.command import apr
from tests.support.server import Reply, model_server

KEPT = Path(__file__).parent / "data" / "runs-0.1.0.sqlite"
COMPLETE, STOPPED = "94c0d1d392aaf407", "2f610533995d83fc"


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(shutil.copy(KEPT, tmp_path / "runs.sqlite"))


async def test_runs_of_an_older_version_are_listed_and_shown(place: str) -> None:
    assert b"nodes." + b"results" in KEPT.read_bytes()  # a module that is no more
    async with model_server() as server:
        status, listed, errors = await apr(server, "runs", "--store", place)
        assert (status, errors) == (0, "") and COMPLETE in listed and STOPPED in listed
        status, shown, errors = await apr(server, "show", COMPLETE, "--json", "--store", place)
    assert status == 0 and '"answer": "All of it."' in shown and "Blocked" not in errors


async def test_a_run_that_an_older_version_began_goes_on(place: str) -> None:
    async with model_server() as server:
        server.on("What is part 3?", Reply("Result: the third"))
        status, out, errors = await apr(server, "resume", STOPPED, "--base-url", server.url, "--store", place)
        assert (status, out) == (0, "All of it.\n"), errors
        # Two of its threads had ended, and are not asked again.
        assert len(server.calls("solve")) == 1 and not server.calls("assess")
