"""What a run did and cost: each figure with its definition and source. `nodes.reporting.measure` computes them."""

from typing import Any

from pydantic import Field

from nodes.llm.endpoints.usage import Usage
from nodes.planning.forecast import Forecast
from nodes.planning.repair import Repair
from nodes.reporting.prices import Cost
from nodes.shared.record import Record
from nodes.threads.results import Mark
from nodes.threads.solving import Solving


class Degree(Record):
    """How many requests an endpoint could be sent at once, from some moment on."""

    at_s: float
    """Seconds from the start of the run to the first request under it."""
    model: str
    """`provider:name`."""
    degree: int | None
    """Requests that all runs of the process together could have open; `None` for any number."""
    reason: str = ""


class Stage(Record):
    """Time and tokens of one stage, over all rounds."""

    stage: str
    """`assess`, `decompose`, `solve`, `review` or `direct`."""
    calls: int = 0
    wall_s: float = 0.0
    """Seconds in which at least one of its requests was open."""
    queued_s: float = 0.0
    """Seconds that its requests waited for their turns, summed."""
    running_s: float = 0.0
    """Seconds that its requests took, summed."""
    tokens: Usage = Usage()


class ToolTotal(Record):
    """What was asked of one tool, over all threads and rounds; each single use stands with its call (`calls`)."""

    name: str
    calls: int = 0
    failed: int = 0
    """Of these: failed, timed out, or not made since a thread had no calls left."""
    running_s: float = 0.0
    """Seconds that they took, summed."""


class Context(Record):
    """The context window of one model, and how much of it was used."""

    model: str
    """`provider:name`."""
    window: int | None = None
    """Tokens that prompt and reply may have together; `None` if unknown."""
    source: str = ""
    """Where the figure comes from: `server`, `profile` (LangChain's list of models) or `setting` (`context_window`)."""
    utilisation: float | None = None
    """The largest share of the window that one request used, prompt and reply together, 0 to 1."""


class Estimate(Record):
    """What one long chain would have cost: all threads one after another. An estimate, not a measurement."""

    output: int
    """Tokens of the threads' last replies, summed."""
    token_latency: float | None
    """`output / critical_path_tokens`: how many times as many tokens one chain generates one after another; `None` if
    the server reported no tokens."""
    token_multiplier: float | None
    """`tokens.output / output`: how many times as many tokens the split run generated."""


class Baseline(Record):
    """The same question in one call, measured after the run. The run's own figures do not include it."""

    answer: str = ""
    error: str = ""
    """Why the baseline has no whole answer; then all ratios are `None`."""
    wall_s: float = 0.0
    """Seconds from the question to the answer."""
    calls: int = 0
    tokens: Usage = Usage()
    wall_ratio: float | None = None
    """`baseline.wall_s / wall_s`: how many times as fast the split run was."""
    token_latency: float | None = None
    """`baseline.tokens.output / critical_path_tokens`: the same, in tokens generated one after another."""
    token_multiplier: float | None = None
    """`tokens.total / baseline.tokens.total`: how many times as many tokens the split run used."""


class Acceleration(Record):
    """What a native trajectory gained by its threads. Two quantities go by this one name; each has its own here.

    Tokens are those that models generated. What the client writes around a thread counts in neither, while
    ThreadWeaver's code counts it as sequential.
    """

    within_trajectory: float
    """`1 - critical_path_tokens / tokens.output`: the share of the generated tokens that nobody waited for; 0 for a
    sequential run. `acceleration_ratio` of `get_parallel_stats` in ThreadWeaver's `threadweaver_sft/src/rewards.py`."""
    over_baseline: float | None = None
    """`baseline.tokens.output / critical_path_tokens`: how many times as many tokens one sequential pass generates one
    after another; `None` without the setting `baseline`. *Acceleration* in ThreadWeaver's README and tables."""


class EasyThreads(Record):
    """What `easy_model` took over, and what that saved."""

    model: str
    """The setting `easy_model`."""
    threads: int = 0
    """Threads that were asked of it, in the outline's word."""
    sent_back: int = 0
    """Of these, those that the other model worked on again."""
    asked: dict[str, int] = Field(default_factory=dict)
    """By `provider:name`: threads by the model that was asked first."""
    saved_usd: float | None = None
    """US dollars: what the same tokens would have cost at the other model, less what they cost. Of threads that were
    sent back nothing is saved, and what they cost here counts against it. `None` if one of the prices is unknown."""


