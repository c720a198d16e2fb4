"""Reading an object as it was meant: where it is written differently but its meaning is certain (pure).

Never a guess: what is missing, or means nothing that the shape knows, stays wrong and is told to the model.
"""

import json
import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from nodes.shared.cleaning import storable

T = TypeVar("T", bound=BaseModel)


def fit(shape: type[T], value: object) -> T:
    """Make an object of `shape`.

    Raises:
        ValidationError: It does not fit.
    """
    return shape.model_validate(_as_model(shape, _unwrap_named(shape, value)))


def _unwrap_named(shape: type[BaseModel], value: object) -> object:
    """Take an object out of what has nothing of the shape itself, but holds one thing that has.

    As in `{"Plan": {…}}`, `{"name": "Plan", "arguments": {…}}` or a schema that was filled in.
    """
    if not isinstance(value, dict) or _read_fields(shape, value):
        return value
    inner = [read for item in value.values() if isinstance(read := _read_again(item, dict), dict)]
    return inner[0] if len(inner) == 1 and _read_fields(shape, inner[0]) else value


def _read_fields(shape: type[BaseModel], value: dict[Any, Any]) -> dict[str, object]:
    """Return what an object says of the fields of a shape, whatever the case of their names."""
    names = {_plain(name): name for name in shape.model_fields}
    loose = {names[plain]: said for key, said in value.items() if (plain := _plain(str(key))) in names}
    return loose | {name: said for name, said in value.items() if name in shape.model_fields}


def _as_model(shape: type[BaseModel], value: object) -> object:
    value = _read_again(value, dict)
    if not isinstance(value, dict):
        return value
    named = _read_fields(shape, value)
    told = {name: said for name, said in value.items() if _plain(str(name)) not in map(_plain, named)}
    for name, given in named.items():
        field = shape.model_fields[name]
        if field.annotation is str and isinstance(given, list) and len(given) == 1:
            given = given[0]
        if given is not None or field.is_required():
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
        if value in ("", {}):
            return []
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
