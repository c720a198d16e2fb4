"""The fenced blocks of the project's pages, and the commands in them."""

import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

PROJECT = Path(__file__).parents[2]
PAGES = [
    name
    for name in (
        *("README.md", "CONTRIBUTING.md", "graphs/doors.md", "graphs/machines.md", "graphs/methods.md"),
        *(f"{folder}/README.md" for folder in ("graphs", "nodes", "prompts", "evals")),
    )
    if (PROJECT / name).exists()
]
SEPARATORS = ("|", "||", "&&", ";")


class Block(NamedTuple):
    """A fenced block."""

    page: str
    line: int
    language: str
    content: str
    output: str | None = None
    """What the page says that it prints: the block of plain text right after it."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class Line(NamedTuple):
    """A line of a shell, which may span several of a page."""

    text: str
    commands: list[list[str]]
    """Its commands, each as its words: assignments left out, variables filled in."""


def blocks() -> list[Block]:
    """List the blocks of all pages; what another block prints goes with that one."""
    found: list[Block] = []
    for page in PAGES:
        tokens = MarkdownIt().parse((PROJECT / page).read_text(encoding="utf-8"))
        fenced = [token.type in ("fence", "code_block") for token in tokens]
        follows = {number + 1 for number, (one, other) in enumerate(pairwise(fenced)) if one and other}
        for number, token in enumerate(tokens):
            if not fenced[number]:
                continue
            language = token.info.strip()
            if number in follows and language == "text" and found[-1].language in ("python", "sh", "bash"):
                found[-1] = found[-1]._replace(output=token.content)
            else:
                found.append(Block(page, (token.map or [0])[0] + 1, language, token.content))
    return found


def lines(content: str) -> Iterator[Line]:
    """Read the lines of a shell, those that only set a variable included."""
    known: dict[str, str] = {}
    waiting = ""
    for written in content.splitlines():
        waiting = f"{waiting}\n{written}" if waiting else written
        if waiting.endswith("\\"):
            waiting = waiting[:-1]
            continue
        try:
            words = _words(waiting)
        except ValueError:  # a quotation goes on
            continue
        text, waiting = waiting, ""
        if words:
            yield Line(text, [_filled_in(command, known) for command in _commands(words)])
    assert not waiting, f"a quotation has no end: {waiting}"


def _words(text: str) -> list[str]:
    reader = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    reader.whitespace_split = True
    return list(reader)


def _commands(words: list[str]) -> Iterator[list[str]]:
    """Cut a line at what stands between its commands; files that are read and written are left out."""
    command: list[str] = []
    for before, word in pairwise(["", *words]):
        if word in SEPARATORS:
            yield command
            command = []
        elif word not in ("<", ">", ">>") and before not in ("<", ">", ">>"):
            command.append(word)
    yield command


def _filled_in(command: list[str], known: dict[str, str]) -> list[str]:
    """Take the assignments before a command away; those alone on a line are known from there on."""
    words = [part for word in command for part in _filled(word, known)]
    own: dict[str, str] = {}
    while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
        name, _, value = words.pop(0).partition("=")
        own[name] = value
    if not words:
        known |= own
    return words


def _filled(word: str, known: dict[str, str]) -> list[str]:
    return shlex.split(known[word[1:]]) if word[:1] == "$" and word[1:] in known else [word]
