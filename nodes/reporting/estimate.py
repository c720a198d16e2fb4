"""What a plan is expected to cost: a range, learnt from what earlier runs of the same models used."""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from nodes.llm.endpoints.usage import Call, Usage
from nodes.llm.limits.ledger import ENGLISH_CHARACTERS_A_TOKEN
from nodes.reporting.prices import cost_of
from nodes.settings import Settings
from nodes.shared.record import Record

MAX_REMEMBERED_CALLS = 100
"""Calls of a stage that are remembered."""
UNSEEN_REPLY_TOKENS = (30, 300)
"""Tokens of a reply while none has been seen: a guess."""


class Range(Record):
    """From how much to how much, and what is most likely."""

    low: float
    likely: float
    high: float


class Outlook(Record):
    """What the threads of a plan and the review are expected to take; what came before them is spent already."""

    threads: int
    calls: int
    tokens: Range
    """Input and output."""
    seconds: Range | None = None
    """`None` while no call of these models has been seen."""
    usd: Range | None = None
    """`None` where a price is unknown."""
    learnt_from: int = 0
    """Calls of earlier runs that it rests on; 0 for a guess."""


class Seen(NamedTuple):
    """One call of an earlier run."""

    output: int
    seconds: float


_seen: dict[tuple[str, str], deque[Seen]] = defaultdict(lambda: deque(maxlen=MAX_REMEMBERED_CALLS))


def learn(calls: Iterable[Call]) -> None:
    """Remember the calls of a run that has ended."""
    recall(list_lessons(calls))


def list_lessons(calls: Iterable[Call]) -> list[tuple[str, str, int, float]]:
    """List what a run's calls teach: model, stage, tokens of the reply, seconds."""
    return [
        (call.model, call.stage, call.usage.output, round(call.latency_s, 3))
        for call in calls
        if call.status == "ok" and call.stage in ("solve", "review")
    ]


def recall(known: Iterable[tuple[str, str, int, float]]) -> None:
    """Remember what an earlier run taught."""
    for model, stage, output, seconds in known:
        _seen[model, stage].append(Seen(output, seconds))


def forget() -> None:
    """Forget everything."""
    _seen.clear()


def outlook(
    settings: Settings,
    prompts: Sequence[int],
    review: int | None,
    *,
    threads: int,
    at_once: int,
    characters_a_token: float,
) -> Outlook:
    """Estimate what a plan takes.

    Args:
        settings: The run's settings.
        prompts: Characters of each call's prompt; parts that share a thread have a call each.
        review: Characters of the review's prompt without results; nothing where no model is asked to.
        threads: Threads of the plan.
        at_once: Threads that run at the same time.
        characters_a_token: As this run's own calls have shown.
    """
    solved, reviewed = (list(_seen[settings.model_for(role), role]) for role in ("solve", "review"))
    each = _spread([seen.output for seen in solved])
    last = (0.0, 0.0, 0.0) if review is None else _spread([seen.output for seen in reviewed])
    read = [round(size / characters_a_token) for size in prompts]
    joined = round((review or 0) / characters_a_token)
    count = len(prompts)
    # The review reads what the threads found out, which is at most what they wrote.
    totals = [sum(read) + joined + count * one * 1.5 + end for one, end in zip(each, last, strict=True)]
    return Outlook(
        threads=threads,
        calls=count + (review is not None),
        tokens=_range(totals),
        seconds=_seconds(solved, reviewed, each, last, waves=math.ceil(count / max(1, at_once))),
        usd=_usd(settings, sum(read), joined, count, each, last),
        learnt_from=len(solved) + len(reviewed),
    )


def _spread(values: list[int]) -> tuple[float, float, float]:
    """Return the 10th percentile, the mean and the 90th."""
    if not values:
        low, high = UNSEEN_REPLY_TOKENS
        return low, (low + high) / 2, high
    ordered = sorted(values)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.1, 0.9))
    return low, sum(values) / len(values), high


def _range(values: Sequence[float]) -> Range:
    low, likely, high = (round(value, 4) for value in values)
    return Range(low=min(low, likely), likely=likely, high=max(high, likely))


def _seconds(
    threads: list[Seen], reviews: list[Seen], each: Sequence[float], last: Sequence[float], *, waves: int
) -> Range | None:
    if not threads or (any(last) and not reviews):
        return None
    paces = [sum(one.seconds for one in seen) / max(1, sum(one.output for one in seen)) for seen in (threads, reviews)]
    return _range([waves * one * paces[0] + end * paces[1] for one, end in zip(each, last, strict=True)])


def _usd(
    settings: Settings, read: int, joined: int, count: int, each: Sequence[float], last: Sequence[float]
) -> Range | None:
    sums = []
    for one, end in zip(each, last, strict=True):
        costs = [
            cost_of(settings, settings.model_for("solve"), Usage(input=read, output=round(count * one))),
            cost_of(settings, settings.model_for("review"), Usage(input=joined, output=round(end))),
        ]
        if any(cost.usd is None for cost in costs):
            return None
        sums.append(sum(cost.usd or 0.0 for cost in costs))
    return _range(sums)


def ratio(calls: Sequence[Call], characters: int) -> float:
    """Tell how many characters a token has, from the assessment of this run.

    Args:
        calls: The calls so far.
        characters: Of its prompt.
    """
    read = next((call.usage.input for call in calls if call.stage == "assess" and call.status == "ok"), 0)
    return min(10.0, max(1.0, characters / read)) if read else float(ENGLISH_CHARACTERS_A_TOKEN)


def length(messages: Sequence[Any]) -> int:
    """Count the characters of a prompt."""
    return sum(len(str(message.content)) for message in messages)
