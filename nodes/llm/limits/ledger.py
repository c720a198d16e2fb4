"""How many tokens a run may still use."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nodes.llm.endpoints.usage import Call, Usage, total_usage
from nodes.llm.replies.errors import ModelError
from nodes.shared.record import Record

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

ENGLISH_CHARACTERS_A_TOKEN = 4
"""Of English text, with the tokenisers in use; a prompt's size before a server has counted it."""
UNSEEN_REPLY_TOKENS = 500
"""Tokens expected of a reply while none has been seen."""


class Spending(Record):
    """What a run has used so far, and what its next calls are expected to use, in tokens."""

    total: int = 0
    thread: int = 0
    """Mean of the threads' successful requests; 0 while there is none."""
    join: int = 0
    """Expected of the review: as much as the outline took, which is a prompt of the same kind."""


def spending(calls: Iterable[Call]) -> Spending:
    """Sum up the calls of a run so far."""
    known = list(calls)
    threads = [call.usage.total for call in known if call.stage == "solve" and call.status == "ok"]
    return Spending(
        total=total_usage(known).total,
        thread=sum(threads) // len(threads) if threads else 0,
        join=total_usage(call for call in known if call.stage == "assess").total,
    )


def count_characters(messages: "Sequence[BaseMessage]") -> int:
    """Count the characters of a conversation."""
    return sum(len(message.text) for message in messages)


def estimate_usage(read: int, written: int) -> Usage:
    """Estimate what a request used that was broken off, as no server tells it.

    Args:
        read: Characters of its prompt.
        written: Characters of the reply so far.
    """
    prompt, reply = read // ENGLISH_CHARACTERS_A_TOKEN, written // ENGLISH_CHARACTERS_A_TOKEN
    return Usage(input=prompt, output=reply, total=prompt + reply)


class Ledger:
    """The tokens of tasks that run side by side, against what the run may use in all.

    Attributes:
        limit: Tokens of the whole run; `None` for any number.
    """

    def __init__(self, limit: int | None, spent: Spending, *, kept: int = 0) -> None:
        """Start from what is spent.

        Args:
            limit: Tokens of the whole run.
            spent: What the run has used before these tasks.
            kept: Tokens to leave for later.
        """
        self.limit = limit
        self._used, self._kept = spent.total, kept
        self._expected = spent.thread
        self._open = 0
        self._note = ""
        self._seen: list[int] = []

    def enter(self) -> None:
        """Take in that one more task begins that uses it."""

    async def reserve(self, prompt: int, reply: int = UNSEEN_REPLY_TOKENS) -> int:
        """Set tokens aside for a request, as many as its finished siblings used on the mean.

        Args:
            prompt: Estimated tokens of its prompt.
            reply: Tokens that its endpoint has written at such calls so far, thoughts included.

        Raises:
            ModelError: The run cannot afford it (`over_budget`).
        """
        expected = sum(self._seen) // len(self._seen) if self._seen else self._expected
        estimate = max(prompt, expected or prompt + reply)
        if self.limit is not None and not self._affords(self.limit, estimate):
            kept = f", {self._kept:,} kept for the review" if self._kept else ""
            raise ModelError(
                "over_budget",
                f"not asked: some {estimate:,} tokens more would pass the {self.limit:,} of `max_total_tokens` "
                f"({self._used:,} used, {self._open:,} expected of open requests{kept}{self._note})",
            )
        self._open += estimate
        return estimate

    def _affords(self, limit: int, estimate: int) -> bool:
        return self._used + self._open + self._kept + estimate <= limit

    def settle(self, reserved: int, used: int) -> None:
        """Replace what was set aside by what the request used; 0 where it failed."""
        self._open -= reserved
        self._used += used
        if used:
            self._seen.append(used)
