"""What a message holds: its text, and the files in it, in whichever form a client writes them (pure).

LangChain's content blocks, old and new, those of OpenAI's chat completions and responses, and those of chat pages.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from nodes.input.decoding import decode_text

MAX_FILE_CHARACTERS = 30_000_000
"""Characters of a file in base64; what is longer exceeds the limit of documents, whatever is in it."""
_TEXTS = ("text", "input_text", "output_text")
"""Kinds of block whose text was said."""
_FILES = ("file", "input_file", "text-plain")
"""Kinds of block that are files."""
_UNSAID = ("reasoning", "thinking", "tool_call", "tool_use", "server_tool_call", "function_call", "non_standard")
"""Kinds of block that neither ask nor answer anything."""


class File(NamedTuple):
    """A file in a message."""

    name: str
    text: str


class Content(NamedTuple):
    """What a message holds."""

    text: str
    files: list[File]
    refused: list[str]
    """Why blocks of it cannot be read, in words that can be shown."""


class _Unread(ValueError):
    """A block cannot be read."""


def read_content(content: str | Sequence[Any]) -> Content:
    """Read the content of a message."""
    blocks = [content] if isinstance(content, str) else content
    texts: list[str] = []
    files: list[File] = []
    refused: list[str] = []
    for block in blocks:
        if isinstance(block, str):
            texts.append(block)
            continue
        try:
            if isinstance(text := _read_block(block, len(files) + 1), File):
                files.append(text)
            else:
                texts.append(text)
        except _Unread as why:
            refused.append(str(why))
    return Content("\n".join(filter(None, texts)), files, refused)


def _read_block(block: Mapping[str, Any], number: int) -> str | File:
    kind = str(block.get("type", ""))
    if kind in _UNSAID:
        return ""
    if kind in _TEXTS and "source_type" not in block:
        return str(block.get("text") or "")
    if kind in _FILES or kind == "text":
        return _read_file(block, number)
    raise _Unread(f"a block of type `{kind}` cannot be read: only text and text files can, no images, audio or video")


def _read_file(block: Mapping[str, Any], number: int) -> File:
    inner = block.get("file")
    fields = {**block, **inner} if isinstance(inner, Mapping) else dict(block)
    name = _name(fields) or f"file {number}"
    if isinstance(fields.get("text"), str):
        return File(name, fields["text"])
    held = next((fields[key] for key in ("base64", "file_data", "data") if isinstance(fields.get(key), str)), None)
    if held is None:
        raise _Unread(
            f"the file `{name}` is named by an address or an id, and nothing is fetched from there: send what is in it "
            "(`text`, or `base64`)"
        )
    try:
        return File(name, decode_text(_decode(held, name), f"the file `{name}`"))
    except ValueError as error:
        raise _Unread(str(error)) from None


def _decode(held: str, name: str) -> bytes:
    if len(held) > MAX_FILE_CHARACTERS:
        raise _Unread(f"the file `{name}` has {len(held):,} characters of base64, the limit is {MAX_FILE_CHARACTERS:,}")
    if held.startswith("data:"):
        held = held.partition(",")[2]
    try:
        return base64.b64decode("".join(held.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _Unread(f"what the file `{name}` holds is no base64") from None


def _name(fields: Mapping[str, Any]) -> str:
    """Find a file's name among its fields, or those beside them."""
    places: Iterable[Any] = (fields, fields.get("extras"), fields.get("metadata"))
    named = (place.get(key) for place in places if isinstance(place, Mapping) for key in ("filename", "name", "title"))
    return next((name for name in named if isinstance(name, str) and name.strip()), "")
