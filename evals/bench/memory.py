"""The command `python -m evals.bench.memory`: whether what one process holds stays the same over many runs."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, get_args

import typer

from evals.bench.held import Load, Route
from evals.bench.machine import describe, machine
from evals.bench.process import two_cores
from evals.bench.runner import out_of, process
from evals.bench.workload import Order

WARM = 200
"""Runs after which nothing more is loaded or filled."""
MARGIN = 0.1
"""By which what is held may differ from what it was when warm."""
CASES: dict[str, tuple[Route, bool]] = {
    f"{route}, {'checkpointer' if kept else 'no checkpointer'}": (route, kept)
    for route in get_args(Route)
    for kept in (False, True)
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def measure(load: Load) -> dict[int, float]:
    """Do the runs of a load in a fresh process on a fresh server; returns the MB held after each number of runs."""
    cores = two_cores() or ("", "")
    order = json.dumps(asdict(Order(client="graph", runs=load.runs, latency_scale=0.001)))
    with process("evals.bench.server", order, cores[0]) as server:
        base_url = f"http://127.0.0.1:{int(out_of(server).readline())}/v1"
        with process("evals.bench.held", json.dumps(asdict(load)), base_url, cores[1]) as client:
            held: dict[int, float] = dict(json.loads(line) for line in out_of(client))
            if client.wait():
                raise typer.Exit(client.returncode)
    return held


def drift(held: Mapping[int, float]) -> float:
    """Return the largest difference from what was held when warm, as a share of it; signed."""
    warm = held[min(held, key=lambda runs: abs(runs - WARM))]
    return max((mb / warm - 1 for runs, mb in held.items() if runs >= WARM), key=abs, default=0.0)


def table(measured: Mapping[str, Mapping[int, float]]) -> str:
    """Write what was held as Markdown, one column a case."""
    first: Sequence[int] = list(next(iter(measured.values())))
    rows = [["runs", *measured], ["---"] * (1 + len(measured))]
    rows += [[f"{runs:,}", *(f"{held[runs]:.0f} MB" for held in measured.values())] for runs in first]
    rows += [[f"since {WARM}", *(f"{drift(held):+.1%}" for held in measured.values())]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@app.command()
def memory(
    runs: Annotated[int, typer.Option(min=2 * WARM, help="Runs of each case, one process for all of them.")] = 2000,
    every: Annotated[int, typer.Option(min=1, help="Runs from one sample to the next.")] = 100,
    at_once: Annotated[int, typer.Option(min=1, help="Runs that go on at the same time.")] = 10,
    case: Annotated[list[str] | None, typer.Option(help="Which cases, by the beginning of their names.")] = None,
) -> None:
    """Do many runs in one process, on both routes, with a checkpointer and without, and tell what it holds.

    A loopback server answers at once. Exit status 1: after the first 200 runs it differed by more than 10 %.
    """
    chosen = {name: how for name, how in CASES.items() if not case or name.startswith(tuple(case))}
    measured = {}
    for name, (route, kept) in chosen.items():
        sys.stderr.write(f"{name} …\n")
        measured[name] = measure(Load(route, kept, runs, every, at_once))
    typer.echo(f"{describe(machine())}\n\n{table(measured)}")
    raise typer.Exit(any(abs(drift(held)) > MARGIN for held in measured.values()))


if __name__ == "__main__":
    app(prog_name="python -m evals.bench.memory")
