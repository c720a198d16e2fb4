"""Which models are asked, where, and how they are sampled."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from nodes.shared.environment import default_model

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
"""How long a model thinks, in the words of OpenAI's API reference (`reasoning_effort`)."""


class ModelKnobs(BaseModel):
    """Which models are asked, where, and how they are sampled."""

    model: str = Field(
        default_factory=default_model,
        description="Model of every role, as `provider:name`: `openai:…`, `deepseek:…` or `local`. "
        "Default: `openai:gpt-5-mini` when OPENAI_API_KEY or OPENAI_BASE_URL is set, else `local`.",
    )
    assess_model: str | None = Field(None, description="Model that decides whether to split, if not `model`.")
    decompose_model: str | None = Field(
        None, description="Model that plans again where the outline is not enough, if not `model`."
    )
    solve_model: str | None = Field(None, description="Model of the threads and of direct answers, if not `model`.")
    easy_model: str | None = Field(
        None,
        description="A cheaper model for the threads that the outline calls easy; then it says a word more for each "
        "part. What the reviewer sends back goes to the model of the other threads.",
    )
    review_model: str | None = Field(None, description="Model that reviews and writes the answer, if not `model`.")
    fallback_model: str | None = Field(
        None, description="Model to try once, with a time limit of its own, when the first one fails."
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Sampling temperature. Default: 0 for the embedded model (0.7 where the same is asked again), "
        "else the server's own, since reasoning models refuse any other.",
    )
    top_p: float | None = Field(
        None, ge=0, le=1, description="Share of the likeliest tokens that are sampled. Default: the server's own."
    )
    seed: int | None = Field(
        None,
        ge=-(2**63),
        lt=2**63,
        description="Seed of the sampling, for servers that take one. Default: none is sent.",
    )
    extra_body: dict[str, Any] | None = Field(
        None,
        description='More fields of each request to an OpenAI-compatible server, such as `{"top_k": 20}`. Requests to '
        "our server may give them only if APR_ALLOW_SETTINGS lists `extra_body`.",
    )
    max_tokens: int | None = Field(
        None,
        ge=16,
        le=1_000_000,
        description="Longest reply of one call, in tokens. Default: 1,024 for the embedded model, which may "
        "otherwise ramble on, and 512 for its outlines and plans; else the server's own.",
    )
    reasoning_effort: Effort | None = Field(
        None,
        description="How long a reasoning model thinks: `none`, `minimal`, `low`, `medium`, `high` or `xhigh`. "
        "Default: the server's own. Not sent to the embedded model, which does not reason.",
    )
    assess_effort: Effort | None = Field(
        None, description="The same for deciding whether to split, if not `reasoning_effort`."
    )
    decompose_effort: Effort | None = Field(None, description="The same for planning again.")
    solve_effort: Effort | None = Field(None, description="The same for threads and direct answers.")
    review_effort: Effort | None = Field(None, description="The same for the review.")
    context_window: int | None = Field(
        None,
        ge=256,
        le=100_000_000,
        description="Tokens that prompt and reply may have together. Needed only if neither the server nor "
        "LangChain's model profile tells it.",
    )
    mcp_config: str | None = Field(
        None,
        max_length=4_096,
        description="File that names MCP servers whose tools threads may call, in the usual form "
        '`{"mcpServers": {…}}`. Needs the extra `mcp`.',
    )
    prompts: str = Field(
        "",
        max_length=1_000,
        description="Versions of prompts to use instead of the defaults, such as `direct@1 solve@1`.",
    )
    planner: str = Field(
        "",
        max_length=1_000,
        description="A compiled DSPy program that outlines the question instead of our prompt, as `dspy:PATH`. Loading "
        "a saved folder runs the code in it, so name only what you trust; requests to a server cannot name one.",
    )
