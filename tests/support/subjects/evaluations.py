"""The command of the evaluations, and what it leaves: tables and results."""

import os
import sys
from asyncio import create_subprocess_exec
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from evals.run.store import Cell
from tests.support.command import PIPE, Process
from tests.support.forked import fork
from tests.support.server import ModelServer

PROJECT = Path(__file__).parents[3]
RUN = "import runpy; runpy.run_module('{module}', run_name='__main__', alter_sys=True)"


async def command(
    *arguments: str, server: ModelServer | None = None, module: str = "evals.run", **environment: str
) -> tuple[int, str, str]:
    given = ["--model", "openai:scripted", "--base-url", server.url] if server else []
    env = os.environ | environment
    if "LANGSMITH_ENDPOINT" in environment:  # which a fork would not read
        where: dict[str, Any] = {"cwd": PROJECT, "env": env, "stdout": PIPE, "stderr": PIPE}
        process: Process = await create_subprocess_exec(sys.executable, "-m", module, *arguments, *given, **where)
    else:
        process = await fork(module, *arguments, *given, env=env, code=RUN.format(module=module))
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def pairwise_rows(out: str) -> Iterator[tuple[str, str]]:
    """Yield each row of the tables with the head of its table."""
    head = ""
    for before, line in pairwise(["", *out.splitlines()]):
        if line.startswith("| ") and not before.startswith("|"):
            head = line
        elif line.startswith("| ") and not line.startswith("| ---"):
            yield head, line


def cells(out: Path) -> dict[str, Cell]:
    read = [Cell.model_validate_json(path.read_text(encoding="utf-8")) for path in out.glob("*/*.json")]
    return {f"{cell.dataset} {cell.variant}": cell for cell in read}
