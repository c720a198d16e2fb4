"""Chat models that a graph is built with: objects, which neither settings nor checkpoints can hold."""

from collections.abc import Mapping
from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from langgraph.config import get_config

MODELS = "__apr_models"
"""Where a graph's configuration holds them, by the names that `own:NAME` gives them."""

NAMES = ("model", "assess", "decompose", "solve", "easy", "review", "fallback")
"""Who may have one; `model` is for every role, `easy` for easy threads."""


@dataclass(frozen=True, eq=False)
class Own:
    """A chat model of the user's own; the same one only if it is the same object."""

    chat: BaseChatModel

    @property
    def kind(self) -> str:
        """What it is known by in later processes."""
        named = getattr(self.chat, "model_name", None) or getattr(self.chat, "model", "")
        return f"{type(self.chat).__module__}.{type(self.chat).__qualname__} {named}"


def know_models(models: Mapping[str, BaseChatModel]) -> dict[str, Own]:
    """Take the models that a graph is built with.

    Raises:
        ValueError: One is for no role, or is no chat model of LangChain's.
    """
    for name, chat in models.items():
        if name not in NAMES:
            raise ValueError(f"`models` has {name!r}; allowed are {', '.join(NAMES)}")
        if not isinstance(chat, BaseChatModel):
            raise ValueError(
                f"`models` has for {name!r} a {type(chat).__name__}; it must be a chat model of LangChain's"
            )
    return {name: Own(chat) for name, chat in models.items()}


def own_models() -> dict[str, Own]:
    """Return the models that the graph at work was built with; none outside a graph."""
    try:
        found: dict[str, Own] = get_config().get("configurable", {}).get(MODELS, {})
    except RuntimeError:
        return {}
    return found
