"""Which results are the same, and which of them has the majority (pure).

Self-consistency: X. Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", ICLR 2023:
of several sampled chains of thought, the result counts that most of them come to. That sampling may stop as soon as the
rest can no longer change the majority is from P. Aggarwal et al., "Let's Sample Step by Step: Adaptive-Consistency for
Efficient Reasoning and Coding with LLMs", EMNLP 2023; here it stops when that is certain, not when it is likely.
"""

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal

from nodes.shared.cleaning import END_MARKS, fold

_NUMBER = re.compile(r"(?<![\w.,])[-+]?\d{1,30}(?:,\d{3}){0,9}(?:\.\d{1,30})?(?!\w|[.,]\d)")


def key_of(answer: str) -> str:
    """Return what equal results have in common: case, blanks and end marks do not count, and numbers do by value.

    A number alone is the same with and without a sign of a currency. No word of any language is looked at.
    """
    text = unicodedata.normalize("NFKC", answer).replace("\u2212", "-").strip().rstrip(END_MARKS)
    bare = text.strip("".join(sign for sign in set(text) if unicodedata.category(sign) == "Sc") + " \t")
    text = bare if _NUMBER.fullmatch(bare) else text
    return fold(by_value(text))


def by_value(text: str) -> str:
    """Write each number of a text by its value: `1,200.50` is `1200.5`."""
    return _NUMBER.sub(lambda found: _value_of(found.group()), text)


def _value_of(number: str) -> str:
    written = f"{Decimal(number.replace(',', '')):f}"
    whole, point, rest = written.partition(".")
    exact = f"{whole}{point}{rest}".rstrip("0").rstrip(".") if point else whole
    return "0" if exact == "-0" else exact


def count_votes(answers: Mapping[int, str]) -> dict[str, list[int]]:
    """List for each result the samples that came to it, the most frequent first, then the one of the earliest sample.

    Args:
        answers: What samples came to, by their numbers.
    """
    same: dict[str, list[int]] = {}
    for number in sorted(answers):
        same.setdefault(key_of(answers[number]), []).append(number)
    return dict(sorted(same.items(), key=lambda votes: (-len(votes[1]), votes[1][0])))


def is_certain(answers: Mapping[int, str], left: int) -> bool:
    """Tell whether the samples that are left can no longer change which result most have come to."""
    counts = [len(numbers) for numbers in count_votes(answers).values()]
    return bool(counts) and counts[0] - (counts[1] if len(counts) > 1 else 0) > left
