"""What `apr` shows on standard error while a run goes on, from the run's own custom stream."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from graphs.cli.terminal.typed import hear_lines, how_to_stop, obey
from graphs.page.wording import STAGES, mark_controls, words
from graphs.streams.answer import AnswerEvent, AnswerPiece
from graphs.streams.thinking import ThinkingPiece
from nodes.shared.cleaning import one_line

_STYLES = {
    "queued": "dim",
    "running": "cyan",
    "answered": "green",
    "failed": "red",
    "timed_out": "red",
    "refuted": "yellow",
}
_ORDER = {"running": 0, "queued": 1}
LINES_UNDER_TABLE = 4
"""Lines that are kept for the count, which may need two, for what is left out, and for the cursor."""
GAP_COLUMNS = 2
MAX_ANSWER_CHARACTERS = 10_000
"""Characters of the growing answer that are laid out again at each refresh."""
MIN_QUESTION_COLUMNS = 12
"""Columns that the beginning of a question needs, to be worth showing beside the tokens."""
_ENDED = ("answered", "failed", "timed_out", "refuted")
ENDED_WORDS = (*map(words, _ENDED), words("failed", "person"), words("failed", "not_needed"))
"""How threads end, in words."""


@dataclass
class Standing:
    """How a run stands, as far as its stream has told."""

    stage: str = ""
    threads: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The last event of each thread, by id."""

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in one event of the stream."""
        if event.get("status") == "split":
            self.threads.pop(event["thread_id"], None)
        elif "thread_id" in event:
            self.threads[event["thread_id"]] = event
            self.stage = ""
        else:
            why = f", since {event['why']}" if event.get("why") else ""
            self.stage = STAGES.get(event["stage"], event["stage"]) + why

    @property
    def count(self) -> str:
        """A line such as `5/8 finished (4 answered, 1 failed)`."""
        if not self.threads:
            return ""
        statuses = Counter(_standing(event) for event in self.threads.values())
        done = sum(statuses[status] for status in ENDED_WORDS)
        total = max(int(event["n_total"]) for event in self.threads.values())
        parts = ", ".join(f"{statuses[status]} {status}" for status in ENDED_WORDS if statuses[status])
        return f"{done}/{total} finished" + (f" ({parts})" if parts else "")


class Display(Protocol):
    """Shows events as they come.

    Attributes:
        shows_answer: Whether it shows the answer while it is written.
    """

    shows_answer: bool

    def show(self, event: Mapping[str, Any]) -> None:
        """Show one event of the custom stream."""

    def grow(self, change: AnswerEvent) -> None:
        """Show more of the answer, or that it is withdrawn."""

    def think(self, piece: ThinkingPiece) -> None:
        """Show that a model thinks."""


class Lines:
    """Plain lines, for pipes and logs."""

    shows_answer = False

    def __init__(self) -> None:
        self._standing = Standing()

    def show(self, event: Mapping[str, Any]) -> None:
        """Print a line for a stage that begins and for a thread that starts or ends."""
        self._standing.take(event)
        if "thread_id" not in event:
            self._print(f"{self._standing.stage} …")
        elif event["status"] in _ENDED:
            self._print(f"{event['thread_id']} {_standing(event)}: {self._standing.count}")
        elif event["status"] == "running":
            self._print(f"{event['thread_id']} running: {one_line(mark_controls(event['subquestion']))}")

    def grow(self, change: AnswerEvent) -> None:
        """Leave the answer to standard output."""

    def think(self, piece: ThinkingPiece) -> None:
        """Leave thoughts to the report."""

    def _print(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class Board:
    """A table that is kept up to date, with the answer below as it grows, for a terminal."""

    shows_answer = True

    def __init__(self, *, can_stop: bool = False) -> None:
        """Draw, too, how threads are stopped, if somebody `can_stop` them."""
        self.can_stop = can_stop
        self._standing = Standing()
        self._answer = self._withdrawn = self._heard = ""
        self._thought = 0
        self._spinner = Spinner("dots")
        self._started = time.monotonic()

    def show(self, event: Mapping[str, Any]) -> None:
        """Take in an event; the next refresh draws it."""
        self._standing.take(event)

    def grow(self, change: AnswerEvent) -> None:
        """Take in how the answer grows; the next refresh draws it."""
        if isinstance(change, AnswerPiece):
            self._answer += change.text
        else:
            self._answer, self._withdrawn = "", change.why

    def think(self, piece: ThinkingPiece) -> None:
        """Count what is thought; the next refresh draws it."""
        self._thought += len(piece.text)

    def hear(self, line: str) -> None:
        """Take in what a person has typed."""
        self._heard = obey(line, self._standing.threads)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the threads and what the run is at: ids, states and the count whole, whatever the terminal's size.

        Of the answer the last lines are drawn, as far as there is room; it may take half of the threads' room.
        """
        room = max(1, console.height - LINES_UNDER_TABLE)
        below = bool(self._answer or self._withdrawn)
        shown, left = self._choose_rows(max(1, room // 2) if below else room)
        if shown:
            yield _table(shown, options.max_width)
        if left:
            yield Text(f"… and {left} more threads", style="dim")
        now = self._standing.stage or self._standing.count or "Starting"
        self._spinner.update(text=Text(f" {now} · {time.monotonic() - self._started:.0f} s"))
        yield self._spinner
        room -= len(shown)
        if self._thought and not self._answer and room > 0:
            room -= 1
            yield Text(f"thinking … {self._thought:,} characters so far", "dim", no_wrap=True, overflow="ellipsis")
        if self.can_stop and room > 0 and (told := self._say_how_to_stop()):
            room -= 1
            told.truncate(options.max_width, overflow="ellipsis")
            yield told
        if self._withdrawn and room > 0:
            room -= 1
            told = Text(f"The answer is withdrawn: {one_line(mark_controls(self._withdrawn))}", style="yellow")
            told.truncate(options.max_width, overflow="ellipsis")
            yield told
        if self._answer and room > 0:
            yield from _last_lines(self._answer, console, options.max_width, room)

    def _say_how_to_stop(self) -> Text | None:
        parts = [part for part in (mark_controls(self._heard), how_to_stop(self._standing.threads)) if part]
        return Text(" · ".join(parts), "dim") if parts else None

    def _choose_rows(self, most: int) -> tuple[list[tuple[str, Mapping[str, Any]]], int]:
        """Return as many threads as there is room for, those at work before the rest, and how many are left out."""
        threads = self._standing.threads
        first = sorted(threads, key=lambda id: _ORDER.get(str(threads[id]["status"]), len(_ORDER)))[:most]
        return [(id, event) for id, event in threads.items() if id in first], len(threads) - len(first)


def _table(threads: Sequence[tuple[str, Mapping[str, Any]]], width: int) -> Table:
    """Write a line a thread; where there is too little room, the question gives way, then the tokens."""
    labels = [_label(event) for _, event in threads]
    tokens = [f"{event['tokens']:,} tokens" if event["tokens"] else "" for _, event in threads]
    room = width - max(len(id) for id, _ in threads) - max(map(cell_len, labels)) - 2 * GAP_COLUMNS
    beside = max(map(len, tokens)) + GAP_COLUMNS
    with_tokens = room - beside >= MIN_QUESTION_COLUMNS
    room -= beside if with_tokens else 0
    table = Table.grid(padding=(0, GAP_COLUMNS))
    for (id, event), label, used in zip(threads, labels, tokens, strict=True):
        question = Text(one_line(mark_controls(event["subquestion"])))
        question.truncate(max(0, room), overflow="ellipsis", pad=with_tokens)
        style = _STYLES.get(str(event["status"]), "")
        table.add_row(
            id, Text(label, style=style), question, *([Text(used, "dim", justify="right")] if with_tokens else [])
        )
    return table


def _last_lines(text: str, console: Console, width: int, most: int) -> Sequence[Text]:
    """Wrap the end of a text into at most so many lines."""
    end = "\n".join(text[-MAX_ANSWER_CHARACTERS:].split("\n")[-most:])
    return Text(mark_controls(end)).wrap(console, width)[-most:]


def _standing(event: Mapping[str, Any]) -> str:
    return words(str(event["status"]), event.get("stopped", ""))


def _label(event: Mapping[str, Any]) -> str:
    return _standing(event) + (f" (round {event['round'] + 1})" if event["round"] else "")


@contextmanager
def display() -> Iterator[Display]:
    """Open the display that fits: a table on a terminal, else plain lines."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    table = Board()

    def hear(line: str) -> None:
        # The terminal has gone to the next line; the table is drawn from the one before.
        console.control(Control.move(y=-1))
        table.hear(line)

    with Live(table, console=console, refresh_per_second=8, transient=True), hear_lines(hear) as table.can_stop:
        yield table
