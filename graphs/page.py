"""The picture of a run: one page of HTML that needs nothing else, no network and no script."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from nodes.llm.usage import Call, Usage
from nodes.rot import WORDS
from nodes.sources import Source
from nodes.state import Solution

FOLDER = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Even if something slipped through the escaping, nothing would run and nothing would be fetched."""
ROOM = 500_000
"""Bytes of all texts together, as they are written into the page; the rest of it stays under 1 MB with them."""
MOST_CALLS = 500
"""Calls that the page shows one by one."""
NAME = 100
"""Bytes of a name that stands on the page once for each call: a thread's id, a model."""
# Controls, half characters and marks that turn the direction round; spaces and joiners of any script stay.
_UNSEEN = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")

_TONES = {"complete": "good", "answered": "good", "partial": "warn", "refuted": "warn"}
_SECTIONS = {
    "answer": "Answer",
    "timeline": "Timeline",
    "threads": "Threads",
    "plan": "Plan",
    "review": "Review",
    "cost": "Time and cost",
    "baseline": "Against one call",
    "settings": "Settings",
}


class Clipped(NamedTuple):
    """A text as the page shows it."""

    shown: str
    left: int
    """Characters that are left out."""


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

    @property
    def signs(self) -> str:
        """What befell its calls, in their order; beside the name, where no bar can cover it."""
        return " · ".join(bar.sign for bar in self.bars if bar.sign)


def page(solution: Solution) -> str:
    """Write the page of a run.

    Args:
        solution: What the run came to. Every text in it is data: it is escaped, and what is too long for a page
            of less than 1 MB is shortened with a note.

    Returns:
        A whole HTML document.
    """
    report, calls, clip = solution.report, solution.calls[:MOST_CALLS], _clipper(solution)
    rows = _rows(calls, solution)
    with_content = {
        "threads": bool(solution.threads),
        "plan": bool(solution.plan or solution.assessment),
        "review": bool(solution.reviews or solution.contradictions),
    }
    html: str = _template().render(
        run=solution,
        report=report,
        title=" ".join(clip(solution.question).shown.split())[:80] or "A run",
        policy=POLICY,
        css=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        figures=_figures(solution),
        sections=[(id, name) for id, name in _SECTIONS.items() if with_content.get(id, True)],
        rows=rows,
        ticks=_ticks(_length(calls, solution)),
        chart_label=f"Timeline of {len(calls)} calls in {len(rows)} rows over {report.wall_s:.1f} seconds; "
        "the table below it lists every call",
        calls=calls,
        calls_left=len(solution.calls) - len(calls),
        tokens=_tokens(solution),
        models=_models(solution),
        sources_of=_sources_of(solution),
        clip=clip,
        name=lambda text: clipped(text, NAME).shown,
        words=words,
        tone=tone,
        percent=percent,
        times=times,
        compared=compared,
        counted=counted,
        money=money,
    )
    return html


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["mark"] = lambda mark: WORDS[mark]
    return environment.get_template("page.html.j2")


