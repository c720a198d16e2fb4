"""What a run may still use of one thing, tokens or dollars."""

from collections.abc import Callable
from typing import Protocol

from nodes.llm.replies.errors import ModelError


class Purse:
    """What tasks that run side by side may still use of one thing, tokens or dollars.

    Attributes:
        limit: What the whole run may use; `None` for any amount.
        used: What it has used.
        kept: What is left for later.
        note: What else is to be said where it refuses.
        open: What requests that are under way are expected to use.
    """

    def __init__(self, name: str, limit: float | None, *, used: float, kept: float) -> None:
        """Start from what is spent; `name` tells what of."""
        self.name, self.limit, self.used, self.kept = name, limit, used, kept
        self.open: float = 0
        self.note = ""

    def enter(self) -> None:
        """Take in that one more task begins that uses it."""

    async def count(self) -> None:
        """Take in what tasks elsewhere have used."""

    def lacks(self, amount: float) -> bool:
        """Whether the run cannot afford so much more."""
        return self.limit is not None and self.used + self.open + self.kept + amount > self.limit

    def refuse(
        self, amount: float, setting: str, gone: str, show: Callable[[float], str], unit: str = ""
    ) -> ModelError:
        """Say that the run cannot afford so much more.

        Args:
            amount: How much.
            setting: Which setting is its limit.
            gone: How what has been used is called.
            show: Writes an amount.
            unit: What stands behind the first one.
        """
        kept = f", {show(self.kept)} kept for the review" if self.kept else ""
        return ModelError(
            "over_budget",
            f"not asked: some {show(amount)}{unit} more would pass the {show(self.limit or 0)} of `{setting}` "
            f"({show(self.used)} {gone}, {show(self.open)} expected of open requests{kept}{self.note})",
        )

    def settle(self, reserved: float, used: float) -> None:
        """Replace what was set aside by what was used."""
        self.open -= reserved
        self.used += used


class MakePurse(Protocol):
    """Makes one."""

    def __call__(self, name: str, limit: float | None, *, used: float, kept: float) -> Purse:
        """Start from what is spent."""
