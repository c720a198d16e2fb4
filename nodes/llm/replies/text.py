"""A model's text: its short result, shortened (pure)."""

import re

from nodes.llm.replies.fences import outside_code

# One class and no nested repeats before the word: a ruler of dashes must not cost exponential time.
_RESULT = re.compile(
    r"^[ \t#>*_-]*?(?P<mark>\*{1,3}|_{1,3})?(?:final[ \t]+)?result[ \t]*"
    r"(?:(?P<closed>(?P=mark))[ \t]*[:：]|[:：](?P<closed_after>(?P=mark))?)",
    re.IGNORECASE | re.MULTILINE,
)


def short_result(text: str) -> str:
    """Return what a thread concluded: what follows its last `Result:` outside code, else the whole text."""
    return marked_result(text) or text.strip()


def marked_result(text: str) -> str:
    """Return what follows the last `Result:` outside code; nothing where there is none."""
    *_, marker = [None, *outside_code(_RESULT.finditer(text), text)]
    if marker is None:
        return ""
    result, mark = text[marker.end() :].strip(), marker["mark"]
    if mark and not (marker["closed"] or marker["closed_after"]):
        # As in `**Result: 42**`: what closes the emphasis is not part of the result.
        result = result.replace(mark, "", 1).strip()
    return result


def shorten(text: str, limit: int) -> str:
    """Cut `text` in its middle to about `limit` characters: how it starts and ends says most."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]}\n[… {len(text) - head - tail:,} characters left out …]\n{text[len(text) - tail :]}"
