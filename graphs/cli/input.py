"""What `apr` reads: files and standard input."""

import codecs
import sys
from pathlib import Path

from graphs.cli.report import refuse

_MARKS = (
    # The longer ones first: that of UTF-32 begins like that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
"""Byte order marks, and how what follows them is read."""


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
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    name = encoding.removesuffix("-sig").upper()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if b"\0" in content:
            refuse(f"{what} is a binary file; only text can be handed over")
        refuse(f"{what} is not {name} text ({error.reason} at byte {error.start}); convert it first")
    if "\0" in text:
        refuse(f"{what} is a binary file; only text can be handed over")
    return text
