"""The answer in a text that is still being written, and the model's thoughts apart from it (pure)."""

import re

from nodes.llm.replies.reasoning import TAG_SIGNS, TAGS, split_reasoning
from nodes.shared.cleaning import INVISIBLE

MAX_CHARACTERS = 200_000
"""Characters of a text up to which it is read again and again while it grows."""
MAX_READINGS = 100
"""How often a text is read anew because of a tag: a text of nothing but tags must not take quadratic time."""
_TAG = re.compile(f"(?ai:{'|'.join(re.escape(tag) for pair in TAGS for tag in pair)})")
_TAGS = tuple(tag.casefold() for pair in TAGS for tag in pair)
_CHANNELS = ("<|start|>", "<|channel|>")
_LONGEST = max(map(len, _TAGS))
_END = "\0"
"""Stands for what is yet to come; no stored text holds it."""


class GrowingText:
    """A reply as far as it has come.

    Attributes:
        answer: Its answer so far, stripped. Where a tag shows that this was a thought, it gets shorter.
    """

    def __init__(self) -> None:
        self.answer = ""
        self._text = self._before = ""
        self._begins: int | None = 0
        """Where the part of the text begins that is answer as it stands, after what is `_before`; none in a thought."""
        self._thought = ""
        self._thinks_from: int | None = None
        """Where the part of the text begins that is thought as it stands, after `_thought`; none in an answer."""
        self._due = False
        """Whether a tag makes it necessary to tell thoughts and answer apart anew."""
        self._read_to = self._readings = self._end = 0

    @property
    def thought(self) -> str:
        """The thoughts between its tags so far, stripped."""
        if self._thinks_from is None:
            return self._thought
        thought = self._thought + self._text[self._thinks_from : self._end]
        # What may become the tag that closes it is held back.
        at = max(thought.rfind(sign, -_LONGEST) for sign in TAG_SIGNS)
        held = at >= 0 and any(tag.startswith(thought[at:].casefold()) for tag in _TAGS)
        return (thought[:at] if held else thought).strip()

    def take(self, piece: str) -> str:
        """Take in the next piece, and return the answer so far."""
        if len(self._text) + len(piece) > MAX_CHARACTERS or self._readings >= MAX_READINGS:
            return self.answer
        self._text += piece
        self._due = self._due or self._ends_tag(piece)
        end = self._end = self._certain_end()
        if self._due and end != self._read_to:
            self._read_anew(end)
        if self._begins is not None:
            self.answer = _plain(self._before + self._text[self._begins : end])
        return self.answer

    def _ends_tag(self, piece: str) -> bool:
        last = self._text[-(len(piece) + _LONGEST) :]
        before = len(last) - len(piece)
        return any(sign in last for sign in TAG_SIGNS) and any(tag.end() > before for tag in _TAG.finditer(last))

    def _certain_end(self) -> int:
        """Return where the line begins that may become a tag, else the end of the text."""
        start = self._text.rfind("\n") + 1
        head = _plain(self._text[start : start + 2 * _LONGEST]).casefold()
        if head and any(tag.startswith(head) for tag in _TAGS):
            return start
        # OpenAI's raw channels are told apart when all has come.
        first = _plain(self._text[: 2 * _LONGEST])
        return 0 if any(first.startswith(sign[: len(first)]) for sign in _CHANNELS if first) else len(self._text)

    def _read_anew(self, end: int) -> None:
        # What is not certain yet may hold the tag.
        self._due = end < len(self._text)
        self._read_to, self._readings = end, self._readings + 1
        thoughts, answer = split_reasoning(self._text[:end] + _END)
        goes_on = answer.endswith(_END)
        self._thought, self._thinks_from = thoughts.removesuffix(_END), None if goes_on else end
        self._before, self._begins = answer.removesuffix(_END), end if goes_on else None
        self.answer = _plain(self._before)


def _plain(text: str) -> str:
    """Leave out what is around an answer and no part of it."""
    return text.strip().lstrip(INVISIBLE).strip()
