"""Reading a model's text: reasoning apart from answer, JSON out of prose, the short result (all pure)."""

import json
import re
from collections import deque
from collections.abc import Iterator
from typing import TypeVar

import json_repair
from pydantic import BaseModel, ValidationError

T = TypeVar("T", bound=BaseModel)

_OPEN, _CLOSE = re.compile(r"<think>", re.IGNORECASE), re.compile(r"</think>", re.IGNORECASE)
# One class and no nested repeats before the word: a ruler of dashes must not cost exponential time.
_RESULT = re.compile(
    r"^[ \t#>*_-]*?(?P<mark>\*{1,3}|_{1,3})?(?:final[ \t]+)?result[ \t]*"
    r"(?:(?P<closed>(?P=mark))[ \t]*[:：]|[:：](?P<closed_after>(?P=mark))?)",
    re.IGNORECASE | re.MULTILINE,
)
_OBJECT_START, _LOOSE_START = re.compile(r'\{\s*["}]'), re.compile(r"""\{\s*["']""")

_EXPLAINED = 8
"""Faults that a message names: a model that got a hundred threads wrong learns no more from the rest."""
_EFFORT = 2_000_000
"""Characters read in vain before the search for JSON gives up: hostile text would make it quadratic."""
_LAST_OBJECTS = 100
"""Objects of a reply, from its end, that are tried: each try that fails takes time."""
_MENDABLE, _MENDABLE_OBJECTS = 10_000, 100
"""Characters and opening braces of a text that is worth mending; the mending takes time quadratic in both."""


def split_reasoning(text: str) -> tuple[str, str]:
    """Part `<think>…</think>` from the answer.

    A block that was never opened (some chat templates open it for the model) or never closed (a reply
    cut off while thinking) counts as reasoning too.

    Returns:
        The reasoning and the answer, both stripped.
    """
    reasoning, answer, position = [], "", 0
    while (start := _OPEN.search(text, position)) and (end := _CLOSE.search(text, start.end())):
        reasoning.append(text[start.end() : end.start()])
        answer += text[position : start.start()]
        position = end.end()
    answer += text[position:]
    if unopened := _last(_CLOSE, answer):
        reasoning.append(answer[: unopened.start()])
        answer = answer[unopened.end() :]
    if unclosed := _OPEN.search(answer):
        reasoning.append(answer[unclosed.end() :])
        answer = answer[: unclosed.start()]
    return "\n".join(part.strip() for part in reasoning if part.strip()), answer.strip()


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(reversed(list(pattern.finditer(text)))), None)


def has_result(text: str) -> bool:
    """Whether a thread came to a result that it marked as such."""
    return bool(_marked_result(text))


def short_result(text: str) -> str:
    """Return what a thread concluded: what follows its last `Result:`, else the whole text."""
    return _marked_result(text) or text.strip()


def _marked_result(text: str) -> str:
    marker = _last(_RESULT, text)
    if marker is None:
        return ""
    result, mark = text[marker.end() :].strip(), marker["mark"]
    if mark and not (marker["closed"] or marker["closed_after"]):
        # As in `**Result: 42**`: what closes the emphasis is not part of the result.
        result = result.replace(mark, "", 1).strip()
    return result


def shorten(text: str, limit: int) -> str:
    """Cut `text` in its middle to about `limit` characters: how it starts and ends says most."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]}\n[… {len(text) - head - tail:,} characters left out …]\n{text[len(text) - tail :]}"


class NoObject(ValueError):
    """A text holds no JSON object of the wanted shape.

    Attributes:
        found_json: Whether it held any JSON object at all.
    """

    def __init__(self, message: str, *, found_json: bool) -> None:
        super().__init__(message)
        self.found_json = found_json


def parse_object(text: str, shape: type[T]) -> T:
    """Find the last JSON object in `text` that fits `shape`.

    Prose, code fences and reasoning around it are passed over; damaged JSON (trailing commas, single
    quotes) is mended if no sound object fits.

    Raises:
        NoObject: Nothing fits; its message says why, for the model to mend.
    """
    misses: list[ValidationError] = []
    for candidate in _objects(text):
        try:
            return shape.model_validate(candidate)
        except ValidationError as error:
            misses.append(error)
    nearest = (
        explain(min(misses, key=ValidationError.error_count)) if misses else "the reply holds no readable JSON object"
    )
    raise NoObject(nearest, found_json=bool(misses))


def _objects(text: str) -> Iterator[object]:
    """Yield the outermost JSON objects of `text`, last first, then mended ones, last first."""
    decoder, position, effort = json.JSONDecoder(), 0, 0
    sound: deque[object] = deque(maxlen=_LAST_OBJECTS)
    while effort < _EFFORT and (start := _OBJECT_START.search(text, position)):
        try:
            value, position = decoder.raw_decode(text, start.start())
            sound.append(value)
            effort += 100
        except RecursionError:
            break
        except ValueError as error:
            position = start.start() + 1
            effort += getattr(error, "pos", position) - position + 100
    yield from reversed(sound)
    yield from reversed(_mended(text))


def _mended(text: str) -> list[object]:
    # Braces in prose or formulas before the object would mislead the mending.
    start = _LOOSE_START.search(text) or re.search(r"\{", text)
    damaged = text[start.start() :] if start else ""
    if not damaged or len(damaged) > _MENDABLE or damaged.count("{") > _MENDABLE_OBJECTS:
        return []
    try:
        mended = json_repair.loads(damaged)
    except (ValueError, RecursionError):
        return []
    return [item for item in (mended if isinstance(mended, list) else [mended]) if isinstance(item, dict) and item]


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong with each field; of many, with the first ones."""
    wrong = [f"`{'.'.join(map(str, item['loc'])) or 'reply'}`: {item['msg']}" for item in error.errors()]
    more = [f"and {len(wrong) - _EXPLAINED} more"] if len(wrong) > _EXPLAINED else []
    return "; ".join(wrong[:_EXPLAINED] + more)
