"""Which tools the threads of a run may call."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from langgraph.config import get_config

from nodes.settings import Settings
from nodes.shared.cleaning import one_line

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

TOOLS = "__apr_tools"
"""Where a compiled graph's configuration holds the tools that it was given."""
HELPERS = "Tools that helpers may call"
"""Heads what the planner is told of tools."""
MAX_PURPOSE_CHARACTERS = 200
"""Of what the planner is told of a tool."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What servers take as the name of a tool."""


class Toolbox:
    """Tools by name.

    Attributes:
        tools: The tools.
    """

    def __init__(self, tools: "Iterable[BaseTool]" = ()) -> None:
        """Hold tools.

        Raises:
            ValueError: Two have the same name, or a name is none that servers take.
        """
        self.tools: Mapping[str, BaseTool] = {}
        for tool in tools:
            if not _NAME.fullmatch(tool.name):
                raise ValueError(f"`tools`: the name {tool.name!r} is not 1 to 64 letters, digits, `_` and `-`")
            if tool.name in self.tools:
                raise ValueError(f"`tools`: two are named `{tool.name}`; rename one")
            self.tools = {**self.tools, tool.name: tool}

    @cached_property
    def schemas(self) -> list[dict[str, Any]]:
        """The tools as a chat completions request offers them."""
        from langchain_core.utils.function_calling import convert_to_openai_tool

        return [convert_to_openai_tool(tool) for tool in self.tools.values()]

    @property
    def purposes(self) -> str:
        """A line for each tool: its name, and what it is for."""
        told = (one_line(tool.description, MAX_PURPOSE_CHARACTERS) for tool in self.tools.values())
        return "\n".join(f"- {name}: {purpose}" for name, purpose in zip(self.tools, told, strict=True))


NO_TOOLS = Toolbox()


def make_toolbox(given: "Iterable[BaseTool | Callable[..., Any]]") -> Toolbox:
    """Make a toolbox of LangChain's tools, and of functions whose docstrings say what they are for.

    Raises:
        ValueError: A function has no docstring, or a name cannot be used.
    """
    from langchain_core.tools import BaseTool, tool

    return Toolbox(one if isinstance(one, BaseTool) else tool(one) for one in given)


def _own_tools() -> Toolbox:
    try:
        own = get_config().get("configurable", {}).get(TOOLS)
    except RuntimeError:  # not within a graph
        return NO_TOOLS
    # What a request to a server holds under that name is none.
    return own if isinstance(own, Toolbox) else NO_TOOLS


def uses_tools(settings: Settings) -> bool:
    """Tell whether the threads of this run may call tools."""
    return bool(settings.mcp_config or _own_tools().tools)


async def find_toolbox(settings: Settings) -> Toolbox:
    """Return the tools of this run: the graph's own, and those of the MCP servers that the settings name.

    Raises:
        ConfigurationError: The servers' file is no good, or a server cannot be reached.
    """
    own = _own_tools()
    if not settings.mcp_config:
        return own
    from nodes.tools.servers import list_tools

    return Toolbox([*own.tools.values(), *await list_tools(settings.mcp_config, taken=own.tools)])
