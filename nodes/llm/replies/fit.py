"""Reading an object as it was meant: where it is written differently but its meaning is certain (pure).

Never a guess: what is missing, or means nothing that the shape knows, stays wrong and is told to the model.
"""

import json
import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from nodes.shared.cleaning import storable

T = TypeVar("T", bound=BaseModel)

_CALL_ARGUMENTS = ("arguments", "parameters", "args", "input")
"""What holds the object where a model writes a call of the shape in words: `{"name": "Plan", "arguments": {…}}`."""


def fit(shape: type[T], value: object) -> T:
    """Make an object of `shape`.

    Raises:
        ValidationError: It does not fit.
    """
    return shape.model_validate(_as_model(shape, _unwrapped(shape, value)))


def _unwrapped(shape: type[BaseModel], value: object) -> object:
    """Take an object out of what bears the shape's own name."""
    if not isinstance(value, dict):
        return value
    name, names = shape.__name__.casefold(), shape.model_fields
    if len(value) == 1 and isinstance(key := next(iter(value)), str) and key not in names and key.casefold() == name:
        return _read_again(value[key], dict)
    if str(value.get("name", "")).casefold() == name and "name" not in names:
        return next((_read_again(value[key], dict) for key in _CALL_ARGUMENTS if key in value), value)
    return value


def _as_model(shape: type[BaseModel], value: object) -> object:
    value = _read_again(value, dict)
    if not isinstance(value, dict):
        return value
    told = {}
    for name, given in value.items():
        field = shape.model_fields.get(name)
        if field is None:
            told[name] = given
        elif given is not None or field.is_required():
            told[name] = _as(field.annotation, given)
        # `null` where there is a default: nothing was said.
    return told


def _as(wanted: Any, value: object) -> object:
    """Write a value as the type that is wanted of it."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return _word(inner, value)
    if origin in (Union, types.UnionType):
        options = [option for option in inner if option is not types.NoneType]
        return _as(options[0], value) if len(options) == 1 and value is not None else value
    if origin is list or wanted is list:
        value = _read_again(value, list)
        return [_as(inner[0], item) for item in value] if inner and isinstance(value, list) else value
    if isinstance(wanted, type) and issubclass(wanted, BaseModel):
        return _as_model(wanted, value)
    if wanted is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return storable(value) if isinstance(value, str) else value


def _read_again(value: object, kind: type) -> object:
    """Read a list or object that was given as the text of one."""
    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value, strict=False)
    except (ValueError, RecursionError):
        return value
    return read if isinstance(read, kind) else value


def _word(words: tuple[object, ...], value: object) -> object:
    """Return the word that is meant, whatever the case of its letters and whatever stands between its parts."""
    meant = {_plain(word): word for word in words if isinstance(word, str)}
    return meant.get(_plain(value), value) if isinstance(value, str) else value


def _plain(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())
