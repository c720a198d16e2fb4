"""What the word that somebody types after `apr` may become: a command, an option, a setting, the id of a run."""

import asyncio
import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import typer

from graphs.cli.program import Programs

Shell = Literal["bash", "zsh", "fish"]

MAX_STORE_S = 8.0
"""Seconds that the ids of runs may take: somebody waits for the Tab key."""
_BREAKS = ("=", ":")
"""Where bash splits words."""


class Typed(NamedTuple):
    """What stands before the word that is completed."""

    command: str
    """Empty for a question."""
    waiting: str
    """The parameter of the option before it, where that has no value yet."""
    argument: str
    """The parameter that it is, if it is no option."""
    options: Sequence[str]
    """What options may stand here, or commands of a command."""
    store: str | None
    """The store that `--store` names."""


def complete_words(words: Sequence[str], programs: Programs, *, split: bool) -> list[str]:
    """Complete the last of some words; what is returned takes its place.

    Args:
        words: Those after `apr`, of which the last may be empty.
        programs: What `apr` answers.
        split: Whether the shell splits words at `=` and `:`, as bash does; then only what stands behind is replaced.
    """
    *before, word = _join(words) if split else words or [""]
    found = _complete(before, word, programs)
    cut = max(word.rfind(sign) for sign in _BREAKS) + 1 if split else 0
    return [one[cut:] for one in found]


def _complete(before: Sequence[str], word: str, programs: Programs) -> list[str]:
    if not before and not word.startswith("-"):
        return _beginning(programs.commands, word)
    typed = _read(before, programs)
    if typed.waiting:
        return _values(typed, typed.waiting, word)
    option, sign, value = word.partition("=")
    if sign and option in typed.options:
        waiting = _read([*before, option], programs).waiting
        return [f"{option}={one}" for one in _values(typed, waiting, value)]
    return _beginning(typed.options, word) or _values(typed, typed.argument, word)


def _join(words: Sequence[str]) -> list[str]:
    """Put words together again that were split."""
    joined: list[str] = []
    for word in words or [""]:
        if joined and (word in _BREAKS or joined[-1].endswith(_BREAKS)):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _read(words: Sequence[str], programs: Programs) -> Typed:
    """Read words as the command would that they begin with, by default the one that asks."""
    name = words[0] if words and words[0] in programs.commands else ""
    command, words = _find_command(name, words, programs)
    options = {own: one for one in command.params for own in (*one.opts, *one.secondary_opts) if own.startswith("-")}
    arguments = [one.name for one in command.params if one.param_type_name == "argument"]
    waiting, store, place = "", None, 0
    for word in words:
        option, sign, value = word.partition("=")
        if waiting:
            store, waiting = word if waiting == "store" else store, ""
        elif option in options:
            store = value if sign and options[option].name == "store" else store
            waiting = "" if sign or options[option].is_flag else options[option].name
        else:
            place += 1
    listed = [*getattr(command, "commands", ()), *options, "--help"]
    argument = arguments[place] if place < len(arguments) else ""
    return Typed(name, waiting, argument, listed, store.strip("'\"") if store else None)


def _find_command(name: str, words: Sequence[str], programs: Programs) -> tuple[Any, Sequence[str]]:
    """Return the command of a name, and the words after it; what parameters it has tells what may follow."""
    if not name:
        return typer.main.get_command(programs.question), words
    program = programs.commands[name]
    command: Any = typer.main.get_command(program.app)
    if not program.shares:
        words = words[1:]
    while words and words[0] in getattr(command, "commands", ()):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def _beginning(words: Iterable[str], start: str) -> list[str]:
    """List the words with a beginning; of options, those of two dashes where one alone is not typed."""
    return sorted({word for word in words if word.startswith(start) and (start or not word.startswith("-"))})


def _values(typed: Typed, parameter: str, word: str) -> list[str]:
    """List what a parameter may be; nothing where a shell's own names of files are as good."""
    if parameter == "set_":
        return _settings(word)
    if parameter == "oversight":
        return [one.partition("=")[2] for one in _settings(f"oversight={word}")]
    if parameter == "shell":
        return _beginning(get_args(Shell), word)
    if parameter in ("run", "other"):
        files = glob.glob(f"{glob.escape(word)}*.json") if typed.command == "report" else []
        return [*_runs(typed, word), *sorted(files)]
    return []


def _settings(word: str) -> list[str]:
    from nodes.settings import Settings

    name, sign, value = word.partition("=")
    if not sign:
        return [f"{one}=" for one in _beginning(Settings.model_fields, name)]
    field = Settings.model_fields.get(name)
    return [f"{name}={one}" for one in _beginning(_choices(field.annotation) if field else [], value)]


def _choices(kind: Any) -> list[str]:
    """List the values of a type that has few."""
    if kind is bool:
        return ["true", "false"]
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    return [one for part in get_args(kind) for one in _choices(part)]


def _runs(typed: Typed, word: str) -> list[str]:
    """List the ids of runs that a command takes, the latest first; none where the store says nothing in time."""
    from nodes.shared.environment import environment_store

    place = typed.store or environment_store()
    if "://" not in place and not Path(place).exists():  # to look is no reason to make one
        return []
    # Loaded before the time begins, which is the store's.
    from graphs.history.runs import Runs
    from graphs.history.store import open_store

    async def list_ids() -> list[str]:
        async with open_store(place) as store:
            if typed.command == "cancel":
                return await Runs(store).list_ids("handed_over")
            return await Runs(store).list_ids("left" if typed.command == "resume" else "ended")

    try:
        found = asyncio.run(asyncio.wait_for(list_ids(), MAX_STORE_S))
    except Exception:  # whatever it is, the command itself will say it
        return []
    return [id for id in found if id.startswith(word)]
