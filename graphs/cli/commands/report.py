"""`apr report` and `apr … --report`: a run as a page of HTML.

Everything heavy is imported when it is needed.
"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphs.cli.refusal import refuse
from graphs.cli.report_file import find_write_problem, write_run
from graphs.cli.store import StoreOption, in_store

if TYPE_CHECKING:
    from graphs.history.runs import Runs
    from nodes.state import Solution

_ID = re.compile(r"[0-9a-fA-F]{1,16}")
"""An id of a saved run, or its beginning."""

HELP = """Write a run as one HTML page that needs no network: timeline, threads, plan, review, cost.

RUN is a file that apr … --json printed, or the id of a saved run (its beginning suffices; apr runs lists them).

OTHER is one more, to see both side by side.

[bold]Examples[/bold]

  apr report run.json

  apr report run.json --output page.html

  apr report 3f2a

  apr report new.json old.json

  apr report 3f2a 9c01

  apr "…" --json | apr report - --output run.html
"""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.command(help=HELP, no_args_is_help=True)
def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run as JSON (- reads standard input), or a saved run's id.")
    ],
    other: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="Another run, to compare with.", show_default=False)
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="The page's file; - prints it. Default: beside RUN, ending in .html; of a saved run ID.html, here.",
        ),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Write the page of a run."""
    if output not in (None, "-") and (why := find_write_problem(Path(output))):
        refuse(f"--output {output}: {why}")
    if run == other == "-":
        refuse("OTHER -: standard input holds one run; name a file")
    (solution, place), beside = _solution(run, store), _solution(other, store)[0] if other else None
    output = output or place
    target = None if output == "-" else Path(output)
    if target and (why := find_write_problem(target)):
        refuse(f"--output {output}: {why}")
    if target is None:
        from graphs.page.page import page

        sys.stdout.buffer.write(page(solution, beside=beside).encode())
        return
    if why := write_run(solution, target, beside=beside):
        refuse(f"--output {output}: {why}")


def _solution(run: str, store: str | None) -> "tuple[Solution, str]":
    """Find a run, and where its page goes unless somebody says so; or say why there is none and leave.

    What is no file may be the id of a saved run.
    """
    if run == "-":
        return _read(sys.stdin.buffer.read(), "standard input"), "-"
    try:
        return _read(Path(run).read_bytes(), run), str(Path(run).with_suffix(".html") if Path(run).name else "run.html")
    except FileNotFoundError:
        if not _ID.fullmatch(run):
            refuse(f"{run}: no such file, and no id of a saved run; make a file with: apr … --json > {run}")
    except OSError as error:
        refuse(f"{run}: cannot be read: {error.strerror}")
    return _find_saved(run, store)


def _find_saved(run: str, store: str | None) -> "tuple[Solution, str]":
    from nodes.shared.environment import environment_store

    if (store or environment_store()).lower() == "none":
        refuse(f"{run}: no such file, and no runs are saved (--store or APR_STORE is none)")

    async def work(kept: "Runs") -> "tuple[Solution, str]":
        from graphs.history.runs import RunError

        try:
            found = await kept.find(run)
        except RunError as error:
            raise RunError(f"{run}: no such file, and {error}") from error
        return await kept.solution(found.id), f"{found.id}.html"

    return in_store(store, work)


def _read(content: bytes, name: str) -> "Solution":
    """Read a run as JSON, or say what is wrong with it and leave."""
    from pydantic import ValidationError

    from nodes.state import Solution

    try:
        solution = Solution.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        refuse(f"{name}: is no run as `apr --json` prints it: {f'{where}: ' if where else ''}{first['msg']}")
    if not (solution.question or solution.answer or solution.calls):
        refuse(f"{name}: is no run as `apr --json` prints it: it has neither a question nor an answer")
    return solution
