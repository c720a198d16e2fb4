"""What the planner is asked first: the parts of the question (pure)."""

from langchain_core.messages import BaseMessage

from nodes.input.excerpts import by_number
from nodes.planning.outline import Outline
from nodes.planning.solvers import OutlineOfSolvers
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import Problem
from nodes.tools.toolbox import HELPERS, NO_TOOLS, Toolbox
from prompts import PROMPTS, block

OUTLINE = Stage("assess", PROMPTS["assess"].check({"segments"}, Outline), "assess")


def messages(problem: Problem, settings: Settings, tools: Toolbox = NO_TOOLS) -> list[BaseMessage]:
    """Ask for the outline; for the solvers of its parts only where the setting leaves them to the model.

    Args:
        problem: What is asked.
        settings: The run's settings.
        tools: What helpers may call.
    """
    segments = block(HELPERS, tools.purposes) + by_number(problem.segments())
    if settings.solver == "auto":
        # Servers hold replies to a schema without showing it to the model, so its words are said.
        segments += f"\n\n`solvers`: {OutlineOfSolvers.model_fields['solvers'].description}"
    return OUTLINE.prompt(settings).messages(segments=segments)


def shape(settings: Settings) -> type[Outline]:
    """Return what the outline must fit."""
    return OutlineOfSolvers if settings.solver == "auto" else Outline
