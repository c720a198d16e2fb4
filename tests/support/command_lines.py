"""What the command lines of the pages may say: which commands, options and values there are."""

import importlib
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import typer

from evals.items import names
from evals.run.variants import VARIANTS
from graphs.cli import main
from graphs.cli.dispatch import COMMANDS
from nodes.settings import Settings
from nodes.shared.environment import OTHER_NAMES
from tests.support.pages import PROJECT


def fits(command: Any, words: list[str]) -> None:
    """Read words as a command does; an option that there is not, or a wrong value, raises."""
    if hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    if words != ["--help"]:
        command.make_context("docs", list(words))


def apr(words: list[str]) -> None:
    program = COMMANDS.get(words[0])
    app = program.app if program else main.app
    fits(typer.main.get_command(app), words[1:] if program and not program.shares else words)


def python(words: list[str]) -> None:
    assert words[0] == "-m"
    module, rest = words[1], words[2:]
    if module.startswith("evals."):
        fits(typer.main.get_command(importlib.import_module(f"{module}.__main__").app), rest)
        given = list(zip(rest, rest[1:], strict=False))
        assert {value for name, value in given if name == "--data"} <= set(names())
        assert {value for name, value in given if name == "--variant"} <= set(VARIANTS)
    else:
        assert module in ("venv", "pytest", "ruff", "mypy", "pip")


def pip(words: list[str]) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert words[0] == "install"
    for option, value in zip(words, words[1:], strict=False):
        if option == "-c":
            assert (PROJECT / value).is_file()
        if option == "-e":
            assert set(value.removeprefix(".").strip("[]").split(",")) <= set(project["optional-dependencies"])


def make(words: list[str]) -> None:
    targets = re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(words) <= set(targets)


def export(words: list[str]) -> None:
    known = {*(f"APR_{name.upper()}" for name in Settings.model_fields), *OTHER_NAMES}
    names = {word.partition("=")[0] for word in words}
    assert all(name in known for name in names if name.startswith("APR_"))
    assert all(name.startswith(("APR_", "LANGSMITH_")) for name in names)


def langgraph(words: list[str]) -> None:
    fits(pytest.importorskip("langgraph_cli.cli").cli, words)


def docker(words: list[str]) -> None:
    where, (what, *rest) = words[:5], words[5:]
    assert where == ["compose", "--project-directory", ".", "--file", "graphs/deploy/compose.yaml"]
    if what == "exec":
        KNOWN[rest[1]](rest[2:])
    assert what == "up" or (what, rest[0]) == ("exec", "apr")


def anything(words: list[str]) -> None:
    """Nothing of the project's own to check."""


KNOWN: Mapping[str, Callable[[list[str]], None]] = {
    "apr": apr,
    "python": python,
    "python3": python,
    "pip": pip,
    "make": make,
    "langgraph": langgraph,
    "export": export,
    "docker": docker,
    **dict.fromkeys(("cat", "echo", "curl", "temporal"), anything),
}
