"""JSON objects out of a model's prose (pure)."""

import json
import re
from collections import deque
from collections.abc import Iterator
from typing import TypeVar

import json_repair
from pydantic import BaseModel, ValidationError

from nodes.llm.replies.fit import fit

T = TypeVar("T", bound=BaseModel)

_OBJECT_START, _LOOSE_START = re.compile(r'\{\s*["}]'), re.compile(r"""\{\s*["']""")
_MAX_EXPLAINED_FAULTS = 8
"""Faults that a message names: a model that got a hundred threads wrong learns no more from the rest."""
_MAX_CHARACTERS_IN_VAIN = 2_000_000
"""Characters read in vain before the search for JSON gives up: hostile text would make it quadratic."""
_MAX_TRIED_OBJECTS = 100
"""Objects of a reply, from its end, that are tried: each try that fails takes time."""
_MENDABLE, _MENDABLE_OBJECTS = 10_000, 100
"""Characters and opening braces of a text that is worth mending; the mending takes time quadratic in both."""


class NoObject(ValueError):
    """A text holds no JSON object of the wanted shape.

    Attributes:
        found_json: Whether it held any JSON object at all.
    """

    def __init__(self, message: str, *, found_json: bool) -> None:
        super().__init__(message)
        self.found_json = found_json


def parse_object(text: str, shape: type[T], *, mend: bool = True) -> T:
    """Find the last JSON object in `text` that fits `shape`.

    Prose, code fences and reasoning around it are passed over; damaged JSON (trailing commas, single
    quotes) is mended if no sound object fits.

    Args:
        text: The text.
        shape: What the object must fit.
        mend: Whether to mend.

    Raises:
        NoObject: Nothing fits; its message says why, for the model to mend.
    """
    misses: list[ValidationError] = []
    for candidate in _objects(text, mend=mend):
        try:
            return fit(shape, candidate)
        except ValidationError as error:
            misses.append(error)
    nearest = (
        explain(min(misses, key=ValidationError.error_count)) if misses else "the reply holds no readable JSON object"
    )
    raise NoObject(nearest, found_json=bool(misses))


def _objects(text: str, *, mend: bool) -> Iterator[object]:
    """Yield the outermost JSON objects of `text`, last first, then mended ones, last first."""
    decoder, position, effort = json.JSONDecoder(), 0, 0
    sound: deque[object] = deque(maxlen=_MAX_TRIED_OBJECTS)
    while effort < _MAX_CHARACTERS_IN_VAIN and (start := _OBJECT_START.search(text, position)):
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
    if mend:
        yield from reversed(_mend(text))


def _mend(text: str) -> list[object]:
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
    more = [f"and {len(wrong) - _MAX_EXPLAINED_FAULTS} more"] if len(wrong) > _MAX_EXPLAINED_FAULTS else []
    return "; ".join(wrong[:_MAX_EXPLAINED_FAULTS] + more)
