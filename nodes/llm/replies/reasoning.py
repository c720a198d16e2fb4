"""A model's thoughts, apart from its answer (pure)."""

import re

from nodes.llm.replies.fences import FENCE, Fences
from nodes.shared.cleaning import INVISIBLE

TAGS: tuple[tuple[str, str], ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<antThinking>", "</antThinking>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<unused94>", "<unused95>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)
"""What models put around their thoughts."""
TAG_SIGNS = frozenset(start[0] for start, _ in TAGS)
"""What a tag begins with: looking for that is quick."""
_OPENING = {start.casefold(): number for number, (start, _) in enumerate(TAGS)}
_CLOSING = {end.casefold(): number for number, (_, end) in enumerate(TAGS)}
_SIGNS = re.compile(
    # The case of other letters than ASCII's is left alone: a tag with a dotted capital I is none.
    rf"{FENCE}|(?P<tag>(?ai:{'|'.join(re.escape(tag) for pair in TAGS for tag in pair)}))",
    re.MULTILINE,
)
_LINE_ENDS = re.compile(r"[ \t\r]*(?:\n|\Z)")
_CHANNEL = re.compile(r"(?:<\|start\|>\w*)?<\|channel\|>(\w+)[^<\n]*<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call)\|>\s*\Z")
_ANSWER_CHANNEL = "final"


def split_reasoning(text: str) -> tuple[str, str]:
    """Part a model's thoughts from its answer.

    A tag counts at the start of the text or on a line of its own outside code, so that an answer may speak of it.
    Thoughts that were never opened (some chat templates open them for the model) or never closed (a reply cut off
    while thinking) are thoughts, too.

    Returns:
        The reasoning and the answer, both stripped.
    """
    text = text.strip().lstrip(INVISIBLE).lstrip()
    if not any(start in text for start in TAG_SIGNS):
        return "", text
    if _CHANNEL.match(text):
        thoughts, answer = _by_channel(text)
    else:
        thoughts, answer = _Parting(text).part()
    return "\n".join(part.strip() for part in thoughts if part.strip()), "".join(answer).strip()


def _by_channel(text: str) -> tuple[list[str], list[str]]:
    """Read OpenAI's harmony format, where each message names its channel."""
    heads = list(_CHANNEL.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    thoughts: list[str] = []
    answer: list[str] = []
    for head, end in zip(heads, ends, strict=True):
        said = _CHANNEL_END.sub("", text[head.end() : end])
        (answer if head[1] == _ANSWER_CHANNEL else thoughts).append(said)
    return thoughts, answer


class _Parting:
    """Goes through a text once, from tag to tag and fence to fence."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._signs = list(_SIGNS.finditer(text))
        self._fences = Fences(sign for sign in self._signs if sign["fence"])
        self._last_closing = {
            _CLOSING[sign["tag"].casefold()]: number
            for number, sign in enumerate(self._signs)
            if sign["tag"] and sign["tag"].casefold() in _CLOSING and not self._in_ticks(sign)
        }
        """By kind: where it is closed last, other than in back-ticks."""
        self._thoughts: list[str] = []
        self._answer: list[str] = []
        self._read = 0

    def part(self) -> tuple[list[str], list[str]]:
        opened = {_OPENING.get(sign["tag"].casefold()) for sign in self._signs if sign["tag"]}
        at = 0
        while at < len(self._signs):
            sign = self._signs[at]
            at += 1
            if sign["fence"]:
                self._fences.pass_line(sign)
                continue
            kind = _OPENING.get(sign["tag"].casefold())
            alone = self._starts_line(sign) and _LINE_ENDS.match(self._text, sign.end()) and not self._fences.inside
            if kind is not None and (alone or sign.start() == 0):
                at = self._skip(at, kind)
            elif kind is None and (alone or self._closes_unopened(sign, opened)):
                # Nothing opened it: all so far was thought.
                self._thoughts.append("".join([*self._answer, self._text[self._read : sign.start()]]))
                self._answer, self._read = [], sign.end()
                self._fences.leave()
        self._answer.append(self._text[self._read :])
        return self._thoughts, self._answer

    def _skip(self, at: int, kind: int) -> int:
        """Skip the thoughts that the sign before `at` opens; returns the sign to go on with.

        Thoughts may hold thoughts; where one of them is only spoken of, the last tag that closes any ends them.
        """
        opening = self._signs[at - 1]
        depth, close = 1, None
        # Thoughts may speak of a tag in back-ticks, unless no other closes them.
        quoted = at <= self._last_closing.get(kind, -1)
        for number in range(at, len(self._signs)):
            if quoted and self._in_ticks(self._signs[number]):
                continue
            tag = (self._signs[number]["tag"] or "").casefold()
            if _OPENING.get(tag) == kind:
                depth += 1
            elif _CLOSING.get(tag) == kind:
                depth, close = depth - 1, number
                if not depth:
                    break
        closing = None if close is None else self._signs[close]
        self._answer.append(self._text[self._read : opening.start()])
        self._thoughts.append(self._text[opening.end() : closing.start() if closing else len(self._text)])
        self._read = closing.end() if closing else len(self._text)
        self._fences.leave()
        return len(self._signs) if close is None else close + 1

    def _closes_unopened(self, sign: re.Match[str], opened: set[int | None]) -> bool:
        """Whether a tag that starts a line, in a text that opens none of its kind, closes what a template opened."""
        kind = _CLOSING[sign["tag"].casefold()]
        return kind not in opened and self._starts_line(sign) and not self._fences.inside

    def _in_ticks(self, sign: re.Match[str]) -> bool:
        return self._text[sign.start() - 1 : sign.start()] == self._text[sign.end() : sign.end() + 1] == "`"

    def _starts_line(self, sign: re.Match[str]) -> bool:
        before = self._text[max(0, sign.start() - 4) : sign.start()]
        return not before.rpartition("\n")[2].strip(" ") and (len(before) < 4 or "\n" in before)
