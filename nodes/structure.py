"""Whether a question has independent parts, from its structure rather than from a bare yes or no (pure).

A subquestion that needs another's answer refers to it as `#1`, `#2`, … (the notation of QDMR: T. Wolfson et al.,
"Break It Down: A Question Understanding Benchmark", TACL 8, 2020). Those that refer to none can be answered at the
same time.
"""

import re

from nodes.segments import is_question, list_items, sentences

FACTS = 2
"""Sentences with figures that make a question a story."""
_REFERENCE = re.compile(r"#\s?(\d{1,3})")
# How `assess@3` has the reason written.
_FORM = re.compile(r"Named: (?P<named>.*?)\.? To find first: (?P<first>.*?)\.?", re.IGNORECASE)
# What asks for one figure, in English; in other languages the model's word stands.
_FIGURE = re.compile(
    r"\bhow (?:many|much|old|long|far|tall|high|fast|heavy|big|large|often)\b"
    r"|\b(?:what|which|calculate|find)\b.*\b(?:amount|average|cost|difference|distance|number|percent|percentage|price"
    r"|probability|profit|ratio|sum|total|value)\b",
    re.IGNORECASE | re.DOTALL,
)

# What is written in one go, in English: a text with one voice, a program whose parts must fit. Reports, essays and
# comparisons can be written by parts.
_A_PIECE = (
    r"an? (?:[\w'’-]+ ){0,6}?(?:e-?mail|letter|message|note|poem|haiku|limerick|song|story|tale|joke|speech|dialogue"
    r"|slogan|post|review|program|function|method|class|script|query|regex|regular expression|data structure"
    r"|algorithm)\b"
)
_PIECES = re.compile(rf"\b{_A_PIECE}", re.IGNORECASE)
_MAKING = re.compile(
    rf"(?:please )?(?:write|compose|draft|create|implement|code)(?: me| us)? {_A_PIECE}", re.IGNORECASE
)
_EACH = re.compile(r"\beach\b", re.IGNORECASE)
STORY = "Not split: facts are told, and one figure is asked for, which leans on all of them."
PIECE = "Not split: one piece is to be written, whose parts must fit together."


def independent(subquestions: list[str]) -> list[str]:
    """List the subquestions that need no other's answer, each once."""
    return list(dict.fromkeys(part.strip() for part in subquestions if part.strip() and not _REFERENCE.search(part)))


def is_chain(subquestions: list[str]) -> bool:
    """Tell whether each subquestion but the first needs an earlier one's answer: nothing runs at the same time."""
    needs = [[int(number) for number in _REFERENCE.findall(part)] for part in subquestions]
    # A reference to itself or to a later one is a slip of the pen and says nothing about the structure.
    sound = all(0 < number <= place for place, numbers in enumerate(needs) for number in numbers)
    return len(needs) >= 2 and sound and all(needs[1:])


def names_all(reason: str) -> bool:
    """Tell whether a reason says that several things are named and none must be found first."""
    said = _FORM.fullmatch(reason.strip())
    return said is not None and said["first"].lower() == "nothing" and ";" in said["named"]


def is_story(question: str) -> bool:
    """Tell whether a question tells facts with figures and asks for one more, as word problems do.

    Its steps lean on each other even where each of them reads like a question of its own.
    """
    if list_items(question) > 1:
        return False
    told = sentences(question)
    asking = [sentence for sentence in told if is_question(sentence)]
    facts = [sentence for sentence in told if re.search(r"\d", sentence)]
    return len(asking) == 1 < len(told) and len(facts) >= FACTS and bool(_FIGURE.search(asking[0]))


def is_piece(question: str) -> bool:
    """Tell whether a question asks, in one sentence, for one short text or program to be written.

    A model that lists its parts (a subject line, a body) splits what has to come from one hand.
    """
    told = sentences(question)
    one = len(told) == 1 and not is_question(told[0]) and not _EACH.search(question)
    return one and bool(_MAKING.match(told[0].strip())) and len(_PIECES.findall(question)) == 1


def one_whole(question: str) -> str:
    """Say why a question is one whole whatever its steps look like; nothing where its wording does not tell."""
    if is_story(question):
        return STORY
    return PIECE if is_piece(question) else ""


def splits(subquestions: list[str], *, wanted: bool, reason: str, question: str, documents: bool) -> bool:
    """Decide whether a question is split.

    Args:
        subquestions: Its steps, as the model lists them.
        wanted: The model's own word.
        reason: The model's reason.
        question: What is asked.
        documents: Whether there are documents; then the question need not hold all facts.
    """
    if not documents and one_whole(question):
        return False
    if len(subquestions) <= 1 and names_all(reason):
        return True  # it lists the question over again
    return wanted and len(set(subquestions)) != 1 and not is_chain(subquestions)
