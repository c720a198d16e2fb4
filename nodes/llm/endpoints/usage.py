"""What a call cost, and the record that is kept of every call."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field

from nodes.llm.endpoints.tool_use import ToolUse
from nodes.shared.record import Record


class Usage(Record):
    """Token usage as the server counted it."""

    input: int = 0
    """Prompt tokens, cached ones included."""
    output: int = 0
    """Generated tokens, reasoning included."""
    reasoning: int = 0
    """Those of `output` that were reasoning, where the server tells."""
    cached: int = 0
    """Those of `input` that the server had in its prompt cache, where it tells."""
    total: int = 0
    """`input + output`."""

    def __add__(self, other: "Usage") -> "Usage":
        """Add field by field."""
        return Usage(
            input=self.input + other.input,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
            cached=self.cached + other.cached,
            total=self.total + other.total,
        )

    @classmethod
    def from_metadata(cls, metadata: Any) -> "Usage":
        """Read LangChain's `usage_metadata`; all zero where the server sent none."""
        if not metadata:
            return cls()
        written, read = metadata.get("output_token_details") or {}, metadata.get("input_token_details") or {}
        counts = {"input": metadata.get("input_tokens"), "output": metadata.get("output_tokens")}
        known = {name: count or 0 for name, count in counts.items()}
        return cls(
            **known,
            reasoning=written.get("reasoning") or 0,
            cached=read.get("cache_read") or 0,
            total=known["input"] + known["output"],
        )


class Call(Record):
    """One request to a model, whatever came of it."""

    run_id: str
    role: str
    """`assess`, `decompose`, `solve` or `review`."""
    thread_id: str | None = None
    """The thread it was made for, if for one."""
    round: int = 0
    """0 for the first pass, then 1, 2, … for the extra rounds."""
    attempt: int = 1
    """1 for the first request of this task, 2 for the next, …"""
    hedge: bool = False
    """Whether it belongs to the second copy of a late thread."""
    step: int = 0
    """Which step of its thread's work it belongs to: one begins when the one before it has ended."""
    sample: int = 0
    """Which of those that a step asks side by side it is, from 1; 0 where it asks one (see `nodes.solvers`)."""
    ahead: bool = False
    """Whether it began before it was certain to be needed."""
    wasted: bool = False
    """Whether it began so and was not needed; what it used is an estimate where it was broken off."""
    easy: bool = False
    """Whether the outline calls its thread easy, so that it was asked of `easy_model`."""
    model: str = ""
    """`provider:name`."""
    server: str = ""
    """Address of the server that was asked."""
    status: str = "running"
    """`ok`, or the kind of the failure (see `nodes.llm.replies.errors.Kind`), or `cancelled`."""
    queued_s: float = 0.0
    """Seconds it waited for its turn, among its siblings and at the endpoint."""
    degree: int | None = None
    """Requests that the endpoint could be sent at once when this one went out; `None` for any number."""
    degree_reason: str = ""
    """Why the degree was what it was."""
    left_out: list[str] = Field(default_factory=list)
    """Settings that were not sent, since the model refuses them: `temperature`, `reasoning_effort` or `max_tokens`."""
    reasoning: str = ""
    """What the model thought, where it tells; that of a thread's own calls stands in its result."""
    window: int | None = None
    """Tokens that prompt and reply may have together, where it is known."""
    window_source: str = ""
    """Who told the window: `server`, `profile` or `setting`."""
    tools: list[ToolUse] = Field(default_factory=list)
    """The tools that its reply asked for, and what came of each."""
    usage: Usage = Usage()
    cost_usd: float | None = None
    """What the server says that it cost, where it does."""
    started_s: float = 0.0
    """Seconds from the start of the run to the request."""
    latency_s: float = 0.0
    """Seconds from the request to its reply or failure."""

    @property
    def utilisation(self) -> float | None:
        """Share of the context window that prompt and reply took; `None` where either is unknown."""
        return self.usage.total / self.window if self.window and self.usage.total else None

    def keep_thoughts(self, thoughts: str) -> None:
        """Keep what the model thought, unless its thread's result does."""
        if not (self.thread_id and self.role == "solve"):
            self.reasoning = thoughts

    @property
    def stage(self) -> str:
        """The node that made it."""
        return stage_of(self.role, self.thread_id)


def stage_of(role: str, thread_id: str | None) -> str:
    """Name the node that calls belong to.

    No thread's own answer is a direct one, a plan for one thread alone a finer split.
    """
    if role == "solve" and thread_id is None:
        return "direct"
    return "refine" if role == "decompose" and thread_id else role


def total_usage(calls: Iterable[Call]) -> Usage:
    """Sum the usage of `calls`."""
    return sum((call.usage for call in calls), Usage())


def last_end(calls: Iterable[Call]) -> float:
    """Return when the last of some calls ended, in seconds from the start of their run."""
    return max((call.started_s + call.latency_s for call in calls), default=0.0)


def add_calls(standing: Sequence[Call], new: Sequence[Call] | None) -> list[Call]:
    """Append calls; those of an earlier run on the same LangGraph thread go, with `None` all of them."""
    if new is None:
        return []
    return [call for call in standing if not new or call.run_id == new[0].run_id] + list(new)
