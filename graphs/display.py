"""What `apr` shows on standard error while a run goes on, from the run's own custom stream."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

STAGES = {
    "assess": "Looking for independent parts",
    "decompose": "Planning the threads",
    "direct": "Answering in one call",
    "review": "Reviewing the results",
    "refine": "Splitting large threads again",
    "baseline": "Asking once more in one call, to compare",
}
_STYLES = {
    "queued": "dim",
    "running": "cyan",
    "answered": "green",
    "failed": "red",
    "timed_out": "red",
    "refuted": "yellow",
}
_ENDED = ("answered", "failed", "timed_out", "refuted")


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
        statuses = Counter(str(event["status"]) for event in self.threads.values())
        done = sum(statuses[status] for status in _ENDED)
        total = max(int(event["n_total"]) for event in self.threads.values())
        parts = ", ".join(f"{statuses[status]} {_words(status)}" for status in _ENDED if statuses[status])
        return f"{done}/{total} finished" + (f" ({parts})" if parts else "")


def _words(status: str) -> str:
    return status.replace("_", " ")


class Display(Protocol):
    """Shows events as they come."""

    def show(self, event: Mapping[str, Any]) -> None:
        """Show one event of the custom stream."""


class Lines:
    """Plain lines, for pipes and logs."""

    def __init__(self) -> None:
        self._standing = Standing()

    def show(self, event: Mapping[str, Any]) -> None:
        """Print a line for a stage that begins and for a thread that starts or ends."""
        self._standing.take(event)
        if "thread_id" not in event:
            self._print(f"{self._standing.stage} …")
        elif event["status"] in _ENDED:
            self._print(f"{event['thread_id']} {_words(event['status'])}: {self._standing.count}")
        elif event["status"] == "running":
            self._print(f"{event['thread_id']} running: {_one_line(event['subquestion'])}")

    def _print(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class Board:
    """A table that is kept up to date, for a terminal."""

    def __init__(self) -> None:
        self._standing = Standing()
        self._spinner = Spinner("dots")
        self._started = time.monotonic()

    def show(self, event: Mapping[str, Any]) -> None:
        """Take in an event; the next refresh draws it."""
        self._standing.take(event)

    def __rich__(self) -> RenderableType:
        """Draw the threads and what the run is at."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(justify="right", no_wrap=True)
        for id, event in self._standing.threads.items():
            status = str(event["status"])
            again = f" (round {event['round'] + 1})" if event["round"] else ""
            tokens = f"{event['tokens']:,} tokens" if event["tokens"] else ""
            label = Text(_words(status) + again, style=_STYLES.get(status, ""))
            table.add_row(id, label, Text(_one_line(event["subquestion"])), Text(tokens, style="dim"))
        now = self._standing.stage or self._standing.count or "Starting"
        self._spinner.update(text=Text(f" {now} · {time.monotonic() - self._started:.0f} s"))
        return Group(table, self._spinner) if self._standing.threads else self._spinner


def _one_line(text: str) -> str:
    return " ".join(text.split())


@contextmanager
def display() -> Iterator[Display]:
    """Open the display that fits: a table on a terminal, else plain lines."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    table = Board()
    with Live(table, console=console, refresh_per_second=8, transient=True):
        yield table
