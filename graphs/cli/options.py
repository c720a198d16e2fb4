"""The arguments and options of `apr`."""

from pathlib import Path
from typing import Annotated

import typer


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from nodes.shared.environment import PACKAGE

        typer.echo(f"apr {version(PACKAGE)}")
        raise typer.Exit


Question = Annotated[str, typer.Argument(metavar="QUESTION", help="What to answer; - reads standard input.")]
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", "-f", help="A text file that the question is about, a folder of such, or a pattern; repeatable."
    ),
]
Instructions = Annotated[str, typer.Option("--instructions", "-i", help="Rules for every thread and for the answer.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="openai:NAME, deepseek:NAME or local (the embedded model). Default: openai:gpt-5-mini if "
        "OPENAI_API_KEY or OPENAI_BASE_URL is set, else local.",
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", help="Address of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1."),
]
MaxParallel = Annotated[
    str | None,
    typer.Option("--max-parallel", metavar="N", help="Most threads at once, 1 to 64. Default: 8."),
]
Deadline = Annotated[
    str | None,
    typer.Option("--deadline", metavar="SECONDS", help="Answer within this time, from the results so far."),
]
MaxCost = Annotated[
    str | None,
    typer.Option("--max-cost", metavar="USD", help="Make no call that would probably bring the run over this sum."),
]
Oversight = Annotated[
    str | None,
    typer.Option("--oversight", help="Approve in this terminal: plan, answer, both or none. Default: none."),
]
Cache = Annotated[
    bool | None,
    typer.Option(
        "--cache/--no-cache", help="Reuse thread results of earlier runs, and save those of this run. Default: no."
    ),
]
CacheTtl = Annotated[
    str | None, typer.Option("--cache-ttl", metavar="SECONDS", help="How long to save results. Default: for ever.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, such as thread_timeout=60; repeatable."),
]
Sequential = Annotated[bool, typer.Option("--sequential", help="Answer in one call (the baseline).")]
Compare = Annotated[
    bool, typer.Option("--compare", help="Also ask in one call, and show what splitting saved and cost.")
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="Where to save the run, for apr resume and apr show: a SQLite file, postgresql://… or none. "
        "Default: APR_STORE, else a file in your state folder.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="ADDRESS",
        help="Have workers on other machines answer: temporal://HOST:PORT/NAMESPACE (see apr worker). "
        "Default: APR_ENGINE, else this process.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole solution as JSON.")]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", help="Write the run to this file: as JSON if its name ends in .json, else as an HTML page."
    ),
]
Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]
