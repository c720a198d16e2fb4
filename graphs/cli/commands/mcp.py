"""`apr mcp`: the workflow as tools for MCP clients.

Everything heavy is imported when it is needed.
"""

import asyncio
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from graphs.cli.keys import make_key, read_environment
from graphs.cli.refusal import refuse
from nodes.shared.install import how_to_install

HELP = """Serve the tools answer and review_files to an MCP client (an editor, an assistant, an agent).

By default it talks to the program that started it, over standard input and output.

review_files reads files of the working directory, or of the folders that --root names, and no others.

With --http it listens on 127.0.0.1, at /mcp.

[bold]Keys[/bold]: APR_TOKENS="ann:TOKEN" lists who may ask. Without it, a key is made and printed once.

Models, keys and limits come from the environment, such as APR_MODEL; callers may choose the model and tighten limits.

[bold]Examples[/bold]

  apr mcp

  apr mcp --root ~/project --root ~/notes

  apr mcp --http --port 8765
"""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.command(help=HELP)
def mcp(
    root: Annotated[
        list[Path] | None,
        typer.Option("--root", metavar="FOLDER", help="A folder whose files may be read; repeatable. Default: here."),
    ] = None,
    http: Annotated[bool, typer.Option("--http", help="Listen on 127.0.0.1 instead.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="The port of --http.")] = 8765,
) -> None:
    """Serve MCP clients."""
    if importlib.util.find_spec("mcp") is None:
        refuse(f"apr mcp needs an extra: {how_to_install('mcp')}")
    roots = [folder.expanduser().resolve() for folder in root or [Path.cwd()]]
    for folder in roots:
        if not folder.is_dir():
            refuse(f"--root {folder}: is no folder")
    _, tokens = read_environment()
    from graphs.mcp.server import serve_http, serve_stdio

    if not http:
        asyncio.run(serve_stdio(roots))
        return
    from graphs.server.v1.app import open_port

    try:
        taken = open_port(port)
    except OSError as error:
        refuse(f"--port {port}: {error.strerror}; name another, or 0 for any that is free")
    if not tokens:
        make_key()
    asyncio.run(serve_http(roots, taken))
