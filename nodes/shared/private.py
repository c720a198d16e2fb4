"""Files that are their owner's alone: runs and results hold questions, documents and answers."""

import os
from contextlib import suppress
from pathlib import Path

from nodes.shared.environment import PACKAGE

OWNERS = 0o700
"""What is left of a file's mode."""


def make_private(path: Path) -> None:
    """Make a file, and its folder, if they are not there; nobody but the owner may read the file.

    Raises:
        OSError: It cannot be made.
    """
    make_private_folder(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    # What SQLite lays beside a file gets the file's mode.
    for one in (path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))):
        _close(one)


def make_private_folder(folder: Path) -> None:
    """Make a folder that nobody but the owner may open; one that is there is shut if it is all ours.

    Raises:
        OSError: It cannot be made.
    """
    folder.mkdir(mode=OWNERS, parents=True, exist_ok=True)
    if folder.name == PACKAGE:
        _close(folder)


def _close(path: Path) -> None:
    # Somebody else's, or not there: theirs to shut.
    with suppress(OSError):
        path.chmod(path.stat().st_mode & OWNERS)
