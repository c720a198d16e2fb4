"""The `apr` command.

Everything heavy is imported when it is needed: `apr --help` answers at once.
"""

import atexit
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from graphs.cli import options
from graphs.cli.answer import finish
from graphs.cli.commands import worker as cli_worker
from graphs.cli.config import load_config, read_assignments
from graphs.cli.dispatch import COMMANDS, refuse_slips, run_command
from graphs.cli.input import read_documents, read_standard_input
from graphs.cli.refusal import refuse
from graphs.cli.report_file import find_write_problem
from graphs.cli.terminal.standard_error import tolerate_standard_error

if TYPE_CHECKING:
    from nodes.settings import Settings
    from nodes.state import Problem, Solution

# One line a paragraph: the help printer keeps the line breaks within one.
HELP = """Answer a question. If it has independent parts, split it into threads that run at the same time.

The model decides whether and how to split. The answer goes to standard output, everything else to standard error.

[bold]Examples[/bold]

  apr "What is the capital of Peru, and what is 17 * 23?"

  apr "Which bugs do these files have?" --file cart.py --file login.py

  cat question.txt | apr - --json > solution.json

  apr "…" --report run.html

  apr "…" --model openai:gpt-5-mini

  apr "…" --model openai:qwen3 --base-url http://127.0.0.1:8000/v1

[bold]Other commands[/bold] (each has its own --help)

  apr report RUN: write the page of a saved run, or of a file that --json printed

  apr runs: list the saved runs

  apr show RUN: print a saved run

  apr resume RUN: continue a run that was stopped

  apr prune: delete old runs

  apr cache stats|clear: show or delete what --cache saved

  apr serve: answer on this machine as a model of OpenAI's API

  apr doctor: say what is missing, and how to mend it

  apr models: list what the model servers offer

  apr worker: answer what others hand over, on as many machines as you like

  apr cancel RUN: stop a run that workers work on

  apr mcp: serve the workflow as tools to an MCP client

  apr completion SHELL: have the Tab key complete the words of apr

[bold]Settings[/bold] without an option: --set thread_timeout=60, or APR_THREAD_TIMEOUT=60 in the environment.

A file of such variables may lie in your configuration folder; apr doctor names it. See graphs/README.md.

[bold]Exit status[/bold]: 0 complete, 3 partial, 1 failed, 2 bad usage, 130 interrupted, 143 stopped by SIGTERM.
"""

GC_THRESHOLD = 50_000
"""Objects made, less those gone, at which the collector looks at the young ones."""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.command(help=HELP, no_args_is_help=True)
def apr(
    question: options.Question,
    file: options.Files = None,
    instructions: options.Instructions = "",
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    max_parallel: options.MaxParallel = None,
    deadline: options.Deadline = None,
    max_cost: options.MaxCost = None,
    oversight: options.Oversight = None,
    cache: options.Cache = None,
    cache_ttl: options.CacheTtl = None,
    set_: options.Set = None,
    sequential: options.Sequential = False,
    compare: options.Compare = False,
    store: options.Store = None,
    engine: options.Engine = None,
    as_json: options.AsJson = False,
    report: options.Report = None,
    version: options.Version = False,
) -> None:
    """Answer a question."""
    refuse_slips(question)
    if compare and sequential:
        refuse("--compare: --sequential is the baseline itself; use one of the two")
    if report and (why := find_write_problem(report)):
        refuse(f"--report {report}: {why}")
    elsewhere = cli_worker.find_engine(engine)
    if engine and sequential:
        refuse("--engine: one call needs no workers; leave --sequential out, or --engine")
    given: dict[str, Any] = {"model": model, "base_url": base_url, "max_parallel": max_parallel, "deadline": deadline}
    given |= {"cache": cache, "cache_ttl": cache_ttl, "oversight": oversight, "max_cost": max_cost}
    given |= {"baseline": True} if compare else {}
    given |= _read_set(set_ or [], given)

    from pydantic import ValidationError

    from nodes.shared.refusals import say_problems

    try:
        problem, settings = _check_input(question, file or [], instructions, given)
    except ValidationError as error:
        refuse("\n".join(say_problems(error)))
    if settings.oversight != "none" and not sys.stdin.isatty():
        refuse(f"--oversight {settings.oversight}: asks in a terminal, and standard input is none")

    elsewhere = None if sequential else elsewhere
    if not elsewhere:
        _begin_embedded(settings)

    def run() -> "Solution":
        from graphs.cli.run import answer_question

        return answer_question(problem, settings, sequential=sequential, store=store, engine=elsewhere)

    finish(run, as_json=as_json, report=report)


def _begin_embedded(settings: "Settings") -> None:
    """Have the embedded model, if any role uses it, load while this process imports the rest."""
    if "local" in settings.models():
        from nodes.llm.embedded import server

        server.begin()


def _read_set(assignments: list[str], given: dict[str, Any]) -> dict[str, Any]:
    values = read_assignments(assignments)
    for name in values:
        if given.get(name) is not None:
            refuse(f"--set {name}: an option sets it, too; use one of the two")
    return values


def _check_input(
    question: str, files: list[Path], instructions: str, given: dict[str, Any]
) -> tuple["Problem", "Settings"]:
    from nodes.settings import Settings
    from nodes.state import Problem

    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    documents = read_documents(files)
    text = read_standard_input() if question == "-" else question
    return Problem.model_validate({"question": text, "documents": documents, "instructions": instructions}), settings


def _collect_seldom() -> None:
    """Have the garbage collector leave alone what is imported: passes over it are a quarter of a start and an end."""
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)


def main() -> None:
    """Run the command: a question, or one of the commands on saved runs and results."""
    _collect_seldom()
    tolerate_standard_error()
    try:
        load_config()
    except typer.Exit as refused:
        sys.exit(refused.exit_code)
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        run_command(sys.argv[1:], app)
    else:
        app()
