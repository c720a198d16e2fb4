"""The command `python -m evals.bench.waits`: how long the workflow waits beyond the model's own pace."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, NamedTuple

import typer
from openai import AsyncOpenAI

from evals.bench.machine import describe, machine
from evals.bench.process import settle, two_cores
from evals.bench.runner import out_of, process
from evals.bench.waits.paced import CASES, REVIEW_TOKENS, TOKENS_A_SECOND, Case
from graphs import graph
from nodes.planning.needs import list_joining, widest
from nodes.planning.outline import read_parts

QUESTION = "Tell me."
BOUND = 1.05
"""Of the shortest possible time."""
STAGED_BOUND = 0.85
"""Of a run in which every stage waits for the one before, where there are eight parts."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Times(NamedTuple):
    """Seconds from the question to the first word of an answer, and to its end."""

    first_s: float
    whole_s: float


def shortest_tokens(case: Case) -> int:
    """Return the shortest possible run, in tokens: the longest chain of lines written and threads, then the review.

    No thread begins before it is certain that there is anything to split: two parts that can run at the same time.
    """
    parts = read_parts(case.parts, []).parts
    certain = next(
        count for count in range(len(parts) + 1) if len(widest(read_parts(case.parts[:count], []).parts)) > 1
    )
    joining = {part.number for part in list_joining(parts)}
    ends: dict[int, int] = {}
    for part in parts:
        if part.number not in joining:
            begins = max([case.line_end(max(certain, part.number)), *(ends[need] for need in part.needs)])
            ends[part.number] = begins + case.tokens
    return max(ends.values()) + REVIEW_TOKENS


async def ask_bare(base_url: str) -> Times:
    """Ask in one streaming call, with nothing of ours."""
    began = time.perf_counter()
    first = 0.0
    async with AsyncOpenAI(base_url=base_url, api_key="none") as client:
        stream = await client.chat.completions.create(
            model="paced", messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        async for event in stream:
            if event.choices and event.choices[0].delta.content:
                first = first or time.perf_counter() - began
    return Times(first, time.perf_counter() - began)


async def ask_workflow(base_url: str, head_start: str) -> Times:
    """Ask the workflow; the first word is the first of the direct answer."""
    began, first = time.perf_counter(), 0.0
    # What is measured is the split: a machine that is slow just now must not be answered in one call instead.
    context = {"model": "openai:paced", "base_url": base_url, "head_start": head_start, "split": "if_independent"}
    modes = ["messages", "values"] if head_start == "on" else ["values"]
    ended = None
    async for mode, event in graph.astream({"question": QUESTION}, context=context, stream_mode=modes):
        if mode == "values":
            ended = event
        elif event[1]["langgraph_node"] == "direct" and event[0].text:
            first = first or time.perf_counter() - began
    if ended is None or ended["outcome"] != "complete":
        raise typer.Exit(2)
    return Times(first, time.perf_counter() - began)


async def best(repeat: int, ask: Callable[[], Awaitable[Times]]) -> Times:
    """Ask again and again, and return the best; a first time warms up."""
    await ask()
    found = [await ask() for _ in range(repeat)]
    return Times(min(times.first_s for times in found), min(times.whole_s for times in found))


def measure(name: str, case: Case, repeat: int, pace_s: float) -> tuple[list[str], bool]:
    """Measure one case; returns its row, and whether the bounds hold."""
    core = (two_cores() or ("", ""))[0]
    with process("evals.bench.waits.paced", name, str(pace_s), core) as server:
        base_url = f"http://127.0.0.1:{int(out_of(server).readline())}/v1"
        ours = asyncio.run(best(repeat, lambda: ask_workflow(base_url, "on")))
        staged = asyncio.run(best(repeat, lambda: ask_workflow(base_url, "off")))
        bare = None if case.parts else asyncio.run(best(repeat, lambda: ask_bare(base_url)))
    shortest = bare.whole_s if bare else shortest_tokens(case) * pace_s
    ratio, to_staged = ours.whole_s / shortest, ours.whole_s / staged.whole_s
    first = f"{ours.first_s:.3f} s ({ours.first_s - bare.first_s:+.3f})" if bare else "–"
    holds = ratio <= BOUND and (len(case.parts) != 8 or to_staged <= STAGED_BOUND)
    row = [name, f"{shortest:.2f} s", f"{ours.whole_s:.2f} s", f"{ratio:.3f}", first]
    return [*row, f"{staged.whole_s:.2f} s", f"{to_staged:.2f}"], holds


@app.command()
def waits(
    repeat: Annotated[int, typer.Option(min=1, help="Times of each case, after one to warm up; the best counts.")] = 3,
    case: Annotated[list[str] | None, typer.Option(help="Which cases, by the beginning of their names.")] = None,
    pace: Annotated[float, typer.Option(min=1, help="Tokens a second of each stream.")] = TOKENS_A_SECOND,
) -> None:
    """Compare runs with the shortest possible, on a loopback server that writes tokens at a chosen pace.

    The shortest possible is one bare streaming call where there is nothing to split; else the longest chain of lines
    of the outline and threads, then the review. In a staged run (`head_start=off`) each stage waits for the one before.
    Exit status 1: a run took over 1.05 times the shortest, or with eight parts over 0.85 times the staged one.
    """
    settle((two_cores() or ("", ""))[1])
    rows = [["case", "shortest", "run", "ratio", "first word (against bare)", "staged", "run / staged"]]
    rows.append(["---"] * len(rows[0]))
    held = True
    for name, how in CASES.items():
        if not case or name.startswith(tuple(case)):
            sys.stderr.write(f"{name} …\n")
            row, holds = measure(name, how, repeat, 1 / pace)
            rows.append(row)
            held = held and holds
    typer.echo("\n".join([describe(machine()), "", *(f"| {' | '.join(row)} |" for row in rows)]))
    raise typer.Exit(not held)


if __name__ == "__main__":
    app(prog_name="python -m evals.bench.waits")
