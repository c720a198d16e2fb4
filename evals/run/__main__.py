"""The command `python -m evals.run`."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from evals.items import OURS, DataError, names
from evals.run.judge import judge_by
from evals.run.session import Order, fits, run
from evals.run.store import RESULTS, Cell, StoreError
from evals.run.table import tables
from evals.run.upload import is_wanted, upload
from evals.run.variants import MAX_SAMPLES, PATIENCE, VARIANTS
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings

_VARIANTS = "\n\n".join(f"  {name}: {variant.meaning}" for name, variant in VARIANTS.items())

HELP = f"""Measure quality: the workflow, the single call and the ablations on the same items.

Every item's result is kept as soon as it is there (one JSON file for each dataset and variant, in --out), so an
interrupted run goes on where it was. A run that fails counts as wrong. Tables of all results kept go to standard output
as Markdown, progress to standard error.

[bold]Datasets[/bold]: {", ".join(names())}. All but {", ".join(OURS)} are others' data, read from --folder.

[bold]Variants[/bold]

{_VARIANTS}

[bold]Settings[/bold] that have no option here are read from the environment, such as APR_MAX_TOKENS=400.

With LANGSMITH_API_KEY set, datasets and results are uploaded as datasets and experiments; without it nothing leaves
the machine.

[bold]Examples[/bold]

  python -m evals.run --data compound --variant adaptive --variant sequential --n 12

  python -m evals.run --data gate --variant plan --half held-out --n 80 --folder ../shared/data

  python -m evals.run --data parallelqa --variant tools --variant sequential --folder ../shared/data

  python -m evals.run --table
"""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.command(help=HELP)
def main(
    data: Annotated[list[str] | None, typer.Option("--data", help="A dataset; may be repeated.")] = None,
    variant: Annotated[list[str] | None, typer.Option("--variant", help="A variant; may be repeated.")] = None,
    folder: Annotated[Path | None, typer.Option("--folder", help="Where others' data lie.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="As provider:name; as for apr if left out.")] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="Address of an OpenAI-compatible server.")] = None,
    n: Annotated[int, typer.Option("--n", min=0, help="Items of each dataset, drawn by chance; 0: all.")] = 12,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
    half: Annotated[
        str | None, typer.Option("--half", help="tuning or held-out: only items of that half (by a hash of their id).")
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="Items at once.")] = 1,
    most_samples: Annotated[
        int, typer.Option("--most-samples", min=1, help="Most samples of self-consistency.")
    ] = MAX_SAMPLES,
    prompts: Annotated[str, typer.Option("--prompts", help="Versions to use, such as 'assess@4'.")] = "",
    judge: Annotated[str | None, typer.Option("--judge", help="A model, not the judged one, for free text.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Where results are kept.")] = RESULTS,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of going on.")] = False,
    table: Annotated[bool, typer.Option("--table", help="Only print the tables of the results kept.")] = False,
) -> None:
    """Measure quality."""
    try:
        if not table:
            given: dict[str, Any] = {"model": model, "base_url": base_url, "prompts": prompts or None}
            context = PATIENCE | {name: value for name, value in given.items() if value is not None}
            order = Order(
                datasets=_check_known("--data", data or [], names()),
                variants=_check_known("--variant", variant or ["adaptive", "sequential"], list(VARIANTS)),
                folder=folder,
                out=out,
                n=n,
                seed=seed,
                half=_check_known("--half", [half], ["tuning", "held-out"])[0] if half else None,
                concurrency=concurrency,
                most_samples=most_samples,
                fresh=fresh,
                context=context | {"model": Settings(**context).model},
            )
            asyncio.run(_run(order, judge))
        typer.echo(tables(out))
    except (ConfigurationError, DataError, StoreError) as error:
        _refuse(str(error))
    except ValidationError as error:
        _refuse("; ".join(item["msg"] for item in error.errors(include_url=False, include_input=False)))
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None


async def _run(order: Order, judge_model: str | None) -> None:
    judge = judge_by(judge_model, Settings(**order.context)) if judge_model else None
    pairs = [(dataset, name) for dataset in order.datasets for name in order.variants if fits(dataset, name)]
    if not pairs:
        raise DataError(
            "none of these variants fits these datasets: `results` is for --variant review, brief and careful, "
            "and only for them; `fanoutqa` is for --variant gate and plan; --variant tools is for `parallelqa`"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        bars = {pair: progress.add_task(" · ".join(pair), total=None, start=False) for pair in pairs}

        def tell(cell: Cell, of: int) -> None:
            if not progress.console.is_terminal:
                progress.console.print(f"{cell.dataset} · {cell.variant}: {len(cell.rows)}/{of}", highlight=False)
            bar = bars[cell.dataset, cell.variant]
            progress.start_task(bar)
            progress.update(bar, completed=len(cell.rows), total=of)

        cells = await run(order, tell, judge)
    if is_wanted():
        for cell in cells:
            typer.echo(await asyncio.to_thread(upload, cell, order.folder), err=True)


def _check_known(option: str, given: list[str], allowed: list[str]) -> Any:
    if not given:
        _refuse(f"{option} is missing; allowed are {', '.join(allowed)}")
    for name in given:
        if name not in allowed:
            _refuse(f"{option} {name}: there is none; allowed are {', '.join(allowed)}")
    return given


def _refuse(message: str) -> NoReturn:
    typer.echo(f"evals.run: {message}", err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app(prog_name="python -m evals.run")
