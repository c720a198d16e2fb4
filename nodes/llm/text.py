"""Reading a model's text: reasoning apart from answer, JSON out of prose, the short result (all pure)."""

import json
import re
from collections.abc import Iterator
from typing import TypeVar

import json_repair
from pydantic import BaseModel, ValidationError

T = TypeVar("T", bound=BaseModel)

_THINK = re.compile(r"<think>(.*?)</think>", re.DOTALL | re.IGNORECASE)
_OPEN, _CLOSE = re.compile(r"<think>", re.IGNORECASE), re.compile(r"</think>", re.IGNORECASE)
_RESULT = re.compile(
    r"^[ \t]*(?:[#>*_-]+[ \t]*)*(?:final[ \t]+)?result[ \t]*(?:\*\*|__)?[ \t]*:[ \t]*(?:\*\*|__)?",
    re.I | re.M,
)

RESULT_LIMIT = 2_000
"""Characters of a thread's result that the join sees."""


def split_reasoning(text: str) -> tuple[str, str]:
    """Part `<think>…</think>` from the answer.

    A block that was never opened (some chat templates open it for the model) or never closed (a reply
    cut off while thinking) counts as reasoning too.

    Returns:
        The reasoning and the answer, both stripped.
    """
    reasoning = [block.group(1) for block in _THINK.finditer(text)]
    answer = _THINK.sub("", text)
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
    marker = _last(_RESULT, text)
    return bool(marker and text[marker.end() :].strip())


def short_result(text: str) -> str:
    """Return what a thread concluded: what follows its last `Result:`, else the whole text, bounded."""
    marker = _last(_RESULT, text)
    result = text[marker.end() :].strip() if marker else ""
    return shorten(result or text.strip(), RESULT_LIMIT)


def shorten(text: str, limit: int) -> str:
    """Cut `text` in its middle to about `limit` characters: how it starts and ends says most."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]}\n[… {len(text) - head - tail:,} characters left out …]\n{text[-tail:]}"


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
    problem, found = "the reply holds no JSON object", False
    for candidate in _objects(text):
        found = True
        try:
            return shape.model_validate(candidate)
        except ValidationError as error:
            problem = explain(error)
    raise NoObject(problem, found_json=found)


def _objects(text: str) -> Iterator[object]:
    """Yield the outermost JSON objects of `text`, last first, then a mended one."""
    decoder, sound, position = json.JSONDecoder(), [], 0
    while (start := text.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(text, start)
            sound.append(value)
        except (ValueError, RecursionError):
            position = start + 1
    yield from reversed(sound)
    if (start := text.find("{")) >= 0:
        mended = json_repair.loads(text[start:])
        if isinstance(mended, list):
            mended = next((item for item in mended if isinstance(item, dict)), None)
        if isinstance(mended, dict) and mended:
            yield mended


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong with each field."""
    return "; ".join(
        f"`{'.'.join(str(part) for part in detail['loc']) or 'reply'}`: {detail['msg']}" for detail in error.errors()
    )
