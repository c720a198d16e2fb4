"""One call put beside a run: how much longer or shorter it took (pure)."""

from collections.abc import Sequence

from nodes.llm.endpoints.usage import Call, total_usage
from nodes.reporting.report import Baseline, Report


def with_baseline(report: Report, *, answer: str, error: str, wall_s: float, calls: Sequence[Call]) -> Report:
    """Return a run's report with what the same question took in one call.

    Args:
        report: The run's report.
        answer: The answer of the one call.
        error: Why it has no whole answer; then nothing is compared.
        wall_s: Seconds that it took.
        calls: The requests that it took.
    """
    tokens = total_usage(calls)
    measured = Baseline(
        answer=answer,
        error=error,
        wall_s=round(wall_s, 3),
        calls=len(calls),
        tokens=tokens,
        wall_ratio=_ratio(wall_s, report.wall_s),
        token_latency=_ratio(tokens.output, report.critical_path_tokens),
        token_multiplier=_ratio(report.tokens.total, tokens.total),
    )
    # A failed call is no measure of how long an answer takes.
    unknown = {"wall_ratio": None, "token_latency": None, "token_multiplier": None} if error else {}
    return report.model_copy(update={"baseline": measured.model_copy(update=unknown)})


def _ratio(above: float, below: float) -> float | None:
    return round(above / below, 3) if above and below else None
