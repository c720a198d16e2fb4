"""What may be read back from a store: the types that the graphs' states declare, known by their names."""

import copy
from collections.abc import Callable
from typing import Any, get_args

import ormsgpack
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import EXT_CONSTRUCTOR_POS_ARGS, EXT_PYDANTIC_V2, JsonPlusSerializer
from langgraph.types import Send
from pydantic import BaseModel, ValidationError

from nodes.state import Problem, State, ThreadTask

Hook = Callable[[int, bytes], Any]


def list_types(*models: type[BaseModel]) -> set[type[BaseModel]]:
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

    def __init__(self, *more: type[BaseModel]) -> None:
        """Read back nothing but what the graphs' states declare, and `more`: those of a graph that is seldom loaded."""
        types = list_types(Problem, State, ThreadTask, *more)
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


def read_declared(checkpointer: Any, *more: type[BaseModel]) -> Any:
    """Return a checkpointer that reads our types back in silence, and none that nobody declared.

    LangGraph warns of every such type, at each run that goes on. The copy shares what it keeps with the one that was
    given. One with a serializer of its own stays as it is.

    Args:
        checkpointer: Whatever LangGraph's `compile` takes.
        more: States beside those of the usual graphs.
    """
    if not isinstance(checkpointer, BaseCheckpointSaver) or type(checkpointer.serde) is not JsonPlusSerializer:
        return checkpointer
    serde = checkpointer.serde
    # LangGraph's own serializer as it comes reads anything back, with a warning for each type.
    if serde._allowed_msgpack_modules is not True or serde.pickle_fallback:
        types = list_types(Problem, State, ThreadTask, *more)
        return checkpointer.with_allowlist([(kind.__module__, kind.__name__) for kind in types])
    clone = copy.copy(checkpointer)
    clone.serde = DeclaredTypes(*more)
    return clone
