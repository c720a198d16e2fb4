"""The work that every client does: a run of ten calls, of which eight go out at the same time."""

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["assess", "solve", "review"]
Fault = Literal["429", "500", "drop", "hang"]

LATENCY: dict[Role, float] = {"assess": 0.7, "solve": 1.0, "review": 0.5}
"""Seconds from a request to its reply. The outline takes as long as assessing and planning took when they were two
calls, so that multiples of the shortest run still compare with earlier ones."""
THREADS = 8
CALLS = len(LATENCY) - 1 + THREADS
SHORTEST = sum(LATENCY.values())
"""Seconds of a run whose client costs nothing: the threads run side by side, the rest one after another."""


@dataclass(frozen=True)
class Order:
    """One measurement: which client, how many runs, and how the server behaves."""

    client: str
    runs: int
    latency_scale: float = 1.0
    """What every latency of the server is multiplied by."""
    time_limit: float = 180.0
    """Seconds after which the measurement is given up, imports and warm-up included."""
    fault: Fault = "429"
    fault_rate: float = 0.0
    """The share of requests that meet the fault."""
    seed: int = 1
    """Of the choice of these requests."""
    settings: dict[str, str] = field(default_factory=dict)
    """Settings of this graph that differ from their defaults."""
    profile: str | None = None
    """Where the statistics of a profiled measurement are written."""

    @property
    def shortest(self) -> float:
        """Seconds of the shortest possible run."""
        return SHORTEST * self.latency_scale


def parts(run: int) -> list[str]:
    """Return the parts of a run's question; no two runs ask the same."""
    return [f"What is {run} plus {number}?" for number in range(1, THREADS + 1)]


def question(run: int) -> str:
    """Return a run's question, its parts as a list."""
    return "\n".join(f"{number}. {part}" for number, part in enumerate(parts(run), 1))


SYSTEM: dict[Role, str] = {
    "assess": "List the parts of the question that can be answered at the same time.",
    "solve": "Answer the subquestion in a few short sentences.",
    "review": "Check the results against each other and write one answer.",
}


def messages(role: Role, text: str) -> list[dict[str, str]]:
    """Return the messages of a call as the protocol has them."""
    return [{"role": "system", "content": SYSTEM[role]}, {"role": "user", "content": text}]
