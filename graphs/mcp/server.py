"""The MCP server: two tools over standard input and output, or over HTTP for callers with a token."""

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import uvicorn
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from graphs.mcp.files import FileRefused, read_files
from graphs.mcp.offers import Answered, AnswerInput, ReviewInput, as_text, summarize
from graphs.mcp.work import Tell, solve_for
from graphs.server.auth import TokenNeeded
from graphs.server.v1.app import ADDRESS
from nodes.llm.replies.errors import ConfigurationError
from nodes.shared.environment import PACKAGE
from nodes.shared.masking import mask_text, trace_of
from nodes.shared.refusals import say_problems
from nodes.state import Solution

MAX_MCP_BODY_BYTES = 64 * 1024 * 1024
"""Of a request over HTTP: documents may have 5,000,000 characters, each of up to twelve bytes in JSON."""

_ANSWER = (
    "Answers a question with several parts: a plan, threads side by side, a review, one answer. Documents are handed "
    "over as text."
)
_REVIEW = "Reviews files side by side, each in a thread of its own, and returns what was found, file by file."

Context: TypeAlias = ServerRequestContext[Any, Any]
Work = Callable[[dict[str, Any], Tell], Awaitable[Solution]]

_log = logging.getLogger(__name__)


def make_server(roots: Sequence[Path]) -> Server[Any]:
    """Make the server.

    Args:
        roots: Folders under which files may be read, resolved.
    """

    async def answer(given: dict[str, Any], tell: Tell) -> Solution:
        asked = AnswerInput.model_validate(given)
        return await solve_for(asked.question, asked.documents, asked.instructions, asked.settings(), tell)

    async def review_files(given: dict[str, Any], tell: Tell) -> Solution:
        asked = ReviewInput.model_validate(given)
        documents = await asyncio.to_thread(read_files, asked.files, roots)
        return await solve_for(asked.question, documents, asked.instructions, asked.settings(), tell)

    tools = [_tool("answer", _ANSWER, AnswerInput), _tool("review_files", _REVIEW, ReviewInput)]
    works: dict[str, Work] = {"answer": answer, "review_files": review_files}

    async def list_tools(context: Context, asked: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=tools)

    async def call_tool(context: Context, asked: CallToolRequestParams) -> CallToolResult:
        work = works.get(asked.name)
        if work is None:
            return _refusal(f"there is no tool `{asked.name}`; there are {', '.join(works)}")

        async def tell(number: int, words: str) -> None:
            await context.session.report_progress(number, message=words)

        return await _call(work, asked.arguments or {}, tell)

    return Server("apr", version=version(PACKAGE), on_list_tools=list_tools, on_call_tool=call_tool)


def _tool(name: str, description: str, takes: type[BaseModel]) -> Tool:
    return Tool(
        name=name,
        description=description,
        input_schema=takes.model_json_schema(),
        output_schema=Answered.model_json_schema(),
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=True),
    )


async def _call(work: Work, given: dict[str, Any], tell: Tell) -> CallToolResult:
    """Do the work of a tool; what goes wrong is told in words without secrets."""
    try:
        found = summarize(await work(given, tell))
    except ValidationError as error:
        return _refusal(_wrong(error))
    except (ConfigurationError, FileRefused) as error:
        return _refusal(str(error))
    except Exception as error:
        _log.error("a tool broke:\n%s", trace_of(error))
        return _refusal(f"{type(error).__name__}: {error}")
    return CallToolResult(
        content=[TextContent(text=as_text(found))],
        structured_content=found.model_dump(),
        is_error=found.outcome == "failed",
    )


def _wrong(error: ValidationError) -> str:
    """Say what is wrong with what a caller gave."""
    strange = [str(detail["loc"][-1]) for detail in error.errors() if detail["type"] == "extra_forbidden"]
    if strange:
        return f"{', '.join(f'`{name}`' for name in strange)}: not a caller's to choose; the schema lists what is"
    return "; ".join(say_problems(error))


def _refusal(why: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=mask_text(why))], is_error=True)


async def serve_stdio(roots: Sequence[Path]) -> None:
    """Serve who started this process, until they close its standard input."""
    server = make_server(roots)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def http_app(roots: Sequence[Path]) -> ASGIApp:
    """Make the application that serves at `/mcp` whoever sends a token of `APR_TOKENS`."""
    app: Starlette = make_server(roots).streamable_http_app(host=ADDRESS, max_request_body_size=MAX_MCP_BODY_BYTES)
    app.user_middleware.insert(0, Middleware(TokenNeeded))
    return app


async def serve_http(roots: Sequence[Path], taken: socket.socket) -> None:
    """Serve at a socket that is bound, until a signal ends the process."""
    server = uvicorn.Server(uvicorn.Config(http_app(roots), log_level="warning"))
    sys.stderr.write(f"apr: MCP at http://{ADDRESS}:{taken.getsockname()[1]}/mcp\n")
    await server.serve(sockets=[taken])
