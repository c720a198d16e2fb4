"""What a trajectory gained by its threads, by both definitions in use (pure)."""

from typing import Any

from nodes.reporting.report import Acceleration, Estimate, Report


def with_acceleration(report: Report) -> Report:
    """Return a report that tells the acceleration too, and what one chain of all these tokens would have cost.

    Nothing is added where the server counted no tokens.
    """
    longest, total = report.critical_path_tokens, report.tokens.output
    if not (longest and total):
        return report
    over = report.baseline.token_latency if report.baseline else None
    told: dict[str, Any] = {
        "acceleration": Acceleration(within_trajectory=round(1 - longest / total, 3), over_baseline=over)
    }
    if report.estimate:
        # Here the trajectory, too, is a part of the chain, and not only its threads.
        latency = round(total / longest, 3)
        told["estimate"] = Estimate(output=total, token_latency=latency, token_multiplier=1.0)
    return report.model_copy(update=told)