class Report(Record):
    """What a run did and cost, including failed and repeated calls."""

    wall_s: float = 0.0
    """Seconds from the start of the run to its answer."""
    queued_s: float = 0.0
    """Seconds that requests waited for their turns, summed."""
    running_s: float = 0.0
    """Seconds that requests took, summed: the *work*."""
    idle_s: float = 0.0
    """Seconds of `wall_s` in which no request was open: waits before a retry, loading a model, tools, the workflow's
    own work. `wall_s` is at most `running_s + idle_s`."""
    critical_path_s: float = 0.0
    """Seconds of the longest chain of requests that had to wait for each other: every stage, and in each round the
    longest chain of threads of which each needed the one before. This is the *span* of the work-span model (T. Cormen
    et al., "Introduction to Algorithms", chapter on parallel algorithms): more threads cannot end sooner. At most
    `wall_s`."""
    speedup: float = 0.0
    """`running_s / wall_s`: how many requests ran at once on average."""
    efficiency: float = 0.0
    """Parallel efficiency (ibid.): `speedup` divided by the most requests that were open at once."""
    stages: list[Stage] = Field(default_factory=list)
    """Time and tokens by stage, in the order in which they first ran."""
    tokens: Usage = Usage()
    """Tokens of every call of the run, as the server counted them."""
    tokens_by_thread: dict[str, Usage] = Field(default_factory=dict)
    """By thread id: tokens of every call for the thread, over all rounds."""
    tokens_by_model: dict[str, Usage] = Field(default_factory=dict)
    """By `provider:name`."""
    critical_path_tokens: int = 0
    """Generated tokens that had to wait for each other: those outside threads, and in each round those of the chain of
    threads that generated most. ThreadWeaver calls this *token latency*."""
    parallel_share: float = 0.0
    """The threads' share of the generated tokens, 0 to 1."""
    estimate: Estimate | None = None
    """Comparison with one long chain, computed; `None` if nothing ran in parallel."""
    baseline: Baseline | None = None
    """Comparison with one call, measured; `None` without the setting `baseline` or without an answer."""
    acceleration: Acceleration | None = None
    """What the threads of a native trajectory gained; `None` in other graphs, or where no tokens were reported."""
    contexts: list[Context] = Field(default_factory=list)
    """The context window of each model that was asked."""
    utilisation: dict[str, float] = Field(default_factory=dict)
    """By thread id: the largest share of the context window that one of its requests used, 0 to 1. Threads whose
    window is unknown are left out."""
    join_utilisation: float | None = None
    """The same for the review, which reads all results."""
    marks: dict[str, list[Mark]] = Field(default_factory=dict)
    """By thread id: signs of context rot; see `nodes.threads.context_rot`."""
    refined: dict[str, list[str]] = Field(default_factory=dict)
    """Threads that were split again for their marks, each with the ids of its smaller threads. An empty list: no split
    was found."""
    spawned: dict[str, list[str]] = Field(default_factory=dict)
    """Threads that handed parts on, each with the ids of the threads that worked on these."""
    costs: list[Cost] = Field(default_factory=list)
    """By model; an unknown price is never guessed."""
    easy: EasyThreads | None = None
    """What `easy_model` took over; `None` without that setting, or where no thread was asked."""
    cost_usd: float | None = None
    """In US dollars; `None` if the price of any model that was asked is unknown."""
    calls: int = 0
    """Requests made to models."""
    rounds: int = 0
    """Extra rounds, in which threads ran again."""
    retries: int = 0
    """Repeated requests, plus threads that were sent back or split again."""
    threads_suggested: int = 0
    """Independent parts that the assessment listed."""
    threads_planned: int = 0
    """Threads of the plan, as the code corrected it."""
    threads_used: int = 0
    """Threads that are answered and not refuted at the end."""
    head_starts: int = 0
    """Calls that began before they were certain to be needed (setting `head_start`)."""
    wasted: Usage = Usage()
    """Tokens of those that were not needed, also part of `tokens`; an estimate where a call was broken off."""
    cached: int = 0
    """Threads whose result came from the cache, and cost nothing."""
    peak_parallel: int = 0
    """The most thread requests that were open at the same time."""
    tools: list[ToolTotal] = Field(default_factory=list)
    """What was asked of each tool, in the order in which they were first used."""
    hedges: int = 0
    """Second copies that were started of late threads."""
    fallbacks: int = 0
    """Tasks that the fallback model tried again."""
    uncounted: int = 0
    """Requests that broke off before the server reported their tokens. `tokens` does not include them, except for the
    prompt of a late thread's copy and of a sample that was not needed."""
    degrees: list[Degree] = Field(default_factory=list)
    """How many requests each endpoint could be sent at once, from when on and why; empty if nothing limited them."""
    forecast: Forecast | None = None
    """How long splitting and one call were expected to take, and how long the run took. `None` if there were no
    independent parts, or too little was known. If splitting would not save time, one call answers the question."""
    repairs: list[Repair] = Field(default_factory=list)
    """What the code corrected in the models' replies, and stages that it skipped because they got no usable reply."""
    solving: dict[str, list[Solving]] = Field(default_factory=dict)
    """By thread id, or `direct`: results of votes with their counts, and trees of searches (setting `solver`); a thread
    that works on several parts has one for each."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The settings of the run. They name the variable that holds a key, never the key itself."""
    run_id: str = ""
    """Which run this is: the `run_id` of its calls."""
    ended_at: float = 0.0
    """When it had its answer, in seconds since the epoch; 0 in reports of earlier versions."""
    version: str = ""
    """Version of this package that ran it."""
