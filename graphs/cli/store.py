"""The store that a command on saved runs means, and the runs in it.

Everything heavy is imported when it is needed.
"""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from graphs.cli.refusal import refuse

if TYPE_CHECKING:
    from graphs.history.runs import Runs

T = TypeVar("T")

StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="PLACE", help="A SQLite file, or postgresql://… Default: APR_STORE.")
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run, or the beginning of the id.")]


def where(store: str | None) -> str:
    """Name the store that is meant."""
    from nodes.shared.environment import environment_store

    place = store or environment_store()
    if place.lower() == "none":
        refuse("--store none: no runs are kept there; name a file or postgresql://…")
    return place


def in_store(store: str | None, work: "Callable[[Runs], Coroutine[Any, Any, T]]") -> T:
    """Do something with the runs of a store, or say what is wrong and leave."""
    import asyncio

    from graphs.history.runs import RunError, Runs
    from graphs.history.store import StoreError, open_store

    async def open_and_work() -> T:
        async with open_store(where(store)) as found:
            return await work(Runs(found))

    try:
        return asyncio.run(open_and_work())
    except (RunError, StoreError) as error:
        refuse(str(error))
