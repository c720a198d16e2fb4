"""The timeline of a run: which call was at work when, in percent of the whole (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from graphs.page.wording import MAX_NAME_BYTES, clip_text, words
from nodes.llm.endpoints.usage import Call
from nodes.state import Solution
from nodes.threads.results import ThreadResult


class Bar(NamedTuple):
    """A call, or its wait, on the timeline; positions in percent of the whole."""

    left: float
    width: float
    kind: str
    title: str
    sign: str = ""


@dataclass
class Row:
    """A line of the timeline."""

    name: str
    bars: list[Bar] = field(default_factory=list)
    thread: str = ""
    """Id of the thread that it is about; empty for another stage."""

    @property
    def signs(self) -> str:
        """What befell its calls, in their order; beside the name, where no bar can cover it."""
        return " · ".join(bar.sign for bar in self.bars if bar.sign)


def length(calls: list[Call], solution: Solution) -> float:
    """Return the seconds that the timeline spans."""
    return max([solution.report.wall_s, 0.001, *(call.started_s + call.latency_s for call in calls)])


def rows_of(calls: list[Call], solution: Solution) -> list[Row]:
    """Lay the calls out: a row for each stage and round, and one for each thread."""
    whole, names = length(calls, solution), {thread.id: _name_with_needs(thread) for thread in solution.threads}
    rows: dict[str, Row] = {}
    for call in calls:
        name = names.get(call.thread_id or "") or _name(call.thread_id)
        name = name or (f"{call.stage}, round {call.round}" if call.round else call.stage)
        rows.setdefault(name, Row(name, thread=call.thread_id or "")).bars.extend(_bars(call, whole))
    for name, thread in ((names[thread.id], thread) for thread in solution.threads if thread.cached):
        left = round(100 * thread.started_s / whole, 3)
        bar = Bar(left, 0.5, "cached", f"{name}: from the cache", "cached")
        rows.setdefault(name, Row(name, [bar], thread.id))
    return list(rows.values())


def _name_with_needs(thread: ThreadResult) -> str:
    """Name a thread, with an arrow from those whose results it was given."""
    return " ← ".join([_name(thread.id), *([_name(", ".join(thread.needs))] if thread.needs else [])])


def _name(id: str | None) -> str:
    return clip_text(id or "", MAX_NAME_BYTES).shown


def _bars(call: Call, whole: float) -> Iterator[Bar]:
    start, width = 100 * call.started_s / whole, 100 * call.latency_s / whole
    who = f"{call.stage} {_name(call.thread_id)}".strip()
    if call.queued_s > 0.001:
        waited = min(start, 100 * call.queued_s / whole)
        yield Bar(round(start - waited, 3), round(waited, 3), "queued", f"{who}: queued for {call.queued_s:.2f} s")
    kinds = ["" if call.thread_id else "lone"]
    signs = ["copy"] * call.hedge + ["begun early"] * call.ahead
    kinds += ["hedge"] if call.hedge else []
    if call.attempt > 1:
        signs.append(f"↻{call.attempt}")
    if call.status == "cancelled":
        kinds, signs = [*kinds, "dropped"], [*signs, "cancelled"]
    elif call.status != "ok":
        kinds, signs = [*kinds, "fault"], [*signs, "timeout" if call.status in ("timed_out", "deadline") else "✕"]
    title = f"{who}, round {call.round}, try {call.attempt}: {words(call.status)} after {call.latency_s:.2f} s"
    yield Bar(round(start, 3), round(width, 3), " ".join(kinds).strip(), title, " ".join(signs))


class Tick(NamedTuple):
    """A label of the time axis."""

    left: float
    label: str


def ticks_of(whole: float) -> list[Tick]:
    """Label the axis at round steps, at most six of them."""
    steps = (base * 10.0**power for power in range(-3, 309) for base in (1, 2, 5))
    step = next(step for step in steps if whole / step <= 5)
    return [
        Tick(round(100 * number * step / whole, 3), f"{number * step:g} s") for number in range(int(whole / step) + 1)
    ]
