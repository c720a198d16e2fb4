"""What the planner is asked where a thread's context was too much: the thread in smaller ones (pure)."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from nodes.input.excerpts import overview
from nodes.input.segments import Segment
from nodes.planning.outline import Plan
from nodes.planning.plan import ThreadSpec
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.threads.context_rot import MARK_WORDS
from nodes.threads.results import Mark
from prompts import PROMPTS, block

SPLIT = Stage("decompose", PROMPTS["refine"].check({"limit", "reason", "segments", "subquestion"}, Plan), "solve")


def messages(
    settings: Settings, spec: ThreadSpec, segments: Sequence[Segment], marks: Sequence[Mark], limit: int
) -> list[BaseMessage]:
    """Ask for smaller threads in place of one.

    Args:
        settings: The run's settings.
        spec: The thread.
        segments: What it reads.
        marks: The signs that its context was too much.
        limit: How many threads there may be in its place.
    """
    return SPLIT.prompt(settings).messages(
        segments=block("Segments", overview(list(segments))),
        subquestion=spec.subquestion,
        reason="; ".join(MARK_WORDS[mark] for mark in marks),
        limit=str(limit),
    )
