"""How every command says that it was used wrongly."""

import sys
from typing import NoReturn

import typer

EXIT_USAGE = 2


def refuse(message: str) -> NoReturn:
    """Say what is wrong with the usage, and leave."""
    for line in message.splitlines():
        sys.stderr.write(f"apr: {line}\n")
    raise typer.Exit(EXIT_USAGE)
