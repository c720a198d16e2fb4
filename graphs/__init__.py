"""What Python users import: functions such as `answer`, the graphs and how to build them, and the types they take.

Loaded on first use, so that the `apr` command can print its help without them.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphs.adaptive import graph
    from graphs.answer import answer, answer_sync
    from graphs.build import build_graph
    from graphs.chat import build_chat, chat
    from graphs.native import build_native, native
    from graphs.page.page import page
    from graphs.sequential import build_sequential, sequential
    from graphs.streams.answer import AnswerPiece, AnswerReset, read_answer, stream_answer
    from graphs.streams.thinking import ThinkingPiece
    from graphs.tool import build_tool
    from nodes.settings import Settings
    from nodes.state import Document, Problem, Solution
    from nodes.threads.stopping import stop_thread

__all__ = [
    "AnswerPiece",
    "AnswerReset",
    "Document",
    "Problem",
    "Settings",
    "Solution",
    "ThinkingPiece",
    "answer",
    "answer_sync",
    "build_chat",
    "build_graph",
    "build_native",
    "build_sequential",
    "build_tool",
    "chat",
    "graph",
    "native",
    "page",
    "read_answer",
    "sequential",
    "stop_thread",
    "stream_answer",
]

_HOME = {
    "graph": "graphs.adaptive",
    "build_graph": "graphs.build",
    "chat": "graphs.chat",
    "build_chat": "graphs.chat",
    "build_tool": "graphs.tool",
    "page": "graphs.page.page",
    **dict.fromkeys(("build_sequential", "sequential"), "graphs.sequential"),
    **dict.fromkeys(("build_native", "native"), "graphs.native"),
    "answer": "graphs.answer",
    "answer_sync": "graphs.answer",
    "stop_thread": "nodes.threads.stopping",
    "ThinkingPiece": "graphs.streams.thinking",
    "Settings": "nodes.settings",
    **dict.fromkeys(("Document", "Problem", "Solution"), "nodes.state"),
    **dict.fromkeys(("AnswerPiece", "AnswerReset", "read_answer", "stream_answer"), "graphs.streams.answer"),
}


def _import(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        root = Path(__file__).resolve().parent.parent
        for name in ("nodes", "prompts"):
            found = sys.modules.get(name)
            place = getattr(found, "__file__", None) or next(iter(getattr(found, "__path__", [])), None)
            if place and root not in Path(place).resolve().parents:
                raise ImportError(
                    f"`{name}` was imported from {place}, which hides the package `{name}` that `graphs` needs: rename "
                    "that file or folder, or run the program from another folder"
                ) from error
        raise


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_import(_HOME[name]), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """This package, in which no module hides what has its name: `graphs.sequential`, `graphs.answer`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
