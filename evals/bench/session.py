"""One go of the benchmark: every measurement in turn, and what is told of it."""

import json
import pstats
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import typer

from evals.bench.clients import CLIENTS
from evals.bench.machine import describe, machine
from evals.bench.runner import NoSample, Sample, sample
from evals.bench.table import Bound, Cell, table
from evals.bench.workload import Order

TOP = 25
"""Functions of a profile that are printed."""


def measure(order: Order, clients: Sequence[str], runs: Sequence[int], repeat: int) -> list[Cell]:
    """Measure clients side by side: all of them before the number of runs changes or a sample is repeated.

    Args:
        order: What holds for every measurement.
        clients: Names of the clients.
        runs: Runs at once.
        repeat: Samples of each measurement.
    """
    cells = [Cell(name, count) for name in clients for count in dict.fromkeys(runs)]
    cells.sort(key=lambda cell: cell.runs)
    rounds = [cell for count in dict.fromkeys(cell.runs for cell in cells) for cell in _at(cells, count) * repeat]
    for number, cell in enumerate(rounds, 1):
        # What did not end in time once is not tried again.
        if not cell.problem:
            _tell(f"[{number}/{len(rounds)}] {CLIENTS[cell.client].label}, runs at once: {cell.runs} … ")
            _tell(_fill(cell, replace(order, client=cell.client, runs=cell.runs)) + "\n")
    return cells


def _at(cells: Sequence[Cell], runs: int) -> list[Cell]:
    return [cell for cell in cells if cell.runs == runs]


def _fill(cell: Cell, order: Order) -> str:
    began = time.monotonic()
    try:
        found = sample(order)
    except NoSample as problem:
        cell.problem = str(problem)
        return cell.problem
    cell.samples.append(found)
    return f"{_line(found)} ({time.monotonic() - began:.0f} s)"


def _line(found: Sample) -> str:
    parts = [
        f"{found.multiple:.2f} ×, {found.cpu_ms:.0f} ms, {found.rss_mb:.0f} MB",
        f"{found.requests} requests, {found.peak} at once",
        f"server {found.server_busy:.0%} busy",
    ]
    if found.faults:
        parts.append(f"{found.faults} faults")
    if found.incomplete:
        parts.append(f"{found.incomplete} runs incomplete ({found.error})")
    return "; ".join(parts)


def _tell(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def report(order: Order, cells: Sequence[Cell], judged: Sequence[Bound]) -> None:
    """Print what was measured on what, the table, and the bounds."""
    typer.echo(f"{describe(machine())}\n")
    faults = f"; {order.fault_rate:.1%} of requests met: {order.fault}" if order.fault_rate else ""
    typer.echo(
        f"Each cell: wall time of all runs as a multiple of the shortest possible run ({order.shortest:g} s) · "
        f"processor time of the client per run · its peak memory{faults}.\n"
    )
    typer.echo(table(cells, {name: client.label for name, client in CLIENTS.items()}))
    if judged:
        typer.echo(f"\nBounds of this graph: {'; '.join(map(str, judged))}.")
    elif any(cell.client == "graph" for cell in cells):
        typer.echo(
            "\nBounds of this graph: none judged; they are for 1, 64 and 256 runs at full latency without faults."
        )


def write(path: Path, order: Order, cells: Sequence[Cell], judged: Sequence[Bound]) -> None:
    """Write all figures as JSON."""
    measured = [
        {
            "client": cell.client,
            "runs": cell.runs,
            "problem": cell.problem,
            "best": {"multiple": cell.multiple, "cpu_ms": cell.cpu_ms, "rss_mb": cell.rss_mb} if cell.samples else None,
            "median": cell.medians if cell.samples else None,
            "samples": [asdict(found) for found in cell.samples],
        }
        for cell in cells
    ]
    everything = {
        "machine": machine(),
        "shortest_s": order.shortest,
        "fault": order.fault if order.fault_rate else None,
        "fault_rate": order.fault_rate,
        "settings": order.settings,
        "measurements": measured,
        "bounds": [asdict(bound) | {"met": bound.met} for bound in judged],
    }
    path.write_text(json.dumps(everything, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def profile(order: Order, path: Path) -> int:
    """Profile this graph; the statistics go to a file and the costliest functions to standard output.

    Returns:
        The command's exit status.
    """
    _tell(f"Profiling this graph, runs at once: {order.runs} …\n")
    try:
        found = sample(replace(order, profile=str(path)))
    except NoSample as problem:
        _tell(f"{problem}\n")
        return 1
    _tell(f"{_line(found)}; profiling itself makes it slower\n")
    pstats.Stats(str(path)).sort_stats("tottime").print_stats(TOP)
    return 0
