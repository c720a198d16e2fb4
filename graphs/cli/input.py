"""What `apr` reads: files and standard input."""

import glob
import sys
from collections.abc import Iterable
from pathlib import Path

from graphs.cli.refusal import refuse
from nodes.input.decoding import decode_text


def read_standard_input() -> str:
    """Read the question, or say what is wrong with it and leave."""
    return _text(sys.stdin.buffer.read(), "QUESTION: standard input").strip()


def read_documents(paths: Iterable[Path]) -> list[dict[str, str]]:
    """Read files, all texts of folders, and what patterns such as `src/*.py` stand for, each file once."""
    found: dict[str, str] = {}
    for path in paths:
        if path.is_dir():
            found |= _read_folder(path)
        else:
            found |= {str(file): _read_file(file) for file in _match(path)}
    return [{"id": name, "text": text} for name, text in found.items()]


def _match(path: Path) -> list[Path]:
    """List the files that a pattern stands for, where shells have left that to us; else the path itself."""
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    files = [file for name in sorted(glob.glob(str(path), recursive=True)) if (file := Path(name)).is_file()]
    return files or refuse(f"--file {path}: matches no file")


def _read_folder(folder: Path) -> dict[str, str]:
    """Read the texts in a folder and those within it; what is hidden or no text is passed over, and that is told."""
    texts, passed = dict[str, str](), 0
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
            continue
        try:
            text = decode_text(path.read_bytes(), str(path))
        except (OSError, ValueError):
            passed += 1
            continue
        if text.strip():
            texts[str(path)] = text
    if not texts:
        refuse(f"--file {folder}: there is no text in this folder")
    if passed:
        sys.stderr.write(f"apr: --file {folder}: {passed} of its files are no texts and are left out\n")
    return texts


def _read_file(path: Path) -> str:
    """Read a document, or say what is wrong with it and leave."""
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
