"""One question with what a right run of it shows, and the half of the data that it belongs to."""

from hashlib import sha256
from typing import Literal

from pydantic import Field

from nodes.planning.outline import AnswerForm
from nodes.shared.record import Record
from nodes.state import Document

Half = Literal["tuning", "held-out"]
HALVES: tuple[Half, Half] = ("tuning", "held-out")


class GivenResult(Record):
    """A recorded thread result, for the reviewer."""

    id: str
    subquestion: str
    result: str


class KnownPart(Record):
    """A part of a question as the data have it."""

    question: str
    needs: list[int] = Field(default_factory=list)
    """Numbers, from 1, of the parts whose answers it needs."""


class Item(Record):
    """One question with what a right run of it shows."""

    id: str
    dataset: str
    question: str
    documents: list[Document] = Field(default_factory=list)
    answers: list[list[str]] = Field(default_factory=list)
    """For each part the answers that count as right; empty where only structure is scored."""
    match: Literal["stated", "concluded", "in turn", "mention", "last", "fault"] = "stated"
    """How an answer is found: see `evals.score`."""
    parallel: bool | None = None
    """Whether the question has independent parts; `None` where nobody says."""
    threads: int | None = None
    """How many, where known."""
    asks: str = ""
    """What kind of request it is, in the word of an outline, where that does not follow from the rest."""
    form: AnswerForm = "text"
    """Whether the results of its parts in turn are the answer."""
    steps: list[str] = Field(default_factory=list)
    """Its subquestions; one that needs the answer of another says #1, #2, …"""
    parts: list[KnownPart] = Field(default_factory=list)
    """The same with what each needs, where the gate and the plan are compared with it."""
    words: int | None = None
    """Words asked for, where a text of some length is."""
    needed: list[str] = Field(default_factory=list)
    """Ids of the documents that the answer needs."""
    results: list[GivenResult] = Field(default_factory=list)
    wrong: list[str] = Field(default_factory=list)
    """Ids of the results in which an error was planted."""
    critiques: dict[str, str] = Field(default_factory=dict)
    """What is wrong with each of these."""
    contradictions: list[list[str]] = Field(default_factory=list)
    """Pairs of results between which a contradiction was planted."""


def half_of(item: Item) -> Half:
    """Tell which half an item is in."""
    return half_of_id(item.id)


def half_of_id(id: str) -> Half:
    """Tell which half an item with an id is in; it depends on nothing else."""
    return "tuning" if sha256(f"split:{id}".encode()).digest()[-1] % 2 else "held-out"
