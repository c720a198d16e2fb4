"""A run as a file: as a page of HTML, or as JSON."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodes.state import Solution


def find_write_problem(path: Path) -> str:
    """Say why no file can be written there; empty if one can."""
    folder = path.parent
    if path.is_dir():
        return "is a folder; name a file in it"
    if not folder.is_dir():
        return f"the folder {folder} does not exist; make it first"
    if path.exists() and not path.is_file():  # a device or a pipe, which is written where it is
        return "" if os.access(path, os.W_OK) else "cannot be written: permission denied"
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return "cannot be written: permission denied"
    return ""


def write_run(solution: "Solution", path: Path, *, beside: "Solution | None" = None) -> str:
    """Write a run to a file, whole or not at all: as JSON where its name ends so, else as a page.

    Args:
        solution: The run.
        path: The file.
        beside: Another run that the page compares it with.

    Returns:
        Why it could not be written; empty if it was.
    """
    from graphs.page.page import page

    text = solution.model_dump_json(indent=2) if path.suffix.lower() == ".json" else page(solution, beside=beside)
    # Beside the target, so that it can take its place in one step.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():  # a device or a pipe, which nothing may take the place of
            path.write_text(text, encoding="utf-8")
        else:
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        return f"cannot be written: {error.strerror}"
    sys.stderr.write(f"report: {path}\n")
    return ""
