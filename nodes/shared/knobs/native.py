"""How trained models write parallel trajectories by themselves (the graph `native`)."""

from typing import Literal

from pydantic import BaseModel, Field, field_validator

GrammarName = Literal["threadweaver", "multiverse"]
QUESTION_MARK = "{question}"
"""Where the question stands in a template."""


class NativeKnobs(BaseModel):
    """How trained models write parallel trajectories by themselves (the graph `native`)."""

    grammar: GrammarName = Field(
        "threadweaver",
        description="Graph `native` only: the format in which the model was trained to write threads.",
    )
    max_blocks: int = Field(
        32,
        ge=0,
        le=1_000,
        description="Graph `native` only: most blocks of threads in a trajectory. Then the model writes on alone.",
    )
    prompt_template: str | None = Field(
        None,
        max_length=100_000,
        description="Graph `native` only: the model's chat template around `{question}`, up to where it goes on. "
        "Default: the server's own (llama.cpp, vLLM), else the template of Qwen's models.",
    )

    @field_validator("prompt_template")
    @classmethod
    def _template_holds_the_question(cls, value: str | None) -> str | None:
        if value is not None and value.count(QUESTION_MARK) != 1:
            raise ValueError("`prompt_template` must hold {question} once, where the question goes")
        return value
