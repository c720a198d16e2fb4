"""What plain code mended in what a model wrote, or passed over: typed, so that it can be counted (pure)."""

from typing import Literal

from pydantic import Field

from nodes.shared.record import Record

RepairKind = Literal[
    "unknown_segment",
    "dropped",
    "merged",
    "scope",
    "shared_thread",
    "left_to_join",
    "unread",
    "degree",
    "unknown_thread",
    "unfounded_conflict",
    "stage",
    "setting",
]


class Repair(Record):
    """One thing that was mended or passed over."""

    kind: RepairKind
    """`unknown_segment` and `dropped`: what a line named is not there; `merged`: two parts asked the same; `scope`: a
    source was added; `shared_thread`: several parts share a thread; `left_to_join`: a part that needs others' results;
    `unread`: no thread reads a document; `degree`: the parallelism was set; `unknown_thread` and `unfounded_conflict`:
    words of the reviewer that fit no result; `stage`: a stage without a usable reply; `setting`: one that the model
    refuses, so that it was not sent."""
    text: str
    """In words that can be shown."""
    part: int | None = None
    thread_id: str | None = None
    segments: list[int] = Field(default_factory=list)

    def __str__(self) -> str:
        """Say it in a line."""
        return self.text


COMPLETING_KINDS = frozenset({"scope", "shared_thread", "left_to_join", "unread", "degree", "stage", "setting"})
"""Kinds that complete a plan which could be run as it was written."""


def faults(repairs: list[Repair]) -> list[Repair]:
    """List the repairs without which a plan could not have been run, or not as it was meant."""
    return [repair for repair in repairs if repair.kind not in COMPLETING_KINDS]
