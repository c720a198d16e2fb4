"""The command `python -m evals.optimize`."""

import importlib.util
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError

from evals.items import DataError
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.install import how_to_install
from prompts import FOLDER, load, load_families

ROLES = ("assess", "review")
OPTIMIZERS = ("auto", "bootstrap", "mipro", "gepa")

HELP = """Let an optimiser improve a prompt: assess or review.

It starts from the version in use, draws on the tuning half of the data, and scores what it found on the held-out half,
which it never sees. The new version is written beside the older ones with its scores and the optimiser's settings, and
becomes the default only when it is better on the held-out items. Which half an item is in depends on its id alone.

Optimisers: bootstrap (few-shot examples, random search), mipro (MIPROv2: examples and instructions), gepa (GEPA:
instructions, from feedback in words); auto takes the one that --calls suffices for.

[bold]Examples[/bold]

  python -m evals.optimize review --model local

  python -m evals.optimize assess --folder ../shared/data --calls 2000 --optimizer gepa --model openai:gpt-5-mini
"""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.command(help=HELP, no_args_is_help=True)
def main(
    role: Annotated[str, typer.Argument(help="assess or review.")],
    model: Annotated[str | None, typer.Option("--model", help="As provider:name; as for apr if left out.")] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="Address of an OpenAI-compatible server.")] = None,
    folder: Annotated[Path | None, typer.Option("--folder", help="Where others' data lie (assess).")] = None,
    optimizer: Annotated[str, typer.Option("--optimizer", help=", ".join(OPTIMIZERS))] = "auto",
    calls: Annotated[int, typer.Option("--calls", min=10, help="Model calls that the search may make, roughly.")] = 400,
    items: Annotated[int, typer.Option("--items", min=2, help="Items that candidates are scored on.")] = 40,
    held_out: Annotated[int, typer.Option("--held-out", min=2, help="Items for the scores before and after.")] = 80,
    most_examples: Annotated[int, typer.Option("--most-examples", min=1, max=64, help="In the prompt.")] = 8,
    start: Annotated[str | None, typer.Option("--from", help="The version to start from, such as assess@4.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn by chance.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Calls at once.")] = 2,
    prompts: Annotated[Path, typer.Option("--prompts", help="Where the prompts lie and the new one goes.")] = FOLDER,
) -> None:
    """Optimise a prompt."""
    if role not in ROLES:
        _refuse(f"there is no prompt `{role}` to optimise; there are {', '.join(ROLES)}")
    if optimizer not in OPTIMIZERS:
        _refuse(f"--optimizer {optimizer}: there is none; allowed are {', '.join(OPTIMIZERS)}")
    if importlib.util.find_spec("dspy") is None:
        _refuse(f"needs an extra: {how_to_install('optimize')}")
    from evals.optimize.session import Order, optimise
    from evals.optimize.tasks import TASKS

    try:
        given: dict[str, Any] = {"model": model, "base_url": base_url}
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        family = load_families(prompts)[role]
        order = Order(
            optimizer=optimizer,
            calls=calls,
            items=items,
            held_out=held_out,
            most_examples=most_examples,
            seed=seed,
            threads=threads,
            data=folder,
            folder=prompts,
        )
        told = optimise(
            TASKS[role],
            load(start, prompts) if start else family.standard,
            settings,
            order,
            lambda line: typer.echo(line, err=True),
        )
    except (ConfigurationError, DataError) as error:
        _refuse(str(error))
    except ValidationError as error:
        _refuse("; ".join(item["msg"] for item in error.errors(include_url=False, include_input=False)))
    verdict = "is the default now" if told.adopted else "is not better, so the default stays"
    typer.echo(f"{told.label}: {told.before} before, {told.after} after, on {told.n} held-out items; it {verdict}")
    typer.echo(str(told.path))


def _refuse(message: str) -> NoReturn:
    typer.echo(f"evals.optimize: {message}", err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app(prog_name="python -m evals.optimize")
