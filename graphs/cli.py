"""The `apr` command.

Everything heavy is imported when it is needed: `apr --help` answers at once.
"""

import os
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphs import cli_cache, cli_report
from graphs.cli_report import refuse, unwritable, write

if TYPE_CHECKING:
    from pydantic import ValidationError

    from nodes.report import Baseline
    from nodes.settings import Settings
    from nodes.state import Problem, Solution

EXIT_FAILED, EXIT_PARTIAL, EXIT_INTERRUPTED = 1, 3, 130
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

[bold]apr cache[/bold] stats|clear tells what --cache keeps, or removes it; see apr cache --help.

[bold]Settings[/bold] not listed here are read from the environment, such as APR_THREAD_TIMEOUT=60; see the README.

[bold]Exit status[/bold]: 0 complete, 3 partial, 1 failed, 2 bad usage, 130 interrupted.
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
    from pydantic import ValidationError

    from nodes.llm.errors import ConfigurationError

    if compare and sequential:
        refuse("--compare: --sequential is the baseline itself; use one of the two")
    if report and (why := unwritable(report)):
        refuse(f"--report {report}: {why}")
    given: dict[str, Any] = {"model": model, "base_url": base_url, "max_parallel": max_parallel, "deadline": deadline}
    given |= {"cache": cache, "cache_ttl": cache_ttl}
    given |= {"baseline": True} if compare else {}
    try:
        problem, settings = _checked(question, file or [], instructions, given)
        solution = _run(problem, settings, sequential=sequential)
    except ValidationError as error:
        refuse("\n".join(_lines(error)))
    except ConfigurationError as error:
        refuse(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("apr: stopped\n")
        sys.stderr.flush()
        if "nodes.llm.local" in sys.modules:
            sys.modules["nodes.llm.local"].stop()
        # At once, without waiting for threads that read or write the embedded model.
        os._exit(EXIT_INTERRUPTED)
    _print(solution, as_json=as_json)
    if report:
        write(solution, report, "--report")
    raise typer.Exit({"complete": 0, "partial": EXIT_PARTIAL, "failed": EXIT_FAILED}[solution.outcome])


def _checked(
    question: str, files: list[Path], instructions: str, given: dict[str, Any]
) -> tuple["Problem", "Settings"]:
    from nodes.settings import Settings
    from nodes.state import Problem

    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    documents = [{"id": str(path), "text": _read(path)} for path in files]
    text = _standard_input() if question == "-" else question
    return Problem.model_validate({"question": text, "documents": documents, "instructions": instructions}), settings


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8").strip()
    except UnicodeDecodeError as error:
        refuse(f"QUESTION: standard input is not UTF-8 text ({error.reason} at byte {error.start})")


def _read(path: Path) -> str:
    """Read a document, or say what is wrong with it and leave."""
    if path.is_dir():
        refuse(f"--file {path}: is a folder; name its files one by one")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        refuse(f"--file {path}: no such file")
    except OSError as error:
        refuse(f"--file {path}: cannot be read: {error.strerror}")
    if b"\0" in content:
        refuse(f"--file {path}: is a binary file; only text can be handed over")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        refuse(f"--file {path}: is not UTF-8 text ({error.reason} at byte {error.start}); convert it first")


def _lines(error: "ValidationError") -> list[str]:
    """Say of each wrong value its name, what is wrong and what was given."""
    lines = []
    for detail in error.errors():
        name = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        # Texts are long, and their messages name what matters.
        given = detail["input"]
        brief = isinstance(given, int | float | str) and len(str(given)) <= 60 and str(given) not in message
        shown = f" (given: {given!r})" if brief else ""
        lines.append(f"{name}: {message}{shown}" if name and f"`{name}`" not in message else f"{message}{shown}")
    return lines


def _run(problem: "Problem", settings: "Settings", *, sequential: bool) -> "Solution":
    import asyncio

    return asyncio.run(_solve(problem, settings, sequential=sequential))


async def _solve(problem: "Problem", settings: "Settings", *, sequential: bool) -> "Solution":
    import graphs
    from graphs.display import display
    from nodes.llm.clients import prepare
    from nodes.state import Solution

    # Before the display opens: writing the embedded model has a progress bar of its own.
    await prepare(settings)
    graph = graphs.sequential if sequential else graphs.graph
    values: dict[str, Any] = {}
    with display() as shown:
        stream = graph.astream(problem.model_dump(), context=settings, stream_mode=["custom", "values"])
        async with aclosing(stream) as events:
            async for mode, event in events:
                if mode == "custom":
                    shown.show(event)
                else:
                    values = event
    return Solution.model_validate(values)


def _print(solution: "Solution", *, as_json: bool) -> None:
    if as_json:
        typer.echo(solution.model_dump_json(indent=2))
    elif solution.answer:
        typer.echo(solution.answer)
    if solution.outcome == "failed":
        sys.stderr.write("".join(f"apr: {line}\n" for line in solution.stop_reason.splitlines()))
    report = solution.report
    cached = f" ({report.cached} cached)" if report.cached else ""
    threads = f"{report.threads_planned} threads{cached}, {report.rounds} extra rounds, " if solution.threads else ""
    sys.stderr.write(
        f"{solution.outcome}: {solution.route} route, {threads}{report.calls} calls, "
        f"{report.tokens.total:,} tokens, {report.wall_s:.1f} s{_money(report.cost_usd)}\n"
    )
    if report.baseline:
        sys.stderr.write(_comparison(report.baseline))


def _money(usd: float | None) -> str:
    return "" if usd is None else f", ${usd:.4f}"


def _comparison(baseline: "Baseline") -> str:
    """Say what one call took, and how the run stands against it."""
    if baseline.error:
        return f"baseline: one call gave no whole answer: {baseline.error}\n"
    took = f"baseline: one call, {baseline.tokens.total:,} tokens, {baseline.wall_s:.1f} s"
    told = {
        "time of one call / of the run": baseline.wall_ratio,
        "tokens one after another": baseline.token_latency,
        "tokens of the run / of one call": baseline.token_multiplier,
    }
    ratios = "; ".join(f"{name} {ratio:.2f}" for name, ratio in told.items() if ratio is not None)
    return f"{took}; {ratios}\n\n{baseline.answer}\n" if ratios else f"{took}\n\n{baseline.answer}\n"


def main() -> None:
    """Run the command: `apr report …`, `apr cache …`, or a question."""
    if sys.argv[1:2] == ["report"]:
        cli_report.app(args=sys.argv[2:], prog_name="apr report")
    elif sys.argv[1:2] == ["cache"]:
        cli_cache.app(args=sys.argv[2:], prog_name="apr cache")
    else:
        app()
