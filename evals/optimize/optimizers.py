"""DSPy's optimisers, each within a budget of model calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dspy
from dspy.teleprompt import GEPA, BootstrapFewShotWithRandomSearch, MIPROv2

from evals.optimize.path import PATH_SHARE
from evals.optimize.program import PromptProgram

OPTIMIZERS = ("bootstrap", "mipro", "gepa")
BOOTSTRAPPED = 4
"""Examples that the model wrote itself and that were right, at most."""
PROPOSAL_TOKENS = 1_500
RIGHT = 1 - PATH_SHARE
"""Least score of a reply that may become an example: all that a right one has, however long its critical path."""

Metric = Callable[..., float]


def choose_optimizer(calls: int, scored: int) -> str:
    """Choose the optimiser that a budget suffices for.

    Examples need few trials, instructions many: MIPROv2 wants some ten full evaluations beside its proposals, GEPA some
    twenty (their own "light" budgets).
    """
    return "bootstrap" if calls < 12 * scored else "mipro" if calls < 25 * scored else "gepa"


def candidates(calls: int, scored: int) -> int:
    """Tell how many random sets of examples a budget suffices for, beside the two that always run."""
    return max(1, calls // max(1, scored) - 2)


@dataclass(frozen=True)
class Search:
    """What an optimiser has to work with.

    Attributes:
        metric: Score of a prediction, 0 to 1.
        feedback: The same with words, as GEPA takes it.
        train: What examples are taken from.
        scored: What candidates are scored on.
        calls: Model calls that it may make, roughly.
        most_examples: Most examples in the prompt.
        proposer: The model that writes instructions.
        threads: Calls at once.
        seed: Of all that is drawn by chance.
    """

    metric: Metric
    feedback: Metric
    train: Sequence[Any]
    scored: Sequence[Any]
    calls: int
    most_examples: int
    proposer: Any
    threads: int
    seed: int

    @property
    def shots(self) -> dict[str, int]:
        """How many examples a prompt may have, as DSPy calls it."""
        return {
            "max_bootstrapped_demos": min(BOOTSTRAPPED, self.most_examples),
            "max_labeled_demos": self.most_examples,
        }


def optimize(name: str, program: PromptProgram, search: Search) -> tuple[PromptProgram, dict[str, Any]]:
    """Run an optimiser.

    Args:
        name: One of `OPTIMIZERS`.
        program: The prompt as it is; it also teaches, where examples are bootstrapped.
        search: What it has to work with.

    Returns:
        The best program, and the settings that the optimiser ran with.
    """
    return {"bootstrap": _bootstrap, "mipro": _mipro, "gepa": _gepa}[name](program, search)


def _bootstrap(program: PromptProgram, search: Search) -> tuple[PromptProgram, dict[str, Any]]:
    chosen: dict[str, Any] = search.shots | {"num_candidate_programs": candidates(search.calls, len(search.scored))}
    optimizer = BootstrapFewShotWithRandomSearch(
        metric=search.metric,
        metric_threshold=RIGHT,
        num_threads=search.threads,
        max_errors=len(search.scored),
        **chosen,
    )
    best = optimizer.compile(
        program,
        teacher=program.deepcopy(),
        trainset=list(search.train),
        valset=list(search.scored),
        # Of DSPy's fixed candidates the one without examples is left out: small models ramble without any.
        restrict=range(-2, chosen["num_candidate_programs"]),
    )
    return best, chosen


def _mipro(program: PromptProgram, search: Search) -> tuple[PromptProgram, dict[str, Any]]:
    chosen = {"num_candidates": 5, "num_trials": max(2, search.calls // max(1, len(search.scored)) - 2)}
    optimizer = MIPROv2(
        metric=search.metric,
        prompt_model=search.proposer,
        task_model=search.proposer,
        auto=None,
        num_candidates=chosen["num_candidates"],
        num_threads=search.threads,
        seed=search.seed,
        metric_threshold=RIGHT,
        **search.shots,
    )
    best = optimizer.compile(
        program,
        trainset=list(search.train),
        valset=list(search.scored),
        num_trials=chosen["num_trials"],
        minibatch=False,
        program_aware_proposer=False,
        data_aware_proposer=False,
        seed=search.seed,
    )
    return best, chosen | search.shots


def _gepa(program: PromptProgram, search: Search) -> tuple[PromptProgram, dict[str, Any]]:
    chosen = {"max_metric_calls": search.calls}
    optimizer = GEPA(
        metric=search.feedback,
        reflection_lm=search.proposer,
        num_threads=search.threads,
        seed=search.seed,
        **chosen,
    )
    return optimizer.compile(program, trainset=list(search.train), valset=list(search.scored)), chosen


def make_proposer(model: str, base_url: str, key: str) -> Any:
    """Make the model that proposes instructions a DSPy one; `model` as the server calls it."""
    return dspy.LM(
        f"openai/{model}", api_base=base_url, api_key=key, cache=False, max_tokens=PROPOSAL_TOKENS, temperature=1.0
    )
