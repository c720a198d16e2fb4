"""How many tokens and dollars a run may still use."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from nodes.llm.endpoints.price import charge, show_dollars
from nodes.llm.endpoints.usage import Call, Usage, total_usage
from nodes.llm.limits.purse import MakePurse, Purse
from nodes.settings import Settings
from nodes.shared.record import Record

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

ENGLISH_CHARACTERS_A_TOKEN = 4
"""Of English text, with the tokenisers in use; a prompt's size before a server has counted it."""
UNSEEN_REPLY_TOKENS = 500
"""Tokens expected of a reply while none has been seen."""


class Spending(Record):
    """What a run has used so far, and what its next calls are expected to use."""

    used: dict[str, Usage] = Field(default_factory=dict)
    """By model, as `provider:name`."""
    a_thread: Usage = Usage()
    """Mean of the threads' successful requests; nothing while there is none."""
    outline: Usage = Usage()
    """What the outline took, which is expected of the review, too: its prompt is of the same kind."""

    @property
    def total(self) -> int:
        """Tokens used so far."""
        return sum(usage.total for usage in self.used.values())

    def cost(self, settings: Settings) -> float:
        """Price what is used so far, in US dollars."""
        return sum(charge(settings, model, usage) for model, usage in self.used.items())


def spending(calls: Iterable[Call]) -> Spending:
    """Sum up the calls of a run so far."""
    known = list(calls)
    by_model: dict[str, Usage] = defaultdict(Usage)
    for call in known:
        by_model[call.model] += call.usage
    threads = [call.usage for call in known if call.stage == "solve" and call.status == "ok"]
    return Spending(
        used=dict(by_model),
        a_thread=_mean(threads),
        outline=total_usage(call for call in known if call.stage == "assess"),
    )


def _mean(used: Sequence[Usage]) -> Usage:
    total = sum(used, Usage()).model_dump()
    return Usage(**{name: count // len(used) for name, count in total.items()}) if used else Usage()


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


class Reserved(NamedTuple):
    """What is set aside for a request."""

    tokens: int
    usd: float = 0


class Ledger:
    """What tasks that run side by side use, in tokens and in dollars, against what the run may use in all."""

    def __init__(
        self, settings: Settings, spent: Spending, *, keep_review: bool = False, make: MakePurse = Purse
    ) -> None:
        """Start from what is spent.

        Args:
            settings: The run's settings.
            spent: What the run has used before these tasks.
            keep_review: Whether to leave as much as the review is expected to use.
            make: Makes what counts tokens, and what counts dollars.
        """
        self._settings, self._expected = settings, spent.a_thread
        self._seen: list[Usage] = []
        kept = spent.outline if keep_review else Usage()
        self._tokens = make("tokens", settings.max_total_tokens, used=spent.total, kept=kept.total)
        self._usd: Purse | None = None
        if settings.max_cost is not None:
            kept_usd = charge(settings, settings.model_for("review"), kept)
            self._usd = make("usd", settings.max_cost, used=spent.cost(settings), kept=kept_usd)

    def enter(self) -> None:
        """Take in that one more task begins that uses it."""
        for purse in self._purses():
            purse.enter()

    def _purses(self) -> list[Purse]:
        return [self._tokens, *([self._usd] if self._usd else [])]

    async def reserve(self, model: str, prompt: int, reply: int = UNSEEN_REPLY_TOKENS) -> Reserved:
        """Set aside what a request is expected to use, as much as its finished siblings on the mean.

        Args:
            model: Who is asked, as `provider:name`.
            prompt: Estimated tokens of its prompt.
            reply: Tokens that its endpoint has written at such calls so far, thoughts included.

        Raises:
            ModelError: The run cannot afford it (`over_budget`).
        """
        for purse in self._purses():
            await purse.count()
        read = Usage(input=prompt, total=prompt)
        expected = _mean(self._seen) if self._seen else self._expected
        if not expected.total:
            expected = Usage(input=prompt, output=reply, total=prompt + reply)
        tokens, usd = max(read.total, expected.total), 0.0
        if self._tokens.lacks(tokens):
            raise self._tokens.refuse(tokens, "max_total_tokens", "used", lambda count: f"{count:,.0f}", " tokens")
        if self._usd:
            usd = max(charge(self._settings, model, read), charge(self._settings, model, expected))
            if self._usd.lacks(usd):
                raise self._usd.refuse(usd, "max_cost", "spent", show_dollars)
            self._usd.open += usd
        self._tokens.open += tokens
        return Reserved(tokens, usd)

    def settle(self, reserved: Reserved, model: str, used: Usage) -> None:
        """Replace what was set aside by what the request used; nothing where it failed."""
        if used.total:
            self._seen.append(used)
        self._tokens.settle(reserved.tokens, used.total)
        if self._usd:
            self._usd.settle(reserved.usd, charge(self._settings, model, used))
