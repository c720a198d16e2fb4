"""The figures at the top of the page, and those of two runs side by side (pure)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from graphs.page.wording import compare_with, money, tell_easy, tone
from nodes.state import Solution


class Figure(NamedTuple):
    """A figure of a run, by name."""

    name: str
    value: str
    tone: str = ""
    note: str = ""
    """How it came about."""


def list_figures(solution: Solution) -> list[Figure]:
    """Return the figures of a run, what it gains and costs against one call first."""
    report = solution.report
    threads = f"{report.threads_used} of {report.threads_planned} used" if solution.threads else "none"
    return [
        *_compare(solution),
        Figure("Outcome", solution.outcome, tone(solution.outcome)),
        Figure("Route", solution.route),
        Figure("Wall time", f"{report.wall_s:.1f} s"),
        Figure("Threads", threads),
        Figure("Calls", f"{report.calls:,}"),
        Figure("Tokens", f"{report.tokens.total:,}"),
        Figure("Cost", money(report.cost_usd)),
        *([Figure("Easy threads", tell_easy(report.easy))] if report.easy else []),
    ]


def _compare(solution: Solution) -> Iterator[Figure]:
    speed, price = "Against one call", "Tokens against one call"
    base, estimate = solution.report.baseline, solution.report.estimate
    if base and base.error:
        yield Figure(speed, "unknown", note="measured, but one call gave no whole answer")
    elif base:
        yield Figure(speed, compare_with(base.wall_ratio, "as fast", "as slow"), note="measured by the clock")
        spent = compare_with(base.token_multiplier, "as many", "fewer")
        yield Figure(price, spent, note="measured, read and written")
    elif estimate:
        fast = compare_with(estimate.token_latency, "as fast", "as slow")
        yield Figure(speed, fast, note="estimated, by tokens one after another")
        spent = compare_with(estimate.token_multiplier, "as many", "fewer")
        yield Figure(price, spent, note="estimated, those written")
    elif solution.route == "direct" and solution.calls:
        yield Figure(speed, "no split", note="answered without threads")


def list_facts(solution: Solution) -> list[tuple[str, str]]:
    """Return which run it is: when it ended, its id, the version and the models that it asked."""
    report = solution.report
    id = report.run_id or next((call.run_id for call in solution.calls), "")
    facts = [
        ("Ended", _write_time(report.ended_at)),
        ("Run", id),
        ("Version", report.version),
        ("Model" if len(report.tokens_by_model) == 1 else "Models", ", ".join(report.tokens_by_model)),
    ]
    return [(name, value) for name, value in facts if value]


def _write_time(seconds: float) -> str:
    if seconds <= 0:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):  # a report that somebody edited
        return ""


class Pair(NamedTuple):
    """One figure of two runs."""

    name: str
    here: str
    there: str
    ratio: str = ""


def compare_runs(solution: Solution, other: Solution) -> list[Pair]:
    """Return the figures of two runs, with how the first stands to the second."""
    one, two = solution.report, other.report
    numbers = [
        ("Wall time, s", one.wall_s, two.wall_s, "{:.2f}"),
        ("Critical path, s", one.critical_path_s, two.critical_path_s, "{:.2f}"),
        ("Tokens one after another", one.critical_path_tokens, two.critical_path_tokens, "{:,}"),
        ("Tokens", one.tokens.total, two.tokens.total, "{:,}"),
        ("Tokens written", one.tokens.output, two.tokens.output, "{:,}"),
        ("Calls", one.calls, two.calls, "{:,}"),
        ("Threads used", one.threads_used, two.threads_used, "{:,}"),
        ("Extra rounds", one.rounds, two.rounds, "{:,}"),
        ("Cost, US dollars", one.cost_usd, two.cost_usd, "{:.4f}"),
    ]
    words = [
        Pair("Outcome", solution.outcome, other.outcome),
        Pair("Route", solution.route, other.route),
        *(Pair(name, *_both(dict(list_facts(solution)), dict(list_facts(other)), name)) for name in ("Ended", "Run")),
    ]
    return words + [
        Pair(name, _write(here, form), _write(there, form), f"{here / there:.2f} ×" if here and there else "")
        for name, here, there, form in numbers
    ]


def _both(here: dict[str, str], there: dict[str, str], name: str) -> tuple[str, str]:
    return here.get(name, "unknown"), there.get(name, "unknown")


def _write(number: float | None, form: str) -> str:
    return "unknown" if number is None else form.format(number)


def list_changes(solution: Solution, other: Solution) -> list[Pair]:
    """Return the settings in which two runs differ."""
    here, there = solution.report.settings, other.report.settings

    def write(settings: dict[str, Any], name: str) -> str:
        return "none" if settings.get(name) is None else str(settings[name])

    pairs = [Pair(name, write(here, name), write(there, name)) for name in {**here, **there}]
    return [pair for pair in pairs if pair.here != pair.there]
