"""What answers a first word of `apr`, and all of them: what a command may know of the others."""

from collections.abc import Mapping
from typing import NamedTuple

import typer


class Program(NamedTuple):
    """What answers a first word."""

    app: typer.Typer
    shares: bool = False
    """Whether it answers several first words, and is told which one it was."""


class Programs(NamedTuple):
    """All that `apr` answers."""

    question: typer.Typer
    """What answers whatever begins with no command."""
    commands: Mapping[str, Program]
