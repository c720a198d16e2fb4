"""What a person types in the terminal while a run goes on: a line stops one of its threads."""

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nodes.planning.plan import THREAD_NUMBER
from nodes.threads.stopping import stop_thread

MAX_LINE_BYTES = 4_096
"""Bytes of a line; a terminal gives no more at once."""
_STOP = re.compile(rf"s\s*T?({THREAD_NUMBER})", re.IGNORECASE)


def how_to_stop(threads: Mapping[str, Mapping[str, Any]]) -> str:
    """Say what to type to stop the first thread at work; empty where none is."""
    at_work = [id for id, event in threads.items() if event["status"] in ("running", "queued")]
    first = next((id for id in at_work if threads[id]["status"] == "running"), next(iter(at_work), ""))
    return f"s {first[1:]} ⏎ stops {first}" if first else ""


def obey(line: str, threads: Mapping[str, Mapping[str, Any]]) -> str:
    """Do what a line says, and say what came of it.

    Args:
        line: What was typed, such as `s 2`.
        threads: The last event of each thread, by id.
    """
    if not (found := _STOP.fullmatch(line.strip())):
        return f"`{line.strip()}` is no command" if line.strip() else ""
    id = f"T{found[1]}"
    event = threads.get(id)
    return f"{id} stops" if event and stop_thread(event["run_id"], id) else f"{id} is not at work"


@contextmanager
def hear_lines(take: Callable[[str], None]) -> Iterator[bool]:
    """Hand over each line that is typed while the block runs; yields whether there is somebody who can type.

    The terminal stays as it is, so that nothing is to be restored, however the block ends.
    """
    terminal, loop = _find_terminal(), asyncio.get_running_loop()
    if terminal is None:
        yield False
        return

    def read() -> None:
        try:
            # Who reads from behind the shell is halted by the terminal.
            line = os.read(terminal, MAX_LINE_BYTES) if _in_front(terminal) else b""
        except OSError:  # the terminal has gone
            line = b""
        if not line:
            loop.remove_reader(terminal)
        for typed in line.decode(errors="replace").splitlines():
            take(typed)

    loop.add_reader(terminal, read)
    try:
        yield True
    finally:
        loop.remove_reader(terminal)


def _find_terminal() -> int | None:
    """Return the descriptor of standard input, if it is a terminal that a loop can watch and we may read."""
    if sys.platform == "win32" or sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return None
    terminal = sys.stdin.fileno()
    return terminal if _in_front(terminal) else None


def _in_front(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # not the terminal that rules over us
        return True
