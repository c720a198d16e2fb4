"""`apr doctor` and `apr models`: what is missing and how to mend it, and which models there are.

Everything heavy is imported when it is needed.
"""

import asyncio
import sys

import typer

from graphs.cli.refusal import refuse
from graphs.page.wording import mark_controls

EXIT_MISSING = 1

HELP = """Say what is missing, and how to mend it: settings, keys, extras, servers, memory, places to write, ports.

Each line is ok, mend (a run would fail) or note. No model is asked, and nothing is paid.

[bold]Exit status[/bold]: 0 if nothing is to be mended, else 1.
"""
MODELS_HELP = """List what the configured model servers offer, as names for --model.

The servers are those of the settings: APR_MODEL, APR_BASE_URL and the models of the roles.
"""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True)


@app.command(help=HELP)
def doctor() -> None:
    """Check everything that a run needs."""
    from graphs.cli.commands.checks import find_all
    from nodes.shared.masking import mask_text

    found = asyncio.run(find_all())
    for state, what, words in found:
        typer.echo(f"{state:<4}  {mark_controls(what)}: {mark_controls(mask_text(words))}")
    raise typer.Exit(EXIT_MISSING if any(finding.state == "mend" for finding in found) else 0)


@app.command(help=MODELS_HELP)
def models() -> None:
    """List what the model servers offer."""
    from pydantic import ValidationError

    from graphs.cli.commands.checks import list_catalogs
    from nodes.llm.replies.errors import ConfigurationError
    from nodes.settings import Settings
    from nodes.shared.refusals import say_problems

    try:
        catalogs = asyncio.run(list_catalogs(Settings()))
    except ValidationError as error:
        refuse("\n".join(say_problems(error)))
    except ConfigurationError as error:
        refuse(str(error))
    for provider, catalog in catalogs:
        if catalog.problem:
            sys.stderr.write(f"apr: {mark_controls(catalog.problem)}\n")
        for name in catalog.models:
            typer.echo(f"{provider}:{mark_controls(name)}")
    typer.echo("local")
    raise typer.Exit(EXIT_MISSING if any(catalog.problem for _, catalog in catalogs) else 0)
