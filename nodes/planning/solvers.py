"""Which solver a part wants, in the model's word: asked for where the setting `solver` is `auto` only (pure)."""

from collections.abc import Iterable

from pydantic import ConfigDict, Field

from nodes.planning.outline import Outline
from nodes.planning.plan import ThreadSpec
from nodes.settings import Settings
from nodes.shared.knobs.solvers import SolverName

HARDER: tuple[SolverName, ...] = ("chain", "vote", "tree")
"""From the cheapest to the dearest."""


class OutlineOfSolvers(Outline):
    """An outline that also says how each part is worked out. It goes by the same name over the wire."""

    model_config = ConfigDict(title="Outline")

    solvers: list[SolverName] = Field(
        default_factory=list,
        description="One word for each part in turn, or one for the whole request where there are no parts: `chain`, "
        "one attempt, for what is looked up or plain; `vote`, several attempts, for a calculation that easily goes "
        "wrong; `tree`, a search, for a puzzle with many dead ends.",
    )


def hardest(solvers: Iterable[SolverName]) -> SolverName:
    """Return the dearest of several solvers: what is worked out together gets what its hardest part wants."""
    return max(solvers, key=HARDER.index, default="chain")


def choose_solver(spec: ThreadSpec, settings: Settings) -> SolverName:
    """Return the solver of a thread; `auto` takes the word of the outline, and a chain where there is none."""
    return hardest(part.solver for part in spec.parts) if settings.solver == "auto" else settings.solver
