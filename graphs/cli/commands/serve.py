"""`apr serve`: the workflow as a model of OpenAI's API.

Everything heavy is imported when it is needed.
"""

import ipaddress
import sys
from typing import Annotated

import typer

from graphs.cli.keys import make_key, read_environment
from graphs.cli.refusal import refuse
from nodes.shared.install import how_to_install

HELP = """Serve the workflow as a model of OpenAI's API, on 127.0.0.1.

Whatever speaks to OpenAI can ask it: the openai client, LangChain's ChatOpenAI, chat pages such as Gradio's.

[bold]Models[/bold]: adaptive (the workflow) and sequential (one call, the baseline).

[bold]Routes[/bold]: /v1/chat/completions and /v1/responses, whole and streamed, and /v1/models.

[bold]Keys[/bold]: APR_TOKENS="ann:TOKEN ben:TOKEN" lists who may ask. Without it, a key is made and printed once.

[bold]Settings[/bold] come from the environment, such as APR_MODEL.

A request may choose its own limits: extra_body={"apr": {"max_parallel": 4}}.

[bold]Examples[/bold]

  apr serve

  APR_MODEL=openai:gpt-5-mini apr serve --port 9000

  curl http://127.0.0.1:8008/v1/models -H "Authorization: Bearer KEY"

From Python: OpenAI(base_url="http://127.0.0.1:8008/v1", api_key=KEY).chat.completions.create(model="adaptive", …)

It needs the extra `serve`: starlette and uvicorn.
"""

LOOPBACK = "127.0.0.1"

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.command(help=HELP)
def serve(
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port; 0 takes any that is free.")] = 8008,
    host: Annotated[
        str, typer.Option("--host", help="IPv4 address to listen on; one that others can reach needs APR_TOKENS.")
    ] = LOOPBACK,
) -> None:
    """Serve until Ctrl-C."""
    settings, tokens = read_environment()
    if not (tokens or _only_ours(host)):
        refuse(f"--host {host}: others could reach the server; APR_TOKENS must say who may ask it (name:token pairs)")
    try:
        from graphs.server.v1 import app as server
    except ModuleNotFoundError as error:
        refuse(f"apr serve needs {error.name}: {how_to_install('serve')}")
    try:
        opened = server.open_port(port, host)
    except OSError as error:
        refuse(f"--port {port}: {error.strerror}" if host == LOOPBACK else f"--host {host} --port {port}: {error}")
    sys.stderr.write(f"apr: http://{host}:{opened.getsockname()[1]}/v1 answers with {settings.model}\n")
    if not tokens:
        make_key()
    sys.stderr.flush()
    server.serve(opened)


def _only_ours(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
