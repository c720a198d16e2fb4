"""All commands of `apr`: which program answers which first word, and words that are nearly one."""

import difflib
import sys

import typer

from graphs.cli.commands import cache, completion, doctor, mcp, report, runs, serve, worker
from graphs.cli.program import Program, Programs
from graphs.cli.refusal import refuse

MIN_LIKENESS = 0.75
"""How alike a word and a command are when the word is taken for a slip, from 0 to 1."""


COMMANDS = {
    "cache": Program(cache.app),
    "cancel": Program(worker.app, shares=True),
    "completion": Program(completion.app),
    "doctor": Program(doctor.app, shares=True),
    "mcp": Program(mcp.app),
    "models": Program(doctor.app, shares=True),
    "prune": Program(runs.app, shares=True),
    "report": Program(report.app),
    "resume": Program(runs.app, shares=True),
    "runs": Program(runs.app, shares=True),
    "serve": Program(serve.app),
    "show": Program(runs.app, shares=True),
    "worker": Program(worker.app, shares=True),
}
"""All words that are commands; what begins with any other is a question."""


def run_command(words: list[str], question: typer.Typer) -> None:
    """Run the command that the words begin with.

    Args:
        words: Those after `apr`.
        question: What answers words that begin with no command.
    """
    program = COMMANDS[words[0]]
    told, name = (words, "apr") if program.shares else (words[1:], f"apr {words[0]}")
    program.app(args=told, prog_name=name, obj=Programs(question, COMMANDS))


def refuse_slips(word: str) -> None:
    """Leave where a word is a slip of a command's name: as a question it would go to a model, and cost.

    Behind `--` every word is a question.
    """
    near = difflib.get_close_matches(word.lower(), COMMANDS, 1, MIN_LIKENESS)
    if near and "--" not in sys.argv and not word.endswith("?"):
        refuse(f"there is no command `{word}`, did you mean `apr {near[0]}`? To ask it as a question: apr -- {word}")
