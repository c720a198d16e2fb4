"""DSPy's optimisers, each within a budget of model calls."""

from collections.abc import Callable, Sequence
from typing import Any

import dspy
from dspy.teleprompt import GEPA, BootstrapFewShotWithRandomSearch, MIPROv2

from evals.optimize.program import PromptProgram

OPTIMIZERS = ("bootstrap", "mipro", "gepa")
BOOTSTRAPPED = 4
"""Examples that the model wrote itself and that were right, at most."""
PROPOSAL_TOKENS = 1_500

Metric = Callable[..., float]


def fitting(calls: int, scored: int) -> str:
    """Choose the optimiser that a budget suffices for.

    Examples need few trials, instructions many: MIPROv2 wants some ten full evaluations beside its proposals, GEPA some
    twenty (their own "light" budgets).
    """
    return "bootstrap" if calls < 12 * scored else "mipro" if calls < 25 * scored else "gepa"


def candidates(calls: int, scored: int) -> int:
    """Tell how many random sets of examples a budget suffices for, beside the two that always run."""
    return max(1, calls // max(1, scored) - 2)


def optimised(
    name: str,
    program: PromptProgram,
    *,
    metric: Metric,
    feedback: Metric,
    train: Sequence[Any],
    scored: Sequence[Any],
    calls: int,
    most_examples: int,
    proposer: Any,
    threads: int,
    seed: int,
) -> tuple[PromptProgram, dict[str, Any]]:
    """Run an optimiser.

    Args:
        name: One of `OPTIMIZERS`.
        program: The prompt as it is; it also teaches, where examples are bootstrapped.
        metric: Score of a prediction, 0 to 1.
        feedback: The same with words, as GEPA takes it.
        train: What examples are taken from.
        scored: What candidates are scored on.
        calls: Model calls that it may make, roughly.
        most_examples: Most examples in the prompt.
        proposer: The model that writes instructions.
        threads: Calls at once.
        seed: Of all that is drawn by chance.

    Returns:
        The best program, and the settings that the optimiser ran with.
    """
    shots = {"max_bootstrapped_demos": min(BOOTSTRAPPED, most_examples), "max_labeled_demos": most_examples}
    if name == "bootstrap":
        chosen: dict[str, Any] = shots | {"num_candidate_programs": candidates(calls, len(scored))}
        search = BootstrapFewShotWithRandomSearch(
            metric=metric, metric_threshold=1.0, num_threads=threads, max_errors=len(scored), **chosen
        )
        # Of DSPy's fixed candidates the one without examples is left out: small models ramble without any.
        seeds = range(-2, chosen["num_candidate_programs"])
        best = search.compile(
            program, teacher=program.deepcopy(), trainset=list(train), valset=list(scored), restrict=seeds
        )
        return best, chosen
    if name == "mipro":
        chosen = {"num_candidates": 5, "num_trials": max(2, calls // max(1, len(scored)) - 2)}
        search = MIPROv2(
            metric=metric,
            prompt_model=proposer,
            task_model=proposer,
            auto=None,
            num_candidates=chosen["num_candidates"],
            num_threads=threads,
            seed=seed,
            metric_threshold=1.0,
            **shots,
        )
        best = search.compile(
            program,
            trainset=list(train),
            valset=list(scored),
            num_trials=chosen["num_trials"],
            minibatch=False,
            program_aware_proposer=False,
            data_aware_proposer=False,
            seed=seed,
        )
        return best, chosen | shots
    chosen = {"max_metric_calls": calls}
    search = GEPA(metric=feedback, reflection_lm=proposer, num_threads=threads, seed=seed, **chosen)
    return search.compile(program, trainset=list(train), valset=list(scored)), chosen


def proposing(model: str, base_url: str, key: str) -> Any:
    """Make the model that proposes instructions a DSPy one; `model` as the server calls it."""
    return dspy.LM(
        f"openai/{model}", api_base=base_url, api_key=key, cache=False, max_tokens=PROPOSAL_TOKENS, temperature=1.0
    )
