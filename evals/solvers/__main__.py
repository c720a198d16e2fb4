"""The command `python -m evals.solvers`."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from pydantic import ValidationError

from evals.intervals import wilson
from evals.item import Item
from evals.items import DataError, load_items, sample
from evals.solvers.compare import Compared, Equal, compare
from evals.solvers.game24 import make_puzzles
from nodes.llm.replies.errors import ConfigurationError
from nodes.llm.resolve import prepare
from nodes.settings import Settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    data: Annotated[Literal["game24", "gsm8k"], typer.Option(help="Puzzles made by code, or GSM8K.")] = "game24",
    solver: Annotated[Literal["vote", "tree"], typer.Option(help="What is compared with a chain.")] = "tree",
    folder: Annotated[Path | None, typer.Option(help="Where others' data lie.")] = None,
    model: Annotated[str | None, typer.Option(help="As provider:name; as for apr if left out.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Items.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the puzzles, or of the draw.")] = 0,
    equal: Annotated[
        Literal["output", "total", "none"],
        typer.Option(help="Repeat the chain for as many generated tokens, or tokens in all, as the solver used."),
    ] = "output",
    checker: Annotated[bool, typer.Option("--checker", help="Give the search the rule of the game.")] = False,
    minutes: Annotated[float, typer.Option(min=0.1, help="Begin no item after so many minutes.")] = 60.0,
    out: Annotated[Path | None, typer.Option(help="A file to which each item's figures are added.")] = None,
) -> None:
    """Compare a vote or a search with one chain of thought on the same items.

    No run is told a right answer. Settings that have no option here are read from the environment, such as
    APR_SAMPLES=3.
    """
    try:
        given = {name: value for name, value in {"model": model, "base_url": base_url}.items() if value}
        if checker and (data, solver) != ("game24", "tree"):
            _refuse("--checker is for --data game24 and --solver tree only")
        items = make_puzzles(n, seed) if data == "game24" else sample(load_items(data, folder), n, seed)
        rows = asyncio.run(_run(items, solver, given, None if equal == "none" else equal, checker, minutes, out))
    except (ConfigurationError, DataError) as error:
        _refuse(str(error))
    except ValidationError as error:
        _refuse("; ".join(item["msg"] for item in error.errors(include_url=False, include_input=False)))
    typer.echo(table(rows))


async def _run(
    items: Sequence[Item],
    solver: str,
    given: dict[str, Any],
    equal: Equal | None,
    checked: bool,
    minutes: float,
    out: Path | None,
) -> list[Compared]:
    settings, began = Settings(**given), time.monotonic()
    await prepare(settings)
    rows: list[Compared] = []
    for item in items:
        if time.monotonic() - began > 60 * minutes:
            break
        rows.append(await compare(item, solver, given, equal=equal, checked=checked))
        typer.echo(f"{item.id}: {rows[-1].model_dump_json()}", err=True)
        if out:
            await asyncio.to_thread(_add, out, rows[-1])
    return rows


def _add(out: Path, row: Compared) -> None:
    with out.open("a", encoding="utf-8") as file:
        file.write(row.model_dump_json() + "\n")


def table(rows: Sequence[Compared]) -> str:
    """Write the comparison as a Markdown table."""
    if not rows:
        return "No item was worked out."
    lines = [
        f"{rows[0].dataset}, {len(rows)} items",
        "",
        "| way | solved (95 %) | tokens, mean | generated, mean |",
        "| --- | --- | --- | --- |",
        _line("chain, one call", [row.chain_solved for row in rows], rows, "chain_tokens", "chain_output"),
        _line(rows[0].solver, [row.solved for row in rows], rows, "tokens", "output"),
    ]
    if any(row.chains for row in rows):
        mean = sum(row.chains for row in rows) / len(rows)
        lines.append(f"| {mean:.1f} chains, their majority | {_share([row.majority_solved for row in rows])} | | |")
        lines.append(f"| the same, any of them right | {_share([row.any_solved for row in rows])} | | |")
    if asked := sum(row.asked for row in rows):
        cancelled = sum(row.cancelled for row in rows)
        shares = [row.sample_share for row in rows if row.sample_share is not None]
        alike = [row for row in rows if row.agreed]
        lines += ["", f"Samples: {asked} began, {cancelled} ({cancelled / asked:.0%}) were cancelled as needless."]
        if alike:
            saved = sum(row.cancelled for row in alike) / sum(row.asked for row in alike)
            lines.append(f"Where all that came agree ({len(alike)} items), {saved:.0%} were cancelled.")
        if shares:
            lines.append(f"Of one item's samples {sum(shares) / len(shares):.2f} are right on the mean.")
    return "\n".join(lines)


def _line(name: str, solved: Sequence[bool], rows: Sequence[Compared], total: str, output: str) -> str:
    tokens, written = (sum(row[field] for row in rows) / len(rows) for field in (total, output))
    return f"| {name} | {_share(solved)} | {tokens:,.0f} | {written:,.0f} |"


def _share(solved: Sequence[bool]) -> str:
    mean = wilson(sum(solved), len(solved))
    return f"{mean.mean:.2f} ({mean.low:.2f}–{mean.high:.2f})"


def _refuse(message: str) -> NoReturn:
    typer.echo(f"evals.solvers: {message}", err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app(prog_name="python -m evals.solvers")
