"""Tests marked `quiet` run while no other process of the same run is at a test: they measure time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait for a turn, alone or beside others that are not.

    Args:
        folder: One that all processes of the run share.
        alone: Whether nobody else may have one meanwhile.
    """
    with open(folder / "door", "w") as door, open(folder / "room", "w") as room:
        # Who waits to be alone holds the door, so that those in the room are followed by nobody.
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
