"""What the answer to one question says last: a number, one of two words, or the letter of an option (pure)."""

import re
from collections.abc import Sequence

from evals.numerals import number, numbers, same

OPPOSITES = {"yes": "no", "no": "yes", "true": "false", "false": "true"}
_OPTION = re.compile(r"\(([A-Z])\)")
_LETTERS = (
    re.compile(r"(?<!\w)\(([A-Za-z])\)"),
    # An article or a pronoun is no option: "A week later", "I think".
    re.compile(r"(?<![\w'’])(?![AI]\s+[a-z])([A-Z])(?![\w'’])"),
)


def concludes(text: str, wanteds: Sequence[str]) -> bool:
    """Tell whether a text ends up with an answer.

    Args:
        text: The answer to one question.
        wanteds: What is right; of an option its letter, as `(B)`, and its text, which counts where no letter is said.
    """
    wanted = wanteds[0]
    if (value := number(wanted)) is not None:
        return any(same(value, other) for other in numbers(text)[-1:])
    if option := _OPTION.fullmatch(wanted):
        letter = _letter(text)
        return letter == option[1] if letter else any(_says(text, told) for told in wanteds[1:])
    if wanted.lower() in OPPOSITES:
        return _last_of(text, wanted.lower()) == wanted.lower()
    return any(_says(text, told) for told in wanteds)


def _letter(text: str) -> str:
    """Return the last letter that is told as an option; one in brackets goes before others."""
    found = next((letters for pattern in _LETTERS if (letters := pattern.findall(text))), [""])
    return str(found[-1]).upper()


def _last_of(text: str, word: str) -> str:
    """Return which of a word and its opposite is said last; "no" before another word ("no rule") only if nothing is."""
    found = list(re.finditer(rf"\b(?:{word}|{OPPOSITES[word]})\b", text, re.IGNORECASE))
    alone = [match for match in found if match.group() != "no" or not re.match(r"[ \t]+\w", text[match.end() :])]
    return (alone or found)[-1].group().lower() if found else ""


def _says(text: str, phrase: str) -> bool:
    last = next((line for line in reversed(text.splitlines()) if re.search(r"\w", line)), "")
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", last, re.IGNORECASE) is not None
