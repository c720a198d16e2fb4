"""What may be read back from a store: the types that the graphs' states declare, known by their names."""

import copy
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import ormsgpack
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import EXT_CONSTRUCTOR_POS_ARGS, EXT_PYDANTIC_V2, JsonPlusSerializer
from langgraph.types import Send
from pydantic import BaseModel, ValidationError

from nodes.state import Problem, State, ThreadTask

T = TypeVar("T")
Hook = Callable[[int, bytes], Any]


def declared(*models: type[BaseModel]) -> set[type[BaseModel]]:
    """List the types that states are made of."""
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = list(models)
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in found:
            found.add(kind)
            waiting += [field.annotation for field in kind.model_fields.values()]
        waiting += get_args(kind)
    return found


class DeclaredTypes(JsonPlusSerializer):
    """LangGraph's strict msgpack, for which a type of ours is the same wherever its module lies.

    A store names the module of each type; runs that were kept before a module moved stay readable.
    """

    def __init__(self) -> None:
        """Read back nothing but what the graphs' states declare."""
        types = declared(Problem, State, ThreadTask)
        super().__init__(allowed_msgpack_modules=list(types))
        self._unpack_ext_hook = _by_name({kind.__name__: kind for kind in types}, self._unpack_ext_hook)


def _by_name(types: dict[str, type[BaseModel]], otherwise: Hook) -> Hook:
    def read(code: int, data: bytes) -> Any:
        if code not in (EXT_PYDANTIC_V2, EXT_CONSTRUCTOR_POS_ARGS):
            return otherwise(code, data)
        module, name, values, *_ = ormsgpack.unpackb(data, ext_hook=read, option=ormsgpack.OPT_NON_STR_KEYS)
        if (module, name) == (Send.__module__, Send.__name__):
            return Send(*values)
        kind = types.get(name) if code == EXT_PYDANTIC_V2 and module.startswith("nodes.") else None
        if kind is None:
            return otherwise(code, data)
        try:
            return kind(**values)
        except ValidationError:
            return kind.model_construct(**values)

    return read


def read_declared(checkpointer: T) -> T:
    """Return a checkpointer that reads our types back in silence, and no others.

    LangGraph warns of every type that nobody declared to it, at each run that goes on. A checkpointer whose serializer
    is not LangGraph's own, or was told already what it may read, stays as it is.

    Args:
        checkpointer: Whatever LangGraph's `compile` takes.
    """
    if not isinstance(checkpointer, BaseCheckpointSaver):
        return checkpointer
    serde = checkpointer.serde
    if type(serde) is not JsonPlusSerializer or getattr(serde, "_allowed_msgpack_modules", None) is not True:
        return checkpointer
    clone = copy.copy(checkpointer)
    clone.serde = DeclaredTypes()
    return clone
