"""Reading the files that a caller names: only text files, and only under the folders that are allowed."""

import stat
from collections.abc import Sequence
from pathlib import Path

from graphs.mcp.offers import GivenFile
from nodes.input.decoding import decode_text
from nodes.state import MAX_DOCUMENTS_CHARACTERS

MAX_BYTES = 4 * MAX_DOCUMENTS_CHARACTERS
"""Of a file: a character takes four bytes at most."""


class FileRefused(ValueError):
    """A file that may not be read, or cannot be; the message says which and why."""


def read_files(files: Sequence[GivenFile], roots: Sequence[Path]) -> list[dict[str, str]]:
    """Return the files as documents.

    Args:
        files: As the caller names them; a path that is not absolute is meant from the first root.
        roots: Folders under which files may be read, resolved.

    Raises:
        FileRefused: One may not be read, or cannot be.
    """
    return [{"id": file.path, "text": _read(file.path, roots) if file.text is None else file.text} for file in files]


def _read(name: str, roots: Sequence[Path]) -> str:
    path = _allow(name, roots)
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileRefused(f"`files`: {name}: cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise FileRefused(f"`files`: {name}: has more than {MAX_BYTES:,} bytes; hand over the parts that matter")
    try:
        return decode_text(content, f"`files`: {name}")
    except ValueError as error:
        raise FileRefused(str(error)) from None


def _allow(name: str, roots: Sequence[Path]) -> Path:
    """Return where a file really lies, if it may be read: nothing is told of what lies elsewhere."""
    try:
        path = (roots[0] / name).resolve()
    except (OSError, ValueError, RuntimeError):
        raise FileRefused("`files`: a path cannot be one of a file") from None
    root = next((root for root in roots if path.is_relative_to(root)), None)
    if root is None:
        allowed = ", ".join(map(str, roots))
        raise FileRefused(
            f"`files`: {name}: lies outside of the folders that may be read ({allowed}); hand its `text` over, or "
            "start `apr mcp` with --root"
        )
    if any(part.startswith(".") for part in path.relative_to(root).parts):
        # Keys lie in such files.
        raise FileRefused(f"`files`: {name}: files and folders whose names begin with a dot are not read")
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise FileRefused(f"`files`: {name}: cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise FileRefused(f"`files`: {name}: is no file; name files one by one")
    return path
