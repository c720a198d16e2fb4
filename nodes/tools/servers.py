"""The tools of MCP servers, which a file names in the form that MCP clients share.

Each server is started, or connected to, on first use, once for each event loop, and stays until the loop ends.
"""

import asyncio
import contextlib
import hashlib
import importlib.util
import itertools
import json
import os
import re
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel, Field, ValidationError, model_validator

from nodes.llm.replies.errors import ConfigurationError
from nodes.shared.install import how_to_install
from nodes.shared.masking import mask_text

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from mcp import Client

START_TIMEOUT_S = 30.0
"""Seconds for a server to start and to list its tools."""
MAX_TOOL_NAME_CHARACTERS = 64
"""Of a tool's name."""
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


class Server(BaseModel):
    """A server that the file names: a program to start, or an address."""

    command: str = ""
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str | None = None
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    disabled: bool = False

    @model_validator(mode="after")
    def _is_one_of_two(self) -> "Server":
        if bool(self.command) == bool(self.url):
            raise ValueError("names either a `command` or a `url`")
        return self


class Servers(BaseModel):
    """The file."""

    mcpServers: dict[str, Server]  # the name that all clients share


class Connection:
    """A server that is started or connected to once it is needed."""

    def __init__(self, name: str, server: Server) -> None:
        """Start nothing yet."""
        self._name, self._server = name, server
        self._ready: asyncio.Future[Client] | None = None
        self._over = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None
        self._tools: list[Any] = []

    async def tools(self) -> list[Any]:
        """Return the server's tools, as it listed them when it was connected.

        Raises:
            ConfigurationError: The server cannot be started or reached.
        """
        client = await self.client()
        if not self._tools:
            try:
                self._tools = await _list(client)
            except Exception as error:
                self.close()
                raise ConfigurationError(mask_text(f"`mcp_config`: `{self._name}`: {_say(error)}")) from None
        return self._tools

    async def client(self) -> "Client":
        """Return the client, connected.

        Raises:
            ConfigurationError: The server cannot be started or reached.
        """
        if self._ready is None:
            self._ready, self._over = asyncio.get_running_loop().create_future(), asyncio.Event()
            self._holding = asyncio.create_task(self._hold(self._ready, self._over))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            why = f"did not answer within {START_TIMEOUT_S:g} s"
        except Exception as error:
            why = f"cannot be used: {_say(error)}"
        self.close()
        raise ConfigurationError(mask_text(f"`mcp_config`: the MCP server `{self._name}` {why}"))

    async def _hold(self, ready: "asyncio.Future[Client]", over: asyncio.Event) -> None:
        # Opened and closed in one task, as anyio wants it.
        try:
            async with contextlib.AsyncExitStack() as stack:
                ready.set_result(await stack.enter_async_context(_open(self._server)))
                await over.wait()
        except Exception as error:
            if not ready.done():
                ready.set_exception(error)

    def close(self) -> None:
        """Let go of the server; who needs it next connects anew."""
        self._over.set()
        if self._holding and self._ready and not self._ready.done():
            self._holding.cancel()
        self._ready, self._tools = None, []


def _say(error: BaseException) -> str:
    """Say what is at the bottom of an error, which may be a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


@contextlib.asynccontextmanager
async def _open(server: Server) -> "AsyncIterator[Client]":
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    async with contextlib.AsyncExitStack() as stack:
        if server.url:
            import httpx2

            headers = {name: os.path.expandvars(value) for name, value in server.headers.items()}
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers))
            transport = streamable_http_client(server.url, http_client=http)
        else:
            env = {name: os.path.expandvars(value) for name, value in server.env.items()}
            started = StdioServerParameters(command=server.command, args=server.args, env=env, cwd=server.cwd)
            # What it says beside the protocol would stand in the middle of what is shown here.
            nowhere = stack.enter_context(await asyncio.to_thread(open, os.devnull, "w"))
            transport = stdio_client(started, errlog=nowhere)
        yield await stack.enter_async_context(Client(transport))


_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Connection]] = WeakKeyDictionary()


def _connection(name: str, server: Server) -> Connection:
    key = hashlib.sha256(f"{name} {server.model_dump_json()}".encode()).hexdigest()
    known = _connections.setdefault(asyncio.get_running_loop(), {})
    return known.setdefault(key, Connection(name, server))


async def list_tools(file: str, *, taken: Collection[str]) -> "list[BaseTool]":
    """List the tools of all servers that a file names.

    Args:
        file: The file.
        taken: Names that other tools have; a tool of that name is called after its server, too.

    Raises:
        ConfigurationError: The file is no good, the extra is missing, or a server cannot be used.
    """
    servers = await asyncio.to_thread(_read, file)
    if importlib.util.find_spec("mcp") is None:
        raise ConfigurationError(f"`mcp_config` needs an extra: {how_to_install('mcp')}")
    named = [(name, _connection(name, server)) for name, server in servers.items() if not server.disabled]
    listed = await asyncio.gather(*(connection.tools() for _, connection in named))
    tools: list[BaseTool] = []
    used = set(taken)
    for (server, connection), found in zip(named, listed, strict=True):
        for tool in found:
            name = _free_name(tool.name, server, used)
            used.add(name)
            tools.append(_as_tool(name, tool, connection))
    return tools


def _free_name(tool: str, server: str, used: Collection[str]) -> str:
    """Return a name that servers of models take and no other tool has: if need be with its server's."""
    own, longer = _UNFIT.sub("_", tool), _UNFIT.sub("_", f"{server}_{tool}")
    numbered = (f"{number}_{longer}" for number in itertools.count(2))
    names = (name[:MAX_TOOL_NAME_CHARACTERS] for name in itertools.chain((own, longer), numbered))
    return next(name for name in names if name and name not in used)


def _read(file: str) -> dict[str, Server]:
    try:
        written = json.loads(Path(file).expanduser().read_text(encoding="utf-8"))
        return Servers.model_validate(written).mcpServers
    except OSError as error:
        raise ConfigurationError(f"`mcp_config`: {file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"`mcp_config`: {file}: {where}: {first['msg']}") from None
    except ValueError as error:
        raise ConfigurationError(f"`mcp_config`: {file}: is no JSON ({error})") from None


async def _list(client: "Client") -> list[Any]:
    listed = await client.list_tools()
    tools = list(listed.tools)
    while listed.next_cursor:
        listed = await client.list_tools(cursor=listed.next_cursor)
        tools += listed.tools
    return tools


def _as_tool(name: str, tool: Any, connection: Connection) -> "BaseTool":
    from langchain_core.tools import StructuredTool

    async def call(**arguments: Any) -> str:
        client = await connection.client()
        try:
            result = await client.call_tool(tool.name, arguments)
        except Exception:
            # It may be gone; the next call starts it anew.
            connection.close()
            raise
        text = "\n".join(getattr(part, "text", None) or f"[{part.type}]" for part in result.content)
        if result.is_error:
            raise ToolFailed(text)
        return text or json.dumps(result.structured_content, ensure_ascii=False)

    return StructuredTool(
        name=name, description=tool.description or tool.title or name, args_schema=tool.input_schema, coroutine=call
    )


class ToolFailed(Exception):
    """A tool says that it failed, in its own words."""
