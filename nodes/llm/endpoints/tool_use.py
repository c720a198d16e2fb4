"""The record that is kept of every call of a tool."""

from typing import Literal

from nodes.shared.record import Record


class ToolUse(Record):
    """One call of a tool that a model asked for, whatever came of it."""

    name: str
    """As the model wrote it."""
    arguments: str = ""
    """As the model wrote them, shortened."""
    status: Literal["ok", "failed", "timed_out", "skipped", "cancelled"] = "ok"
    """`skipped` if the thread had no calls left (setting `max_tool_calls`), `cancelled` if it was stopped meanwhile."""
    result: str = ""
    """What it returned, shortened."""
    error: str = ""
    """Why there is no result, in words that can be shown."""
    started_s: float = 0.0
    """Seconds from the start of the run."""
    latency_s: float = 0.0
    """Seconds from the call to its result or failure."""
