"""What the planner is asked first: the parts of the question (pure)."""

from langchain_core.messages import BaseMessage

from nodes.input.excerpts import by_number
from nodes.planning.outline import Outline
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import Problem
from prompts import PROMPTS

OUTLINE = Stage("assess", PROMPTS["assess"].check({"segments"}, Outline), "assess")


def messages(problem: Problem, settings: Settings) -> list[BaseMessage]:
    """Ask for the outline."""
    return OUTLINE.prompt(settings).messages(segments=by_number(problem.segments()))
