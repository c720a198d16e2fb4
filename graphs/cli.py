"""The `apr` command.

Everything heavy is imported when it is needed: `apr --help` answers at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphs import cli_cache, cli_report, cli_runs
from graphs.cli_answer import finish, lines
from graphs.cli_input import read_file, read_standard_input
from graphs.cli_report import refuse, unwritable
from graphs.standard_error import tolerate_standard_error

if TYPE_CHECKING:
    from nodes.settings import Settings
    from nodes.state import Problem, Solution

PACKAGE = "adaptive-parallel-reasoning"

# One line a paragraph: the help printer keeps the line breaks within one.
HELP = """Answer a question; split it into threads that run side by side if it has independent parts.

The model itself decides whether and how to split. The answer goes to standard output, all else to standard error.

[bold]Examples[/bold]

  apr "What is the capital of Peru, and what is 17 * 23?"

  apr "Which bugs do these files have?" --file cart.py --file login.py

  cat question.txt | apr - --json > solution.json

  apr "…" --report run.html

  apr "…" --model openai:gpt-5-mini

  apr "…" --model openai:qwen3 --base-url http://127.0.0.1:8000/v1

[bold]apr report[/bold] RUN.json writes the page of a run that was printed by --json; see apr report --help.

[bold]apr runs[/bold] lists the runs that were kept; apr show RUN prints one, apr resume RUN goes on with one that was
stopped, apr prune removes old ones.

[bold]apr cache[/bold] stats|clear tells what --cache keeps, or removes it; see apr cache --help.

[bold]Settings[/bold] not listed here are read from the environment, such as APR_THREAD_TIMEOUT=60; see the README.

[bold]Exit status[/bold]: 0 complete, 3 partial, 1 failed, 2 bad usage, 130 interrupted, 143 stopped by SIGTERM.
"""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"apr {version(PACKAGE)}")
        raise typer.Exit


@app.command(help=HELP, no_args_is_help=True)
def apr(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to answer; - reads standard input.")],
    file: Annotated[
        list[Path] | None, typer.Option("--file", "-f", help="A text file to hand over as a document; repeatable.")
    ] = None,
    instructions: Annotated[
        str, typer.Option("--instructions", "-i", help="What holds for every thread and for the answer.")
    ] = "",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="openai:NAME, deepseek:NAME or local. Default: openai:gpt-5-mini when "
            "OPENAI_API_KEY or OPENAI_BASE_URL is set, else local, the embedded model.",
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="An OpenAI-compatible server, such as http://127.0.0.1:8000/v1.")
    ] = None,
    max_parallel: Annotated[
        str | None, typer.Option("--max-parallel", metavar="N", help="Most threads at once, 1 to 64. Default: 8.")
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option("--deadline", metavar="SECONDS", help="Answer within so many seconds, from what stands by then."),
    ] = None,
    oversight: Annotated[
        str | None,
        typer.Option("--oversight", help="Approve the plan, the answer, or both, in this terminal. Default: none."),
    ] = None,
    cache: Annotated[
        bool | None,
        typer.Option(
            "--cache/--no-cache", help="Reuse results of threads from earlier runs, and keep this run's. Default: not."
        ),
    ] = None,
    cache_ttl: Annotated[
        str | None, typer.Option("--cache-ttl", metavar="SECONDS", help="How long results are kept. Default: for good.")
    ] = None,
    sequential: Annotated[bool, typer.Option("--sequential", help="The baseline: one call, no threads.")] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Ask once more in one call, and show what splitting saved and cost.")
    ] = False,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="PLACE",
            help="Where the run is kept, to be resumed and shown: a SQLite file, postgresql://…, or none. "
            "Default: APR_STORE, else a file in your state folder.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole Solution as JSON.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", help="Write the run to this file: a page of HTML, or the Solution if its name ends in .json."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Answer a question."""
    if compare and sequential:
        refuse("--compare: --sequential is the baseline itself; use one of the two")
    if report and (why := unwritable(report)):
        refuse(f"--report {report}: {why}")
    given: dict[str, Any] = {"model": model, "base_url": base_url, "max_parallel": max_parallel, "deadline": deadline}
    given |= {"cache": cache, "cache_ttl": cache_ttl, "oversight": oversight}
    given |= {"baseline": True} if compare else {}

    from pydantic import ValidationError

    try:
        problem, settings = _checked(question, file or [], instructions, given)
    except ValidationError as error:
        refuse("\n".join(lines(error)))
    if settings.oversight != "none" and not sys.stdin.isatty():
        refuse(f"--oversight {settings.oversight}: asks in a terminal, and standard input is none")

    def run() -> "Solution":
        from graphs.cli_run import asked

        return asked(problem, settings, sequential=sequential, store=store)

    finish(run, as_json=as_json, report=report)


def _checked(
    question: str, files: list[Path], instructions: str, given: dict[str, Any]
) -> tuple["Problem", "Settings"]:
    from nodes.settings import Settings
    from nodes.state import Problem

    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    documents = [{"id": str(path), "text": read_file(path)} for path in files]
    text = read_standard_input() if question == "-" else question
    return Problem.model_validate({"question": text, "documents": documents, "instructions": instructions}), settings


def main() -> None:
    """Run the command: one of those that look at what was kept, or a question."""
    tolerate_standard_error()
    if sys.argv[1:2] == ["report"]:
        cli_report.app(args=sys.argv[2:], prog_name="apr report")
    elif sys.argv[1:2] and sys.argv[1] in ("runs", "show", "resume", "prune"):
        cli_runs.app(args=sys.argv[1:], prog_name="apr")
    elif sys.argv[1:2] == ["cache"]:
        cli_cache.app(args=sys.argv[2:], prog_name="apr cache")
    else:
        app()
