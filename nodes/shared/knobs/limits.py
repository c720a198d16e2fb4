"""What a run may take: threads, time, tokens, requests; and what is kept of it."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_settings import NoDecode

from nodes.shared.prices import read_prices


class LimitKnobs(BaseModel):
    """What a run may take: threads, time, tokens, requests; and what is kept of it."""

    max_threads: int = Field(
        16,
        ge=2,
        le=64,
        description="Most threads in a plan. If there are more parts, a thread works on several parts in turn.",
    )
    max_depth: int = Field(
        1,
        ge=0,
        le=8,
        description="How often threads may hand parts on to threads of their own (`T2.1`, `T2.2`, …), within "
        "`max_threads`: `1` once, `0` never. None do that read documents, that the user's own words ask, "
        "or where a person approves the plan.",
    )
    max_parallel: int = Field(
        8,
        ge=1,
        le=64,
        description="Most threads that run at the same time; the rest wait. 8 stays under common rate limits.",
    )
    max_rounds: int = Field(2, ge=0, le=10, description="How often threads that failed or were refuted may run again.")
    thread_timeout: float = Field(
        300,
        gt=0,
        le=86_400,
        description="Seconds that a thread may run. They count from its first call; time in the queue does not count.",
    )
    request_timeout: float = Field(
        300,
        gt=0,
        le=86_400,
        description="Seconds that assessing, planning, reviewing or answering directly may take, retries included.",
    )
    max_tool_calls: int = Field(
        8,
        ge=0,
        le=100,
        description="Most calls of tools that a thread may make in a round; then it has to answer from what it has.",
    )
    tool_timeout: float = Field(
        30,
        gt=0,
        le=3_600,
        description="Seconds that one call of a tool may take; it never takes longer than its thread may.",
    )
    hedge: float | None = Field(
        None,
        ge=1,
        le=100,
        description="Start a second copy of a thread that takes this many times the median of its finished "
        "siblings, and use the first result. Starts once half have finished, after 0.5 s at the earliest, for at "
        "most one thread in ten, but at least one. 1.5 to 3 shortens the wait for stragglers; each copy costs tokens.",
    )
    deadline: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="Seconds that the whole run may take. The last fifth (at most 30 s) belongs to the review: no "
        "thread runs in it, and the answer uses the results so far.",
    )
    max_total_tokens: int | None = Field(
        None,
        ge=1_000,
        le=1_000_000_000,
        description="Tokens that the whole run may use, input and output. A call that would probably exceed it is "
        "not made; the answer then uses the results so far.",
    )
    max_cost: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="US dollars that the whole run may cost, by the published prices or `prices`. A call that would "
        "probably exceed it is not made. Every model of the run must have a price; the embedded one costs nothing.",
    )
    prices: Annotated[dict[str, dict[str, float]] | None, NoDecode, BeforeValidator(read_prices)] = Field(
        None,
        description='Your own prices, in US dollars a million tokens: `{"openai:qwen3": {"input": 0.5, "output": '
        "1.5}}`; `cached` is what cached input costs, if less. They go before the published ones.",
    )
    window_share: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Share of the context window that a thread may use. A thread that uses more is split into "
        "smaller ones in the next round, since models read long contexts badly.",
    )
    requests_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, description="Most requests to one endpoint in any minute, of all runs of the process."
    )
    tokens_per_minute: int | None = Field(
        None,
        ge=1_000,
        le=1_000_000_000,
        description="Most tokens, input and output, of one endpoint in any minute, of all runs of the process.",
    )
    cache: bool = Field(
        False,
        description="Reuse results of threads that asked the same of the same sources, model and prompt, and keep "
        "this run's.",
    )
    cache_ttl: float | None = Field(
        None, ge=1, le=1_000_000_000, description="Seconds to keep results in the cache. Default: until you clear it."
    )
