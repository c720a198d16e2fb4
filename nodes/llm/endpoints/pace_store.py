"""What endpoints have shown, kept for later processes in a small file beside the runs.

Several processes write at once: each adds what its calls have shown to what stands there, under a lock. Nothing here
can fail a run: what cannot be read or written costs a warning, once.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from nodes.llm.endpoints.pace import Amount, Pace, Shown
from nodes.shared.environment import endpoints_folder

PACE_FILE = "pace-1.json"
"""The number is the version of what it holds; a file of another one is not read."""
MAX_ENDPOINTS = 200
"""Those that were asked last stay."""
LOCK_TIMEOUT_S = 2.0
"""Seconds to wait for other processes, each of which holds the file for milliseconds."""

_log = logging.getLogger(__name__)
_warned: set[Path] = set()


@dataclass
class _Entry:
    at: Amount
    """Seconds since the epoch at which it was last added to."""
    pace: Pace


_ENTRIES = TypeAdapter(dict[str, _Entry])


def find_pace(endpoint: str) -> Pace | None:
    """Return what an endpoint has shown so far; `None` where nothing is known of it."""
    folder = endpoints_folder()
    if folder is None:
        return None
    try:
        entry = _read(folder / PACE_FILE).get(endpoint)
    except OSError as error:
        _warn(folder, error)
        return None
    return entry.pace if entry else None


def add_to_pace(endpoint: str, shown: Sequence[Shown]) -> Pace | None:
    """Add what calls have shown; return all that is known then, `None` where it cannot be kept."""

    def change(pace: Pace) -> Pace:
        for one in shown:
            pace.take(one)
        return pace

    return _change(endpoint, change)


def find_or_measure(endpoint: str, measure: Callable[[], Pace]) -> None:
    """Have an endpoint measured, unless something is known of it, another process is at it, or it cannot be kept."""
    folder = endpoints_folder()
    if folder is None:
        return
    try:
        with _lock(folder, "measuring.lock", patience=0):
            if _read(folder / PACE_FILE).get(endpoint) is None:
                measured = measure()
                _change(endpoint, lambda _: measured)
    except Timeout:
        return
    except (OSError, RuntimeError) as error:
        _warn(folder, error)


def _change(endpoint: str, change: Callable[[Pace], Pace]) -> Pace | None:
    folder = endpoints_folder()
    if folder is None:
        return None
    try:
        with _lock(folder, "pace.lock", patience=LOCK_TIMEOUT_S):
            entries = _read(folder / PACE_FILE)
            known = entries[endpoint].pace if endpoint in entries else Pace()
            entry = entries[endpoint] = _Entry(time.time(), change(known))
            _write(folder / PACE_FILE, entries)
    # Where a file system knows no locks, filelock raises a RuntimeError.
    except (OSError, RuntimeError) as error:
        _warn(folder, error)
        return None
    return entry.pace


def _lock(folder: Path, name: str, *, patience: float) -> AbstractContextManager[object]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return FileLock(folder / name, mode=0o600).acquire(patience, poll_interval=0.005)


def _read(path: Path) -> dict[str, _Entry]:
    try:
        return _ENTRIES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError:
        _warn(path, "it is damaged; it is begun anew")
        return {}


def _write(path: Path, entries: dict[str, _Entry]) -> None:
    """Replace the file in one step; the lock is held."""
    last = sorted(entries, key=lambda endpoint: entries[endpoint].at)[-MAX_ENDPOINTS:]
    content = _ENTRIES.dump_json({endpoint: entries[endpoint] for endpoint in last})
    unfinished = path.with_suffix(".writing")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    os.replace(unfinished, path)


def _warn(where: Path, why: object) -> None:
    if where not in _warned:
        _warned.add(where)
        _log.warning("what endpoints have shown cannot be kept in %s: %s", where, why)
