"""What a file's bytes say, whichever Unicode encoding they are in (pure)."""

import codecs

_MARKS = (
    # The longer ones first: that of UTF-32 begins like that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
"""Byte order marks, and how what follows them is read."""


def decode_text(content: bytes, what: str) -> str:
    """Read a text.

    Args:
        content: Its bytes, in UTF-8 or under a byte order mark.
        what: What it is called if it cannot be read.

    Raises:
        ValueError: It is none.
    """
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    name = encoding.removesuffix("-sig").upper()
    binary = f"{what} is a binary file; only text can be handed over"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        problem = f"{what} is not {name} text ({error.reason} at byte {error.start}); convert it first"
        raise ValueError(binary if b"\0" in content else problem) from None
    if "\0" in text:
        raise ValueError(binary)
    return text
