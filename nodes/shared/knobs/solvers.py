"""How one thread comes to its result: in one chain, by a vote of samples, or by a search through a tree of steps."""

from typing import Literal

from pydantic import BaseModel, Field

SolverName = Literal["chain", "vote", "tree"]
Solver = Literal["chain", "vote", "tree", "auto"]


class SolverKnobs(BaseModel):
    """How one thread comes to its result."""

    solver: Solver = Field(
        "chain",
        description="How a thread, or a direct answer, is worked out. `chain` asks once. `vote` asks several times and "
        "takes the result that most agree on. `tree` searches through several steps at a time. `auto` takes the "
        "word of the model that assesses, part by part. `head_start`, `hedge` and `max_depth` count with `chain` only.",
    )
    samples: int = Field(
        5,
        ge=2,
        le=64,
        description="Most samples of a `vote`, side by side. The rest is cancelled as soon as the majority is certain. "
        "They differ because they are sampled: at `temperature`, else at 0.7 by the embedded model, else as the server "
        "does. At 0 all are alike.",
    )
    tree_iterations: int = Field(
        4, ge=1, le=100, description="Most times that a `tree` goes from a chosen step to an end and learns from it."
    )
    tree_width: int = Field(
        3, ge=1, le=16, description="Next steps that a `tree` tries side by side, sampled as in a `vote`."
    )
    tree_depth: int = Field(4, ge=1, le=20, description="Most steps from a question to its result in a `tree`.")
    tree_tokens: int = Field(
        20_000,
        ge=500,
        le=10_000_000,
        description="Tokens, input and output, that a `tree` may use for one thread. No step begins that would "
        "probably exceed it.",
    )
