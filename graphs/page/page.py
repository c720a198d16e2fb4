"""The picture of a run: one page of HTML that needs nothing else, no network; its one script only copies texts."""

import base64
import hashlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from graphs.page.figures import compare_runs, list_changes, list_facts, list_figures
from graphs.page.room import Room
from graphs.page.solving import list_solving
from graphs.page.timeline import length, rows_of, ticks_of
from graphs.page.wording import (
    MAX_NAME_BYTES,
    clip_text,
    compare_with,
    count_of,
    describe_edit,
    describe_outline,
    money,
    percent,
    say_decision,
    times,
    tone,
    words,
)
from nodes.llm.endpoints.usage import Usage
from nodes.reporting.sources import Source
from nodes.shared.cleaning import one_line
from nodes.state import Solution
from nodes.threads.context_rot import MARK_WORDS

FOLDER = Path(__file__).parent
SCRIPT = (FOLDER / "copy.js").read_text(encoding="utf-8").strip()
"""Copies texts; without it, the page only lacks the buttons for that."""
_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
)
"""Even if something slipped through the escaping, nothing but our own script would run and nothing would be fetched."""
MAX_UNFOLDED_CHARACTERS, MAX_UNFOLDED_LINES = 280, 4
"""A longer question is folded."""
MAX_CALLS_SHOWN = 500
"""Calls of models, and of tools, that the page shows one by one."""
_SECTIONS = {
    "answer": "Answer",
    "beside": "Beside another run",
    "timeline": "Timeline",
    "trajectory": "Trajectory",
    "threads": "Threads",
    "plan": "Plan",
    "review": "Review",
    "decisions": "Decisions",
    "cost": "Time and cost",
    "baseline": "Against one call",
    "settings": "Settings",
}


def page(solution: Solution, *, beside: Solution | None = None) -> str:
    """Write the page of a run.

    Args:
        solution: What the run came to. Every text in it is data: it is escaped, and what is too long for a page
            of less than 1 MB is shortened with a note.
        beside: Another run to compare it with: figures, answers and the settings that differ.

    Returns:
        A whole HTML document.
    """
    solving = list_solving(solution)
    report, calls, room = solution.report, solution.calls[:MAX_CALLS_SHOWN], Room()
    rows = rows_of(calls, solution)
    with_content = {
        "trajectory": bool(solution.trajectory),
        "beside": beside is not None,
        "threads": bool(solution.threads),
        "plan": bool(solution.plan or solution.assessment or report.repairs),
        "review": bool(solution.reviews or solution.contradictions),
        "decisions": bool(solution.decisions),
    }
    write = partial(
        _template().render,
        run=solution,
        report=report,
        title=one_line(clip_text(solution.question, MAX_NAME_BYTES).shown, 80) or "A run",
        policy=POLICY,
        css=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        script=Markup(SCRIPT),
        figures=list_figures(solution),
        facts=list_facts(solution),
        folded=len(solution.question) > MAX_UNFOLDED_CHARACTERS or solution.question.count("\n") >= MAX_UNFOLDED_LINES,
        other=beside,
        pairs=compare_runs(solution, beside) if beside else [],
        changes=list_changes(solution, beside) if beside else [],
        place_of={thread.id: place for place, thread in enumerate(solution.threads, 1)},
        some_stand=len({thread.status == "answered" for thread in solution.threads}) == 2,
        sections=[(id, name) for id, name in _SECTIONS.items() if with_content.get(id, True)],
        rows=rows,
        ticks=ticks_of(length(calls, solution)),
        chart_label=f"Timeline of {len(calls)} calls in {len(rows)} rows over {report.wall_s:.1f} seconds; "
        "the table below it lists every call",
        calls=calls,
        thoughts=[call for call in calls if call.reasoning],
        uses=[(call.thread_id or call.stage, use) for call in calls for use in call.tools][:MAX_CALLS_SHOWN],
        calls_left=len(solution.calls) - len(calls),
        tokens=_tokens(solution),
        models=_models(solution),
        sources_of=_sources_of(solution),
        solving=solving,
        clip=room.clip,
        markdown=room.render,
    )
    write()
    room.share_out()
    html: str = write()
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
    environment.globals |= {
        "name": lambda text: clip_text(text, MAX_NAME_BYTES).shown,
        "words": words,
        "tone": tone,
        "percent": percent,
        "times": times,
        "compared": compare_with,
        "counted": count_of,
        "found": describe_outline,
        "decided": say_decision,
        "edit_words": describe_edit,
        "money": money,
    }
    environment.filters["mark"] = lambda mark: MARK_WORDS[mark]
    return environment.get_template("page.html.j2")


def _tokens(solution: Solution) -> list[dict[str, Any]]:
    """List the threads with their tokens, those that were split again included."""
    report = solution.report
    threads = {thread.id: thread for thread in solution.threads}
    largest = max((usage.total for usage in report.tokens_by_thread.values()), default=0) or 1

    def say_replaced(id: str) -> str:
        return "handed on" if id in report.spawned else "split again"

    rows = []
    for id in dict.fromkeys([*report.tokens_by_thread, *threads]):
        usage, thread = report.tokens_by_thread.get(id, Usage()), threads.get(id)
        own = [call for call in solution.calls if call.thread_id == id]
        rows.append(
            {
                "id": id,
                "usage": usage,
                "status": words(thread.status, thread.stopped) if thread else say_replaced(id),
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
