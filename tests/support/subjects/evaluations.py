"""The command of the evaluations, and what it leaves: tables and results."""

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from evals.run.store import Cell
from tests.support.forked import fork
from tests.support.server import ModelServer

RUN = "import runpy; runpy.run_module('{module}', run_name='__main__', alter_sys=True)"


async def command(
    *arguments: str, server: ModelServer | None = None, module: str = "evals.run", **environment: str
) -> tuple[int, str, str]:
    given = ["--model", "openai:scripted", "--base-url", server.url] if server else []
    env = os.environ | environment
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
