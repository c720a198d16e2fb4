"""`apr runs`, `apr show`, `apr resume` and `apr prune`: runs that were kept.

Everything heavy is imported when it is needed.
"""

import re
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphs.cli.refusal import refuse
from graphs.cli.store import RunArgument, StoreOption, in_store, where
from graphs.page.wording import mark_controls
from nodes.shared.cleaning import one_line

if TYPE_CHECKING:
    from graphs.history.runs import Runs

HELP = """List the saved runs, the latest first.

apr saves every run step by step, with its question, documents and answer.

Place: --store or APR_STORE (a SQLite file, postgresql://user:password@host/database or none), else your state folder.

[bold]Examples[/bold]

  apr runs

  apr show 3f2a

  apr resume 3f2a

  apr prune --older-than 30d
"""
MAX_QUESTION_COLUMNS = 80
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True)


@app.command(help=HELP)
def runs(store: StoreOption = None) -> None:
    """List the saved runs, the latest first."""

    async def work(kept: "Runs") -> None:
        entries = await kept.all()
        for entry in entries:
            started = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.started_at))
            question = one_line(mark_controls(entry.question), MAX_QUESTION_COLUMNS)
            typer.echo(f"{entry.id}  {started}  {entry.outcome:<8}  {question}")
        if not entries:
            typer.echo("no runs are kept", err=True)

    in_store(store, work)


@app.command()
def show(
    run: RunArgument,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole solution as JSON.")] = False,
) -> None:
    """Print the answer and the figures of a run."""
    from graphs.cli.answer import print_solution

    async def work(kept: "Runs") -> Any:
        return await kept.solution(run)

    print_solution(in_store(store, work), as_json=as_json)


@app.command()
def resume(
    run: RunArgument,
    store: StoreOption = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="Address of the model server.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole solution as JSON.")] = False,
) -> None:
    """Continue a run that was stopped, without repeating what had finished."""
    from graphs.cli.answer import finish
    from graphs.cli.run import resume_run

    finish(lambda: resume_run(run, where(store), base_url), as_json=as_json)


@app.command()
def prune(
    store: StoreOption = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="Delete runs not active for this long, such as 30d, 12h or 90m.",
        ),
    ] = None,
    keep: Annotated[int | None, typer.Option("--keep", min=0, metavar="N", help="Delete all but the N latest.")] = None,
) -> None:
    """Delete old runs for good, except those that are running."""
    if older_than is None and keep is None:
        refuse("say what to remove: --older-than AGE, --keep N, or both")
    age = seconds(older_than) if older_than is not None else None

    async def work(kept: "Runs") -> int:
        return await kept.prune(older_than=age, keep=keep)

    typer.echo(f"{in_store(store, work):,} runs removed")


def seconds(age: str) -> float:
    """Read an age such as `30d`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", age.strip().lower())
    if not found:
        refuse(f"--older-than {age}: is not an age such as 30d, 12h, 90m or 45s")
    return float(found[1]) * _UNITS[found[2]]
