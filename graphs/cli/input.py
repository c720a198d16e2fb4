"""What `apr` reads: files and standard input."""

import sys
from pathlib import Path

from graphs.cli.report import refuse
from nodes.input.decoding import decode_text


def read_standard_input() -> str:
    """Read the question, or say what is wrong with it and leave."""
    return _text(sys.stdin.buffer.read(), "QUESTION: standard input").strip()


def read_file(path: Path) -> str:
    """Read a document, or say what is wrong with it and leave."""
    if path.is_dir():
        refuse(f"--file {path}: is a folder; name its files one by one")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        refuse(f"--file {path}: no such file")
    except OSError as error:
        refuse(f"--file {path}: cannot be read: {error.strerror}")
    return _text(content, f"--file {path}:")


def _text(content: bytes, what: str) -> str:
    try:
        return decode_text(content, what)
    except ValueError as error:
        refuse(str(error))
