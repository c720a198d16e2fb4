"""How right an answer is: numbers by value, names as words (pure).

- `stated`: the expected answer stands somewhere in the text.
- `concluded`: it is the last number of a line or sentence, which is where a calculation ends, or stands in a list of
  numbers; numbers that are only repeated from the question do not count.
- `in turn`: the answer of the n-th of several problems is what the section that begins with that number says last: the
  last number, the last of `yes` and `no` or of `true` and `false`, the last letter of an option (see
  `evals.concluding`). Where an answer has no such sections, the rule above holds for numbers, and for words its lines
  count where it has one for each problem. In 20 lines of reasoning some number is always right.
- `mention`: one of several words stands there, for bugs that can be named in many ways.
- `fault`: the section about the n-th file names its faulty line (see `evals.faulty`).
- `last`: it stands in the last line that says something, which is where one answer to one question belongs; a number
  must be the last one there.

A text that reasons aloud has more in it to be right by chance, so `stated` favours long answers, that is, the single
call.
"""

import re
from collections.abc import Sequence

from evals.concluding import concludes
from evals.faulty import faults_named
from evals.item import Item
from evals.numerals import number, numbers, same
from evals.sections import sections

_ENDS = re.compile(r"\n+|[.!?;]\s+|(?<=\d),?\s+and\s+(?=\$?\d)|(?<=\d),\s+(?=\$?\d)")


def parts_right(item: Item, answer: str) -> list[bool]:
    """Tell for each part of an item whether the answer has it right."""
    if item.match == "fault":
        return faults_named(item, answer)
    if item.match == "in turn":
        return _in_turn(item.answers, answer)
    text = _last_line(answer) if item.match == "last" else answer
    return [any(_find(item.match, text, wanted) for wanted in wanteds) for wanteds in item.answers]


def _in_turn(answers: Sequence[Sequence[str]], answer: str) -> list[bool]:
    if found := sections(answer, len(answers)):
        return [concludes(found.get(place, ""), wanteds) for place, wanteds in enumerate(answers, 1)]
    lines = _lines(answer)
    texts = lines if len(lines) == len(answers) else [""] * len(answers)
    return [
        concludes(text, wanteds) if number(wanteds[0]) is None else _find("concluded", answer, wanteds[0])
        for text, wanteds in zip(texts, answers, strict=True)
    ]


def _find(match: str, text: str, wanted: str) -> bool:
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
    return next(reversed(_lines(answer)), "")


def _lines(answer: str) -> list[str]:
    return [line for line in answer.splitlines() if re.search(r"\w", line)]
