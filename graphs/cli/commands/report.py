"""`apr report` and `apr … --report`: a run as a page of HTML.

Everything heavy is imported when it is needed.
"""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphs.cli.commands.runs import StoreOption, in_store
from graphs.cli.refusal import refuse

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


def find_write_problem(path: Path) -> str:
    """Say why no file can be written there; empty if one can."""
    folder = path.parent
    if path.is_dir():
        return "is a folder; name a file in it"
    if not folder.is_dir():
        return f"the folder {folder} does not exist; make it first"
    if path.exists() and not path.is_file():  # a device or a pipe, which is written where it is
        return "" if os.access(path, os.W_OK) else "cannot be written: permission denied"
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return "cannot be written: permission denied"
    return ""


def write_run(solution: "Solution", path: Path, *, beside: "Solution | None" = None) -> str:
    """Write a run to a file, whole or not at all: as JSON where its name ends so, else as a page.

    Args:
        solution: The run.
        path: The file.
        beside: Another run that the page compares it with.

    Returns:
        Why it could not be written; empty if it was.
    """
    from graphs.page.page import page

    text = solution.model_dump_json(indent=2) if path.suffix.lower() == ".json" else page(solution, beside=beside)
    # Beside the target, so that it can take its place in one step.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():  # a device or a pipe, which nothing may take the place of
            path.write_text(text, encoding="utf-8")
        else:
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        return f"cannot be written: {error.strerror}"
    sys.stderr.write(f"report: {path}\n")
    return ""


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
