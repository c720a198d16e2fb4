"""The answer comes whatever becomes of what is shown beside it: standard error that is full or closed, a full disk."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from graphs.history.runs import Runs
from graphs.history.store import open_store
from graphs.page.page import page
from tests.support.command import APR, apr, environment
from tests.support.server import ModelServer, outline

PARTS = ["What is one?", "What is two?"]
FULL = "ulimit -f 0;"
"""No file can grow any more, as on a disk that is full; pipes go on."""


def written(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def shell(server: ModelServer, command: str) -> tuple[int, str]:
    """Run the command in a shell, in which `$APR` is its name; returns its status and output."""
    process = await asyncio.create_subprocess_shell(
        command, stdout=asyncio.subprocess.PIPE, env=environment(server, APR=APR)
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.mark.at_most(1)
@pytest.mark.parametrize(
    ("before", "more"),
    [
        (FULL, '--store none 2>"$FILE"'),
        ("", "2>&-"),
        pytest.param(FULL, '--store none --report "$FILE" 2>/dev/null', marks=pytest.mark.full),
        (FULL, '--store none --report "$FILE" 2>&-'),
    ],
)
async def test_the_answer_comes_whatever_the_display_does(
    server: ModelServer, tmp_path: Path, before: str, more: str
) -> None:
    server.on("assess", outline(*PARTS))
    command = f'{before} FILE={tmp_path / "file"}; "$APR" "One and two?" {more}'
    status, out = await shell(server, command)
    assert (status, out) == (0, "All of it.\n")
    assert not before or written(tmp_path) == 0


@pytest.mark.full
async def test_a_report_never_takes_the_place_of_a_device_or_a_pipe(server: ModelServer, tmp_path: Path) -> None:
    server.on("assess", outline(*PARTS))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    status, out = await shell(server, f'cat {pipe} >{tmp_path / "page"} & "$APR" "One and two?" --report {pipe}; wait')
    assert (status, out) == (0, "All of it.\n") and pipe.is_fifo()
    assert "All of it." in (tmp_path / "page").read_text()


async def test_a_page_shows_runs_of_any_length(server: ModelServer, tmp_path: Path) -> None:
    server.on("assess", outline(*PARTS))
    place = str(tmp_path / "runs.sqlite")
    assert (await apr(server, "One and two?", "--store", place))[0] == 0
    async with open_store(place) as store:
        (entry,) = await Runs(store).all()
        solution = await Runs(store).solution(entry.id)
    year = 300 * 86_400.0
    calls = [call.model_copy(update={"latency_s": year, "ended_s": year}) for call in solution.calls]
    for wall in (year, sys.float_info.max / 2):
        report = solution.report.model_copy(update={"wall_s": wall})
        assert "All of it." in page(solution.model_copy(update={"report": report, "calls": calls}))
