"""The command `python -m evals.bench.temporal`: runs over several worker processes, by a Temporal server."""

import asyncio
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import mean
from typing import Annotated

import typer

from evals.bench.machine import describe, machine
from evals.bench.temporal.cluster import Shape, cluster
from evals.bench.temporal.history import Figures, read_history

THREADS, CONCURRENCY = 64, 16
LIMIT = 20
"""Requests at a time of the endpoint that many runs share."""
MIN_SPEED, MAX_OVERHEAD_MS, MAX_REFUSED = 0.9, 60.0, 0.05
"""What this project promises: share of the ideal speed, milliseconds a thread, share of requests."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Rows = list[list[str]]


def question(run: int, parts: int) -> str:
    """Return a question of so many parts that no other run asks."""
    return "\n".join(f"{number}. What is {run} plus {number}?" for number in range(1, parts + 1))


def write_documents(characters: int, count: int) -> list[dict[str, str]]:
    """Write so many documents, no two of them alike, of so many characters in all."""
    texts = [f"Document {number} says: {'so it is. ' * (characters // 10)}" for number in range(count)]
    return [{"id": f"d{n}", "text": text[: characters // count]} for n, text in enumerate(texts)] if characters else []


async def grow(repeat: int, seconds: float) -> Rows:
    """Have a run of 64 threads, each of so many seconds, made by one, two and four workers."""
    rows = [["workers", "ideal", "threads took", "of the ideal speed", "overhead a thread", "turn to request", "load"]]
    for workers in (1, 2, 4):
        found = []
        async with cluster(Shape(workers, THREADS, latency=seconds, concurrency=CONCURRENCY)) as made:
            for number in range(repeat + 1):
                await made.run(f"grow-{number}", question(number, THREADS))
            runs = [read_history((await made.history(f"grow-{n}")).events) for n in range(1, repeat + 1)]
            arrived = (await made.counts()).arrived
            load = os.getloadavg()[0]
        for number, run in enumerate(runs, 1):
            took = max(run.ended.values()) - min(run.turns.values())
            # Threads beyond what workers do at a time wait for others to end, not for us.
            first = sorted(run.begun, key=lambda id: run.begun[id])[: workers * CONCURRENCY]
            at = sorted(when for part, when in arrived.items() if part.startswith(f"{number}+"))[: len(first)]
            found.append((took, mean(at) - mean(run.turns[id] for id in first)))
        took, wait = min(found)
        ideal = math.ceil(THREADS / (workers * CONCURRENCY)) * seconds
        cost = (took - ideal) / THREADS * 1000
        rows.append(
            [str(workers), f"{ideal:.0f} s", f"{took:.2f} s", f"{ideal / took:.2f}"]
            + [f"{cost:.0f} ms", f"{wait * 1000:.0f} ms", f"{load:.1f}"]
        )
    return rows


async def crowd(runs: int, variables: tuple[tuple[str, str], ...]) -> Rows:
    """Have many runs of eight threads made at once by four workers, where the endpoint takes 20 requests at a time."""
    shape = Shape(4, limit=LIMIT, latency=0.2, concurrency=64, settings=(("APR_WORKERS", "4"), *variables))
    async with cluster(shape) as made:
        began = time.monotonic()
        ended = await asyncio.gather(
            *(made.run(f"crowd-{n}", question(n, shape.parts)) for n in range(runs)), return_exceptions=True
        )
        took = time.monotonic() - began
        counts = await made.counts()
    for error in [one for one in ended if isinstance(one, BaseException)][:3]:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    whole = sum(isinstance(one, dict) and one["outcome"] == "complete" for one in ended)
    at_best = runs * shape.parts * shape.latency / LIMIT
    return [
        ["shared by", "runs", "complete", "requests", "refused", "most at once", "took", "at best", "load"],
        ["Redis" if variables else "a share each", str(runs), str(whole), str(counts.requests)]
        + [f"{counts.refused} ({counts.refused / max(1, counts.requests):.1%})", str(counts.peak)]
        + [f"{took:.0f} s", f"{at_best:.0f} s", f"{os.getloadavg()[0]:.1f}"],
    ]


async def weigh() -> Rows:
    """Tell what goes through Temporal for short and long documents, and for few and many threads."""
    rows = [["run", "events", "bytes of history", "bytes of payloads", "largest payload", "a decision", "longest"]]
    for parts, characters in ((8, 0), (8, 5_000), (8, 5_000_000), (64, 0), (64, 5_000_000)):
        async with cluster(Shape(2, parts, latency=0.1, concurrency=64, documents=characters > 0)) as made:
            solution = await made.run("weighed", question(parts, parts), write_documents(characters, parts))
            assert solution["outcome"] == "complete"
            told = f"{parts} threads" + (f", {characters:,} characters of documents" if characters else "")
            rows.append([told, *_weights(read_history((await made.history("weighed")).events))])
    return rows


def _weights(found: Figures) -> list[str]:
    times = [f"{1000 * mean(found.decisions):.0f} ms", f"{1000 * max(found.decisions):.0f} ms"]
    sizes = (found.events, found.size, sum(found.payloads), max(found.payloads))
    return [*(f"{size:,}" for size in sizes), *times]


def _table(rows: Rows) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@app.command()
def temporal(
    only: Annotated[list[str] | None, typer.Option(help="`grow`, `weigh` or `crowd`; all by default.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of 64 threads; the best one counts.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each of these threads takes.")] = 1.0,
    runs: Annotated[int, typer.Option(min=1, help="Runs at once where many share an endpoint.")] = 200,
    redis: Annotated[str, typer.Option(help="Address of a Redis server, by which workers share limits.")] = "",
) -> None:
    """Measure runs over several workers: how fast they get, what one costs, and what goes through Temporal.

    Temporal server, model server and workers are processes of their own on this machine, fresh for every row.
    """
    variables = (("APR_REDIS_URL", redis),) if redis else ()
    made: dict[str, Callable[[], Awaitable[Rows]]] = {
        "grow": lambda: grow(repeat, seconds),
        "weigh": weigh,
        "crowd": lambda: crowd(runs, variables),
    }
    typer.echo(describe(machine()))
    for name in only or made:
        sys.stderr.write(f"{name} …\n")
        typer.echo(f"\n{_table(asyncio.run(_await(made[name])))}")


async def _await(make: Callable[[], Awaitable[Rows]]) -> Rows:
    return await make()


if __name__ == "__main__":
    app(prog_name="python -m evals.bench.temporal")
