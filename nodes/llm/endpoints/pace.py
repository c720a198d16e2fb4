"""How fast an endpoint was seen to read and write, and how much it writes at each stage."""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from pydantic import Field

from nodes.llm.endpoints.usage import Call

Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
"""What a kept file may say of time and tokens."""

MIN_CALLS_SEEN = 2
"""Calls of a stage that must have been seen before a forecast rests on them."""
SHORT_REPLY_TOKENS = 40
"""Tokens up to which a reply counts as short."""
IN_VAIN = "in vain"
"""The stage as which direct answers count that were waited for and did not come."""
NEWEST_CALL_WEIGHT = 0.1
"""Of the newest call in every mean, so that what a server was an hour ago fades."""


class Shown(NamedTuple):
    """What a call has shown."""

    stage: str
    side_by_side: bool = False
    """Whether other threads ran beside it."""
    read: int = 0
    """Tokens of the prompt that no cache held."""
    written: int = 0
    seconds: float = 0.0
    """0 where it says nothing of the pace."""
    cached: int = 0
    """Tokens of the prompt that the server's cache held."""

    @classmethod
    def by(cls, call: Call) -> "Shown":
        """Read it off a call."""
        read = max(0, call.usage.input - call.usage.cached)
        return cls(call.stage, bool(call.thread_id), read, call.usage.output, call.latency_s, call.usage.cached)


@dataclass
class Stage:
    """What the calls of one stage generated."""

    calls: int = 0
    output: Amount = 0.0
    """Tokens a call, on the mean."""
    least: Amount = 0.0
    """Fewest tokens of a call."""
    short: int = 0
    """Calls with a short reply."""
    usual: bool = False
    """Whether it began with what is usual, to be replaced by the first call that is seen."""

    @property
    def enough(self) -> bool:
        """Whether a forecast may rest on it."""
        return self.usual or self.calls >= MIN_CALLS_SEEN

    def see(self, output: int) -> None:
        """Take one more call in."""
        self.calls += 1
        self.short += output <= SHORT_REPLY_TOKENS
        self.least = output if self.calls == 1 else min(self.least, output)
        self.output += (output - self.output) * max(NEWEST_CALL_WEIGHT, 1 / self.calls)


@dataclass
class Speed:
    """Least squares of `seconds = a * tokens read + b * tokens written` over the calls seen, newest first."""

    rr: Amount = 0.0
    rw: Amount = 0.0
    ww: Amount = 0.0
    rs: Amount = 0.0
    ws: Amount = 0.0

    def see(self, read: float, written: float, seconds: float) -> None:
        """Take one more call in."""
        for name, product in (
            ("rr", read * read),
            ("rw", read * written),
            ("ww", written * written),
            ("rs", read * seconds),
            ("ws", written * seconds),
        ):
            setattr(self, name, (1 - NEWEST_CALL_WEIGHT) * getattr(self, name) + product)

    def rates(self) -> tuple[float, float]:
        """Return the seconds of a token read and of a token written; neither is below 0."""
        determinant = self.rr * self.ww - self.rw * self.rw
        if determinant > 1e-6 * self.rr * self.ww:
            reading = (self.rs * self.ww - self.ws * self.rw) / determinant
            writing = (self.ws * self.rr - self.rs * self.rw) / determinant
            if reading >= 0 and writing >= 0:
                return reading, writing
        # Calls too much alike, or a fit that makes no sense: all the time goes to what was written.
        return 0.0, self.ws / self.ww if self.ww else 0.0


@dataclass
class Pace:
    """What successful calls have shown about an endpoint."""

    stages: dict[str, Stage] = field(default_factory=dict)
    alone: Speed = field(default_factory=Speed)
    """Of calls with no sibling beside them."""
    threads: Speed = field(default_factory=Speed)
    """Of threads, which slow each other down where a server has less to give."""
    caches: bool = False
    """Whether the server ever said that it had a part of a prompt in its cache."""

    @property
    def known(self) -> bool:
        """Whether anything is known of its speed."""
        return bool(self.alone.ww or self.threads.ww)

    def see(self, call: Call) -> None:
        """Take a successful call in."""
        self.take(Shown.by(call))

    def take(self, shown: Shown) -> None:
        """Take in what a call has shown."""
        self.stages.setdefault(shown.stage, Stage()).see(shown.written)
        if shown.seconds:
            speed = self.threads if shown.side_by_side else self.alone
            speed.see(shown.read, shown.written, shown.seconds)
        self.caches = self.caches or shown.cached > 0

    def of(self, stage: str) -> Stage:
        """Return what a stage's calls generated."""
        return self.stages.get(stage, Stage())

    def expect(self, stage: str) -> int:
        """Return how many tokens a call of a stage is expected to write; 0 while too little is known."""
        seen = self.of(stage)
        return round(seen.output) if seen.enough else 0

    def seconds(self, *, read: float, written: float, side_by_side: bool = False) -> float:
        """Tell how long a call is expected to take.

        Args:
            read: Tokens of the prompt that no cache holds.
            written: Tokens generated.
            side_by_side: Whether other threads run beside it.
        """
        speed = self.threads if side_by_side or not self.alone.ww else self.alone
        reading, writing = speed.rates()
        return reading * read + writing * written
