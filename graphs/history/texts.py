"""Long texts taken out of what is checkpointed, and put back (pure), so that each is stored once in a run.

A checkpoint repeats the state at every step, and what is sent to a thread repeats its documents.
"""

import copy
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from langgraph.types import Send
from pydantic import BaseModel

MIN_TEXT_CHARACTERS = 1_000
"""Characters from which on a text is taken out."""
_MARK = "\ue000apr-text:"
"""Begins what stands for a text: a character that nobody types, from the private use area."""


def take_out(value: Any, texts: dict[str, str]) -> Any:
    """Return a copy in which every long text is replaced by its hash; the texts go into `texts`, by hash."""

    def change(text: str) -> str:
        # A text that looks like a mark is taken out too, or it would be taken for one.
        if len(text) < MIN_TEXT_CHARACTERS and not text.startswith(_MARK):
            return text
        key = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        texts[key] = text
        return _MARK + key

    return _map_strings(value, change)


def list_hashes(value: Any) -> set[str]:
    """List the hashes of the texts that were taken out of a value."""
    found: set[str] = set()

    def note(text: str) -> str:
        if text.startswith(_MARK):
            found.add(text.removeprefix(_MARK))
        return text

    _map_strings(value, note)
    return found


def put_back(value: Any, texts: Mapping[str, str]) -> Any:
    """Return a copy with the texts in their places.

    Raises:
        KeyError: One is missing.
    """
    return _map_strings(value, lambda text: texts[text.removeprefix(_MARK)] if text.startswith(_MARK) else text)


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Change every string in a value; what holds no changed one stays the same object."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _map_strings(item, change) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_map_strings(item, change) for item in value)
    if isinstance(value, Send):
        arg = _map_strings(value.arg, change)
        if arg is value.arg:
            return value
        sent = copy.copy(value)
        sent.arg = arg
        return sent
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        changed = {name: _map_strings(item, change) for name, item in fields.items()}
        updates = {name: item for name, item in changed.items() if item != fields[name]}
        return value.model_copy(update=updates) if updates else value
    return value
