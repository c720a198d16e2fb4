"""The command `python -m evals.bench`."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from evals.bench import session
from evals.bench.clients import CLIENTS
from evals.bench.table import FLAT, bounds
from evals.bench.workload import CALLS, LATENCY, SHORTEST, THREADS, Fault, Order

_WAITS = ", ".join(f"{role} {seconds:g} s" for role, seconds in LATENCY.items())
_RUNS = (1, 16, 64, 256)

HELP = f"""Measure what this graph costs beside its model calls, and the same of other clients.

A loopback server answers after chosen latencies ({_WAITS}). Every client does runs of {CALLS} calls over it: assess,
plan, {THREADS} threads at once, review; the shortest possible run takes {SHORTEST:g} s. Server and client are processes
of their own, fresh for every measurement, pinned to a core each where there are two. The table goes to standard output
as Markdown, progress to standard error.

A cell holds wall time of all runs together as a multiple of the shortest run, processor time of the client per run,
and its peak memory; of several samples the best ones (of memory, the most).

All clients at {", ".join(map(str, _RUNS))} runs at once, the default, take about five minutes. A client
that is not done with a measurement within --time-limit is marked so. The other clients neither retry nor give up, so
faults lose them runs.

[bold]Examples[/bold]

  python -m evals.bench

  python -m evals.bench --runs 1 64 --clients graph langgraph-aiohttp --repeat 3

  python -m evals.bench --runs 64 --clients graph --fault-rate 0.02 --fault 429

  python -m evals.bench --runs 64 --profile graph.prof

[bold]Exit status[/bold]: 0, or 1 when this graph missed one of its bounds (1 run ≤ 1.05 ×; 64 runs ≤ 2.2 ×, ≤ 55 ms of
CPU per run, ≤ 250 MB; at 256 runs at most {FLAT:g} × the CPU per run at 64). They hold for sound replies at full
latency only.
"""
# The help printer keeps newlines inside a paragraph, so they are taken out.
HELP = re.sub(r"(?<!\n)\n(?!\n)", " ", HELP)


class _ManyValues(TyperCommand):
    """Lets `--runs 1 16 64` stand for `--runs 1 --runs 16 --runs 64`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        spread: list[str] = []
        option, filled = "", False
        for word in args:
            if word.startswith("-"):
                option, filled = word if word in ("--runs", "--clients") else "", False
            elif option and filled:
                spread.append(option)
            filled = bool(option) and not word.startswith("-")
            spread.append(word)
        return super().parse_args(ctx, spread)


app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


def _list_clients(wanted: bool) -> None:
    if wanted:
        for name, client in CLIENTS.items():
            typer.echo(f"{name:18} {client.label}" + (f" ({client.missing})" if client.missing else ""))
        raise typer.Exit


@app.command(help=HELP, cls=_ManyValues)
def bench(
    runs: Annotated[
        list[int] | None, typer.Option("--runs", min=1, max=4096, metavar="N…", help="Runs at once, such as 1 64.")
    ] = None,
    clients: Annotated[
        list[str] | None, typer.Option("--clients", metavar="NAME…", help="Which to measure; all if left out.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Samples of each measurement.")] = 1,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file, too.")] = None,
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds after which a measurement is given up.")] = 180,
    latency_scale: Annotated[float, typer.Option(min=0.001, help="What every latency is multiplied by.")] = 1.0,
    fault_rate: Annotated[float, typer.Option(min=0, max=1, help="The share of requests that meet a fault.")] = 0.0,
    fault: Annotated[Fault, typer.Option(help="Which fault.")] = "429",
    seed: Annotated[int, typer.Option(help="Of the choice of requests that meet it.")] = 1,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of this graph; repeatable.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="Only profile this graph, at the first number of runs; statistics go here.")
    ] = None,
    list_clients: Annotated[
        bool, typer.Option("--list", callback=_list_clients, is_eager=True, help="Print the clients' names.")
    ] = False,
) -> None:
    """Run the benchmark."""
    chosen = list(dict.fromkeys(clients or CLIENTS))
    if unknown := set(chosen) - set(CLIENTS):
        raise typer.BadParameter(f"no client {min(unknown)!r}; there are {', '.join(CLIENTS)}", param_hint="--clients")
    order = Order(
        client="graph",
        runs=(runs or _RUNS)[0],
        latency_scale=latency_scale,
        time_limit=time_limit,
        fault=fault,
        fault_rate=fault_rate,
        seed=seed,
        settings=_settings(settings or []),
    )
    if profile:
        raise typer.Exit(session.profile(order, profile))
    cells = session.measure(order, chosen, runs or _RUNS, repeat)
    judged = bounds(cells) if latency_scale == 1 and not fault_rate else []
    session.report(order, cells, judged)
    if as_json:
        session.write(as_json, order, cells, judged)
    raise typer.Exit(0 if all(bound.met for bound in judged) else 1)


def _settings(given: list[str]) -> dict[str, str]:
    pairs = [setting.partition("=") for setting in given]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise typer.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--set")
    return {name: value for name, _, value in pairs}


if __name__ == "__main__":
    app(prog_name="python -m evals.bench")
