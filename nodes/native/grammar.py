"""The formats in which trained models open threads by themselves, a record each, and reading and writing them (pure).

The formats are those that their authors publish: ThreadWeaver (github.com/facebookresearch/threadweaver) and Multiverse
(multiverse4fm.github.io). A block stands anywhere in the text: a list of numbered outlines, then a thread for each.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nodes.shared.record import Record

_NUMBER = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9}){0,9})\s*:")
"""What an outline begins with: `1:`, `2.1:`."""


@dataclass(frozen=True)
class Grammar:
    """A format. Each text stands exactly as the models were trained on it, line ends included."""

    outlines_start: str
    outlines_end: str
    """The model is stopped here, and its threads begin."""
    outline_start: str
    outline_end: str
    before_threads: str
    """What the client writes between the outlines and the first thread."""
    thread_start: str
    """What the client writes before a thread's number and its colon."""
    thread_end: str
    """Each thread is stopped here."""
    between_threads: str
    after_threads: str
    """What the client writes behind the last thread; the model itself closes the block."""
    block_end: str
    unfinished: str = " [unfinished]"
    """What the client writes behind the text of a thread that failed, so that the model knows of it."""


GRAMMARS = {
    "threadweaver": Grammar(
        outlines_start="<Outlines>",
        outlines_end="</Outlines>",
        outline_start="<Outline>",
        outline_end="</Outline>",
        before_threads="\n",
        thread_start="<Thread>\n",
        thread_end="</Thread>",
        between_threads="",
        after_threads="\n",
        block_end="</Parallel>",
    ),
    "multiverse": Grammar(
        outlines_start="<Goal>",
        outlines_end="</Goal>",
        outline_start="<Outline>",
        outline_end="</Outline>",
        before_threads="\n",
        thread_start="<Path>\n",
        thread_end="</Path>",
        between_threads="\n",
        after_threads="\n",
        block_end="</Parallel>",
    ),
}
"""By the value of the setting `grammar`."""


class Outline(Record):
    """What one thread is to do, as the model announced it."""

    number: str
    """As written: `1`, `2.1`."""
    task: str


class Branch(Record):
    """A thread as it goes into the text."""

    number: str
    text: str
    """As written, without the tags around it."""
    finished: bool = True


def read_outlines(grammar: Grammar, written: str) -> list[Outline]:
    """List the outlines of the last list in a text; of two with one number the first counts, those without are none."""
    _, opened, listed = written.rpartition(grammar.outlines_start)
    listed = listed.partition(grammar.outlines_end)[0] if opened else ""
    outlines: dict[str, Outline] = {}
    for piece in listed.split(grammar.outline_start)[1:]:
        text = piece.partition(grammar.outline_end)[0]
        if head := _NUMBER.match(text):
            outlines.setdefault(head[1], Outline(number=head[1], task=text[head.end() :].strip()))
    return list(outlines.values())


def close_outlines(grammar: Grammar, written: str, matched: str) -> str | None:
    """Return a reply with the end of its outlines, if that is where it was stopped, else nothing.

    Servers leave out the words at which they stop, and few say which those were. Then an open list tells it.

    Args:
        grammar: The format.
        written: The reply.
        matched: The stop string, `token` for a token, empty where the server does not tell.
    """
    if written.endswith(grammar.outlines_end):
        return written
    opened = grammar.outlines_start in written.rpartition(grammar.outlines_end)[2]
    stopped = matched == grammar.outlines_end if matched else opened
    return written + grammar.outlines_end if stopped else None


def open_thread(grammar: Grammar, number: str) -> str:
    """Return what a thread begins with."""
    return f"{grammar.thread_start}{number}:"


def write_block(grammar: Grammar, branches: Sequence[Branch]) -> str:
    """Return what comes after the outlines, up to where the model goes on."""
    threads = (
        f"{open_thread(grammar, branch.number)}{branch.text}"
        f"{'' if branch.finished else grammar.unfinished}{grammar.thread_end}"
        for branch in branches
    )
    return grammar.before_threads + grammar.between_threads.join(threads) + grammar.after_threads
