"""What Python users import: `graph`, `build_graph` and the baseline `sequential`.

Loaded on first use, so that the `apr` command can print its help without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphs.adaptive import build_graph, graph
    from graphs.sequential import sequential

__all__ = ["build_graph", "graph", "sequential"]

_HOME = {"graph": "graphs.adaptive", "build_graph": "graphs.adaptive", "sequential": "graphs.sequential"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    # Importing the module `graphs.sequential` has just put it where the graph of that name belongs.
    globals()[name] = value
    return value
