"""Which parts are easy, in the model's word: asked for where the setting `easy_model` has a model for them (pure)."""

from pydantic import ConfigDict, Field

from nodes.planning.outline import Difficulty, Outline
from nodes.planning.plan import ThreadSpec
from nodes.planning.solvers import OutlineOfSolvers
from nodes.settings import Seat, Settings


class OutlineOfDifficulty(Outline):
    """An outline that also says which parts are easy. It goes by the same name over the wire."""

    model_config = ConfigDict(title="Outline")

    difficulty: list[Difficulty] = Field(
        default_factory=list,
        description="One word for each part in turn: `easy`, for what a small model gets right at once, such as a "
        "plain fact, or one that stands in a short text; `hard`, for everything else, and where you are not sure.",
    )


class OutlineOfBoth(OutlineOfSolvers, OutlineOfDifficulty):
    """An outline that says how each part is worked out, and which are easy."""

    model_config = ConfigDict(title="Outline")


def choose_seat(spec: ThreadSpec, settings: Settings, round: int = 0) -> Seat:
    """Say whose model works on a thread: the cheaper one on what is called easy, as long as nobody sent it back.

    Args:
        spec: The thread, or one of the parts that share it.
        settings: The run's settings.
        round: The round that it runs in; in every other than the first, something went wrong before.
    """
    easy = bool(spec.parts) and all(part.difficulty == "easy" for part in spec.parts)
    return "easy" if settings.easy_model and easy and not round else "solve"
