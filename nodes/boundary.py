"""What every node of a graph passes through: the settings that a run may have."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from langgraph.runtime import Runtime

from nodes.access import for_request
from nodes.settings import Settings, settings_of

Node = Callable[[Any, Runtime[Settings]], Awaitable[dict[str, Any]]]


def bounded(node: Node) -> Node:
    """Let a node see only the settings that its caller may choose."""

    @wraps(node)
    async def within(state: Any, runtime: Runtime[Settings]) -> dict[str, Any]:
        return await node(state, replace(runtime, context=_settings(runtime)))

    return within


def _settings(runtime: Runtime[Settings]) -> Settings:
    settings = settings_of(runtime)
    # What a server runs was asked for in a request, whatever way it took to get here.
    return for_request(settings) if runtime.server_info else settings
