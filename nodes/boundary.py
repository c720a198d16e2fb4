"""What every node of a graph passes through: the settings that a run may have, and what may leave where it breaks."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar, cast

from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime

from nodes.access import for_request
from nodes.llm.errors import ConfigurationError
from nodes.masking import harmless, trace_of
from nodes.settings import Settings, settings_of

Node = TypeVar("Node", bound=Callable[..., Awaitable[dict[str, Any]]])

_log = logging.getLogger(__name__)


class NodeError(Exception):
    """A node broke; the message says how, without secrets."""


def bounded(node: Node) -> Node:
    """Let a node see only the settings that its caller may choose, and nothing leave it but errors of ours.

    LangGraph keeps the words of an error in the run's store, shows them over HTTP and puts them into traces; those of a
    library may hold the header of a request.
    """

    @wraps(node)
    async def within(state: Any, runtime: Runtime[Settings]) -> dict[str, Any]:
        try:
            return await node(state, replace(runtime, context=_settings(runtime)))
        except GraphBubbleUp:  # a person is asked, or the run is stopped
            raise
        except ConfigurationError as error:
            broken: Exception = ConfigurationError(harmless(str(error)))
        except Exception as error:
            _log.error("%s broke:\n%s", node.__name__, trace_of(error))
            broken = NodeError(harmless(f"{node.__name__} broke: {type(error).__name__}: {error}"))
        # Out here, so that what it came from does not hang on it.
        raise broken

    return cast(Node, within)


def _settings(runtime: Runtime[Settings]) -> Settings:
    settings = settings_of(runtime)
    # What a server runs was asked for in a request, whatever way it took to get here.
    return for_request(settings) if runtime.server_info else settings