def _clipper(solution: Solution) -> Callable[[str], Clipped]:
    """Give each text of the page an equal share of its room, measured as it will be written."""
    texts = 20 + 8 * len(solution.threads) + len(solution.sources) + len(solution.report.repairs)
    texts += sum(2 * len(review.verdicts) + 2 * len(review.contradictions) for review in solution.reviews)
    texts += 2 * len(solution.contradictions) + len(solution.report.settings)
    return partial(clipped, most=max(40, ROOM // texts))


def clipped(text: str, most: int) -> Clipped:
    """Shorten a text to so many bytes as they will be written; what cannot be seen is marked."""
    clean = _UNSEEN.sub("\ufffd", text[:most])
    if len(text) <= most and len(escape(clean).encode()) <= most:
        return Clipped(clean, 0)
    size = kept = 0
    for char in clean:
        size += len(escape(char).encode())
        if size > most:
            break
        kept += 1
    return Clipped(clean[:kept] + " …", len(text) - kept)


def _figures(solution: Solution) -> list[tuple[str, str, str]]:
    report = solution.report
    threads = f"{report.threads_used} of {report.threads_planned} used" if solution.threads else "none"
    return [
        ("Outcome", solution.outcome, tone(solution.outcome)),
        ("Route", solution.route, ""),
        ("Wall time", f"{report.wall_s:.1f} s", ""),
        ("Threads", threads, ""),
        ("Calls", f"{report.calls:,}", ""),
        ("Tokens", f"{report.tokens.total:,}", ""),
        ("Cost", money(report.cost_usd), ""),
    ]


def _length(calls: list[Call], solution: Solution) -> float:
    return max([solution.report.wall_s, 0.001, *(call.started_s + call.latency_s for call in calls)])


def _rows(calls: list[Call], solution: Solution) -> list[Row]:
    """Lay the calls out: a row for each stage and round, and one for each thread."""
    whole = _length(calls, solution)
    rows: dict[str, Row] = {}
    for call in calls:
        name = _name(call.thread_id) or (f"{call.stage}, round {call.round}" if call.round else call.stage)
        rows.setdefault(name, Row(name)).bars.extend(_bars(call, whole))
    for name, thread in ((_name(thread.id), thread) for thread in solution.threads if thread.cached):
        left = round(100 * thread.started_s / whole, 3)
        rows.setdefault(name, Row(name, [Bar(left, 0.5, "cached", f"{name}: from the cache", "cached")]))
    return list(rows.values())


def _name(id: str | None) -> str:
    return clipped(id or "", NAME).shown


def _bars(call: Call, whole: float) -> Iterator[Bar]:
    start, width = 100 * call.started_s / whole, 100 * call.latency_s / whole
    who = f"{call.stage} {_name(call.thread_id)}".strip()
    if call.queued_s > 0.001:
        waited = min(start, 100 * call.queued_s / whole)
        yield Bar(round(start - waited, 3), round(waited, 3), "queued", f"{who}: queued for {call.queued_s:.2f} s")
    kinds = ["" if call.thread_id else "lone"]
    signs = ["copy"] if call.hedge else []
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


def _ticks(whole: float) -> list[Tick]:
    """Label the axis at round steps, at most six of them."""
    step = next(base * 10**power for power in range(-3, 7) for base in (1, 2, 5) if whole / (base * 10**power) <= 5)
    return [
        Tick(round(100 * number * step / whole, 3), f"{number * step:g} s") for number in range(int(whole / step) + 1)
    ]


def _tokens(solution: Solution) -> list[dict[str, Any]]:
    """List the threads with their tokens, those that were split again included."""
    report = solution.report
    threads = {thread.id: thread for thread in solution.threads}
    largest = max((usage.total for usage in report.tokens_by_thread.values()), default=0) or 1
    rows = []
    for id in dict.fromkeys([*report.tokens_by_thread, *threads]):
        usage, thread = report.tokens_by_thread.get(id, Usage()), threads.get(id)
        own = [call for call in solution.calls if call.thread_id == id]
        rows.append(
            {
                "id": id,
                "usage": usage,
                "status": words(thread.status) if thread else "split again",
                "tone": tone(thread.status) if thread else "warn",
                "input_share": round(100 * usage.input / largest, 2),
                "output_share": round(100 * usage.output / largest, 2),
                "seconds": f"{sum(call.latency_s for call in own):.1f}",
                "calls": len(own),
            }
        )
    return rows


def _models(solution: Solution) -> list[dict[str, Any]]:
    costs = {cost.model: cost for cost in solution.report.costs}
    contexts = {context.model: context for context in solution.report.contexts}
    return [
        {"name": name, "tokens": usage.total, "cost": costs.get(name), "context": contexts.get(name)}
        for name, usage in solution.report.tokens_by_model.items()
    ]


def _sources_of(solution: Solution) -> Callable[[str], list[Source]]:
    known = {source.number: source for source in solution.sources}
    specs = {spec.id: spec for spec in solution.plan.threads} if solution.plan else {}

    def of(id: str) -> list[Source]:
        return [known[number] for number in specs[id].sources if number in known] if id in specs else []

    return of


def words(status: str) -> str:
    """Say a status in words."""
    return {"ok": "answered"}.get(status, status.replace("_", " "))


def tone(status: str) -> str:
    """Return the class that colours a status; its words say the same."""
    return _TONES.get(status, "bad")


def percent(share: float | None) -> str:
    """Write a share, 0 to 1."""
    return "unknown" if share is None else f"{share:.1%}"


def times(ratio: float | None) -> str:
    """Write a ratio."""
    return "unknown" if ratio is None else f"{ratio:.2f} ×"


def compared(ratio: float | None, above: str, below: str) -> str:
    """Say how one thing stands to another: with `above` from 1 on, else the other way round with `below`."""
    if not ratio:
        return "unknown"
    return f"{times(ratio)} {above}" if ratio >= 1 else f"{times(1 / ratio)} {below}"


def counted(number: int, what: str) -> str:
    """Write a number of things."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def money(usd: float | None) -> str:
    """Write an amount."""
    return "unknown" if usd is None else f"${usd:.4f}"
