"""How right an answer is: numbers by value, names as words (pure).

- `stated`: the expected answer stands somewhere in the text.
- `concluded`: it is the last number of a line or sentence, which is where a calculation ends, or stands in a list of
  numbers; numbers that are only repeated from the question do not count.
- `in turn`: the answer of the n-th of several problems is the last number in the section that begins with that number;
  where an answer has no such sections, the rule above holds. In 20 lines of reasoning some number is always right.
- `mention`: one of several words stands there, for bugs that can be named in many ways.
- `last`: it stands in the last line that says something, which is where one answer to one question belongs; a number
  must be the last one there.

A text that reasons aloud has more in it to be right by chance, so `stated` favours long answers, that is, the single
call.
"""

import re
from collections.abc import Sequence

from evals.items import Item
from evals.sections import sections

TOLERANCE = 0.005
"""Relative; answers are rounded in different ways."""
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?|(?<=\$)\d[\d,]*(?:\.\d+)?")

_ENDS = re.compile(r"\n+|[.!?;]\s+|(?<=\d),?\s+and\s+(?=\$?\d)|(?<=\d),\s+(?=\$?\d)")


def parts_right(item: Item, answer: str) -> list[bool]:
    """Tell for each part of an item whether the answer has it right."""
    match, texts = item.match, [answer] * len(item.answers)
    if match == "in turn":
        found = sections(answer, len(item.answers))
        match = "last" if found else "concluded"
        texts = [found.get(place, "") for place in range(1, len(texts) + 1)] if found else texts
    elif match == "last":
        texts = [_last_line(answer)] * len(texts)
    return [
        any(_found(match, text, wanted) for wanted in wanteds)
        for text, wanteds in zip(texts, item.answers, strict=True)
    ]


def _found(match: str, text: str, wanted: str) -> bool:
    value = number(wanted)
    if match == "mention":
        return wanted.lower() in text.lower()
    if value is None:
        return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text, re.IGNORECASE) is not None
    if match == "stated":
        known = numbers(text)
    else:
        ends = [numbers(sentence)[-1:] for sentence in (_ENDS.split(text) if match == "concluded" else [text])]
        known = [number for end in ends for number in end]
    return any(same(value, other) for other in known)


def number(text: str) -> float | None:
    """Read a text that is one number."""
    whole = _NUMBER.fullmatch(text.strip().lstrip("$"))
    return _value(whole.group()) if whole else None


def numbers(text: str) -> list[float]:
    """List the numbers in a text, in order."""
    return [_value(found) for found in _NUMBER.findall(text)]


def same(one: float, other: float) -> bool:
    """Tell whether two numbers are the same answer."""
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def vote(answers: Sequence[str]) -> str:
    """Return the answer that most others agree with: the same numbers, or without any the same last words.

    Self-consistency: X. Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", ICLR
    2023. Whole answers are compared by what their last line says.
    """
    keys = [_key(answer) for answer in answers]
    return answers[max(range(len(answers)), key=lambda place: keys.count(keys[place]))]


def _key(answer: str) -> tuple[object, ...]:
    last = _last_line(answer)
    return tuple(numbers(last)) or tuple(re.findall(r"\w+", last.lower()))


def _last_line(answer: str) -> str:
    lines = [line for line in answer.splitlines() if re.search(r"\w", line)]
    return lines[-1] if lines else ""


def _value(found: str) -> float:
    return float(found.replace(",", "").replace("−", "-"))
