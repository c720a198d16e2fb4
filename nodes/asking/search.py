"""What a search through a tree of steps asks: next steps, ratings of steps, lessons of failures (pure)."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage
from pydantic import Field

from nodes.asking.thread import KNOWN, values
from nodes.settings import Settings
from nodes.shared.record import Record
from nodes.stage import Stage
from nodes.state import ThreadTask
from nodes.threads.solving import TreeNode
from prompts import PROMPTS, block

SEARCH = Stage("solve", PROMPTS["search"].check(KNOWN | {"lessons", "now", "steps"}), "solve")
FULL_SCORE = 10
"""The score of what is certainly right."""


class Step(Record):
    """The next step, and the result where it reaches one."""

    step: str = Field(description="One short piece of work.")
    result: str = Field("", description="The bare answer, if this step reaches it; else empty.")


class Rating(Record):
    """How good candidates are."""

    scores: list[int] = Field(description="A score from 0 to 10 for each candidate in turn.")


class Lesson(Record):
    """What went wrong."""

    lesson: str = Field(description="One sentence: what went wrong, and what to try instead.")


def ask_step(
    task: ThreadTask, settings: Settings, steps: Sequence[TreeNode], lessons: Sequence[str], *, last: bool
) -> list[BaseMessage]:
    """Ask for the step after some steps; for the `last` one, which must bring the result."""
    return _messages(task, settings, _write_steps(steps), lessons, "last step" if last else "step")


def ask_rating(
    task: ThreadTask,
    settings: Settings,
    steps: Sequence[TreeNode],
    candidates: Sequence[TreeNode],
    lessons: Sequence[str],
) -> list[BaseMessage]:
    """Ask how good candidates for the step after some steps are."""
    told = _write_steps(steps) + block("Candidates", _number_steps(candidates))
    return _messages(task, settings, told, lessons, "rate")


def ask_lesson(
    task: ThreadTask, settings: Settings, steps: Sequence[TreeNode], lessons: Sequence[str], why: str
) -> list[BaseMessage]:
    """Ask what is to be learnt from steps that failed, and `why`, where that is known."""
    return _messages(task, settings, _write_steps(steps) + block("Found wrong", why), lessons, "lesson")


def _messages(task: ThreadTask, settings: Settings, steps: str, lessons: Sequence[str], now: str) -> list[BaseMessage]:
    learnt = block("Lessons of attempts that failed", "\n".join(f"- {lesson}" for lesson in lessons))
    return SEARCH.prompt(settings).messages(**values(task), lessons=learnt, steps=steps, now=now)


def _write_steps(steps: Sequence[TreeNode]) -> str:
    return block("Steps so far", _number_steps(steps))


def _number_steps(steps: Sequence[TreeNode]) -> str:
    return "\n".join(
        f"{number}. {step.text}" + (f"\n   Result: {step.answer}" if step.answer else "")
        for number, step in enumerate(steps, 1)
    )
