"""What `apr` prints of a run that has ended, and how it leaves.

Everything heavy is imported when it is needed.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from graphs.cli.refusal import refuse
from graphs.cli.report_file import write_run
from graphs.page.wording import mark_controls, money, tell_easy

if TYPE_CHECKING:
    from nodes.reporting.report import Baseline
    from nodes.state import Solution

EXIT_FAILED, EXIT_PARTIAL, EXIT_INTERRUPTED, EXIT_DRAINED = 1, 3, 130, 143


def finish(run: "Callable[[], Solution]", *, as_json: bool = False, report: Path | None = None) -> NoReturn:
    """Run something to its end, print what came of it, and leave with the status that says so.

    Args:
        run: What to run.
        as_json: Print the whole solution.
        report: Where its page is to be written.
    """
    from graphs.cli.run import Stopped, say_stopped
    from graphs.cli.terminal.oversee import Quit
    from graphs.history.runs import RunError
    from graphs.history.store import StoreError
    from graphs.temporal.address import EngineError
    from nodes.llm.replies.errors import ConfigurationError

    try:
        solution = run()
    except (ConfigurationError, EngineError, RunError, StoreError) as error:
        refuse(str(error))
    except Quit:
        refuse("left; this run is not kept, so it cannot be resumed")
    except Stopped as stopped:
        sys.stderr.write(f"apr: {say_stopped(stopped.run)}\n")
        raise typer.Exit(EXIT_DRAINED) from None
    except KeyboardInterrupt:
        sys.stderr.write(f"apr: {say_stopped()}\n")
        sys.stderr.flush()
        if "nodes.llm.embedded.server" in sys.modules:
            sys.modules["nodes.llm.embedded.server"].stop()
        # At once, without waiting for threads that read or write the embedded model.
        os._exit(EXIT_INTERRUPTED)
    print_solution(solution, as_json=as_json)
    # The answer has been printed and paid for: its status is the run's, whatever becomes of the page.
    if report and (why := write_run(solution, report)):
        sys.stderr.write(f"apr: --report {report}: {why}\n")
    raise typer.Exit({"complete": 0, "partial": EXIT_PARTIAL}.get(solution.outcome, EXIT_FAILED))


def print_solution(solution: "Solution", *, as_json: bool) -> None:
    """Print the answer to standard output; what is missing, and a summary, to standard error."""
    if as_json:
        typer.echo(solution.model_dump_json(indent=2))
    elif solution.answer:
        # A file or a pipe gets the answer as it is; a terminal would act on what it holds.
        typer.echo(mark_controls(solution.answer) if sys.stdout.isatty() else solution.answer)
    if solution.stop_reason:
        sys.stderr.write("".join(f"apr: {line}\n" for line in mark_controls(solution.stop_reason).splitlines()))
    report = solution.report
    cached = f" ({report.cached} cached)" if report.cached else ""
    threads = f"{report.threads_planned} threads{cached}, {report.rounds} extra rounds, " if solution.threads else ""
    known = f" ({report.tokens.cached:,} from the server's prompt cache)" if report.tokens.cached else ""
    sys.stderr.write(
        f"{solution.outcome}: {solution.route} route, {threads}{report.calls} calls, "
        f"{report.tokens.total:,} tokens{known}, {report.wall_s:.1f} s{_cost(report.cost_usd)}\n"
    )
    if report.easy:
        sys.stderr.write(f"easy threads: {mark_controls(tell_easy(report.easy))}\n")
    if report.forecast:
        sys.stderr.write(f"forecast: {report.forecast}\n")
    if report.baseline:
        sys.stderr.write(_comparison(report.baseline))


def _cost(usd: float | None) -> str:
    return "" if usd is None else f", {money(usd)}"


def _comparison(baseline: "Baseline") -> str:
    """Say what one call took, and how the run stands against it."""
    if baseline.error:
        return f"baseline: one call gave no whole answer: {mark_controls(baseline.error)}\n"
    took = f"baseline: one call, {baseline.tokens.total:,} tokens, {baseline.wall_s:.1f} s"
    told = {
        "time of one call / of the run": baseline.wall_ratio,
        "tokens one after another": baseline.token_latency,
        "tokens of the run / of one call": baseline.token_multiplier,
    }
    ratios = [f"{name} {ratio:.2f}" for name, ratio in told.items() if ratio is not None]
    return f"{'; '.join([took, *ratios])}\n\n{mark_controls(baseline.answer)}\n"
