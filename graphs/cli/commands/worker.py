"""`apr worker` and `apr cancel`: runs that are spread over several machines.

Everything heavy is imported when it is needed.
"""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from graphs.cli.keys import read_environment
from graphs.cli.refusal import refuse
from graphs.cli.store import RunArgument, StoreOption, where
from nodes.shared.install import how_to_install

if TYPE_CHECKING:
    import asyncio

    from graphs.temporal.address import EngineAddress

HELP = """Answer what others hand over, until Ctrl-C or SIGTERM.

Start as many workers as you like, on as many machines; a run's threads spread over all of them.

They meet at a Temporal server, and share the store of the runs. For trying: temporal server start-dev

[bold]Settings and keys[/bold] of the model servers come from this process's environment, such as APR_MODEL.

[bold]Certificates[/bold] of the Temporal server: TEMPORAL_TLS_CLIENT_CERT_PATH and the like, or TEMPORAL_API_KEY.

[bold]Encryption[/bold]: with APR_TEMPORAL_KEY, the same everywhere, the server holds nothing that can be read.

[bold]SIGTERM[/bold] lets steps at work end, for --drain seconds; others go on with what is left.

[bold]Examples[/bold]

  apr worker

  APR_STORE=postgresql://apr@db/runs apr worker --engine temporal://temporal.example:7233/default --concurrency 32

  apr "Which bugs do these files have?" --file src --engine temporal://127.0.0.1:7233/default

It needs the extra `temporal`.
"""
DEFAULT_ENGINE = "temporal://127.0.0.1:7233/default"

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True)


def find_engine(told: str | None) -> str | None:
    """Name the engine that is meant, the option's or that of `APR_ENGINE`; or say what is wrong with it and leave."""
    engine = told or os.environ.get("APR_ENGINE", "").strip() or None
    return str(_read(engine)) if engine else None


def _read(engine: str) -> "EngineAddress":
    from graphs.temporal.address import read_engine

    try:
        return read_engine(engine)
    except ValueError as error:
        refuse(str(error))


@app.command(help=HELP)
def worker(
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", metavar="ADDRESS", help=f"The Temporal server. Default: APR_ENGINE, else {DEFAULT_ENGINE}."
        ),
    ] = None,
    queue: Annotated[
        str | None, typer.Option("--queue", metavar="NAME", help="The task queue. Default: the address's, else apr.")
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=1_000, help="Steps at a time.")] = 16,
    drain: Annotated[float, typer.Option("--drain", min=0, metavar="SECONDS", help="Time to end steps in.")] = 30.0,
    store: StoreOption = None,
) -> None:
    """Work on what others hand over."""
    import asyncio

    settings, _ = read_environment()
    address = _read(find_engine(engine) or DEFAULT_ENGINE)
    address = address._replace(queue=queue) if queue else address
    asyncio.run(_serve(address, where(store), concurrency, drain, settings.model))


async def _serve(address: "EngineAddress", store: str, concurrency: int, drain: float, model: str) -> None:
    import asyncio
    import signal

    from graphs.history.store import StoreError
    from graphs.temporal.address import EngineError

    stop, ready = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        from graphs.temporal.worker import work
    except ModuleNotFoundError as error:
        refuse(f"apr worker needs {error.name}: {how_to_install('temporal')}")
    told = asyncio.create_task(
        _tell(ready, stop, f"apr: works for {address} with {model}, {concurrency} steps at a time")
    )
    try:
        await work(address, store, stop, concurrency=concurrency, drain_s=drain, ready=ready)
    except (EngineError, StoreError) as error:
        refuse(str(error))
    finally:
        told.cancel()


async def _tell(ready: "asyncio.Event", stop: "asyncio.Event", line: str) -> None:
    await ready.wait()
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    await stop.wait()
    sys.stderr.write("apr: takes no more; what is at work ends first\n")
    sys.stderr.flush()


@app.command()
def cancel(run: RunArgument, store: StoreOption = None) -> None:
    """Stop a run that workers work on, for good."""
    import asyncio

    from graphs.history.runs import RunError, Runs
    from graphs.history.store import StoreError, open_store
    from graphs.temporal.address import EngineError
    from graphs.temporal.graph import TemporalGraph

    async def stop() -> str:
        async with open_store(where(store)) as opened:
            entry = await Runs(opened).find(run)
            if not entry.engine:
                raise RunError(f"run {entry.id} is no worker's; Ctrl-C stops it where it runs")
            await TemporalGraph(entry.engine, store=opened).cancel(entry.id)
            return entry.id

    try:
        typer.echo(f"run {asyncio.run(stop())} stops")
    except (EngineError, RunError, StoreError) as error:
        refuse(str(error))
