"""What the planner is asked first: the parts of the question (pure)."""

from langchain_core.messages import BaseMessage

from nodes.input.excerpts import by_number
from nodes.planning.difficulty import OutlineOfBoth, OutlineOfDifficulty
from nodes.planning.outline import Outline
from nodes.planning.solvers import OutlineOfSolvers
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import Problem
from nodes.tools.toolbox import HELPERS, NO_TOOLS, Toolbox
from prompts import PROMPTS, block

OUTLINE = Stage("assess", PROMPTS["assess"].check({"segments"}, Outline), "assess")
LIST_OUTLINE = Stage("assess", PROMPTS["assess_list"].check({"segments"}, Outline), "assess")


def stage_of(problem: Problem) -> Stage:
    """Return the stage for a request: one in several pieces mostly names them, or is a chain that looks like a list."""
    kinds = [segment.kind for segment in problem.segments()]
    return LIST_OUTLINE if kinds.count("question") > 1 or "document" in kinds else OUTLINE


def messages(problem: Problem, settings: Settings, tools: Toolbox = NO_TOOLS) -> list[BaseMessage]:
    """Ask for the outline; for words beside its parts only where a setting needs them.

    Args:
        problem: What is asked.
        settings: The run's settings.
        tools: What helpers may call.
    """
    segments = block(HELPERS, tools.purposes) + by_number(problem.segments())
    asked = shape(settings).model_fields
    for name in [name for name in asked if name not in Outline.model_fields]:
        # Servers hold replies to a schema without showing it to the model, so its words are said.
        segments += f"\n\n`{name}`: {asked[name].description}"
    return stage_of(problem).prompt(settings).messages(segments=segments)


def shape(settings: Settings) -> type[Outline]:
    """Return what the outline must fit."""
    if settings.solver == "auto":
        return OutlineOfBoth if settings.easy_model else OutlineOfSolvers
    return OutlineOfDifficulty if settings.easy_model else Outline
