"""Every run-time knob, its bounds, its default and the reason for it.

Precedence: what the caller passes, then `APR_<NAME>` in the environment, then the default. What else the environment
holds is read in `nodes.shared.environment`.
"""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from nodes.shared.address import sound_address
from nodes.shared.environment import MIN_NAME_LIKENESS, NEVER_KEYS, default_model, find_misspelt
from nodes.shared.providers import check_model_name
from nodes.shared.refusals import refuse, without_key
from prompts import read_versions

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

HeadStart = Literal["auto", "on", "off"]
Split = Literal["if_faster", "if_independent", "always"]
Oversight = Literal["none", "plan", "answer", "both"]
ReviewMode = Literal["off", "brief", "careful"]
StopWhen = Literal["all", "first_answer", "agreement"]
Role = Literal["assess", "decompose", "solve", "review"]
"""What a call is for; each role may have a model of its own."""


class Settings(BaseSettings):
    """How a run is made. Pass it as `context`, as a dict or as this class."""

    model_config = SettingsConfigDict(
        env_prefix="APR_", env_ignore_empty=True, extra="forbid", frozen=True, validate_default=True
    )

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
    review_model: str | None = Field(None, description="Model that reviews and writes the answer, if not `model`.")
    fallback_model: str | None = Field(
        None, description="Model to try once, with a time limit of its own, when the first one fails."
    )
    base_url: str | None = Field(
        None,
        description="Address of an OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`. Default: the "
        "provider's own, or OPENAI_BASE_URL.",
    )
    api_key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the environment variable that holds the API key, never the key itself. Default: "
        "OPENAI_API_KEY or DEEPSEEK_API_KEY, by provider.",
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Sampling temperature. Default: 0 for the embedded model, else the server's own, since "
        "reasoning models refuse any other.",
    )
    max_tokens: int | None = Field(
        None,
        ge=16,
        le=1_000_000,
        description="Longest reply of one call, in tokens. Default: 1,024 for the embedded model, which may "
        "otherwise ramble on, else the server's own.",
    )
    max_threads: int = Field(
        16,
        ge=2,
        le=64,
        description="Most threads in a plan. If there are more parts, a thread works on several parts in turn.",
    )
    max_parallel: int = Field(
        8,
        ge=1,
        le=64,
        description="Most threads that run at the same time; the rest wait. 8 stays under common rate limits.",
    )
    max_rounds: int = Field(2, ge=0, le=10, description="How often threads that failed or were refuted may run again.")
    thread_timeout: float = Field(
        120,
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
    context_window: int | None = Field(
        None,
        ge=256,
        le=100_000_000,
        description="Tokens that prompt and reply may have together. Needed only if neither the server nor "
        "LangChain's model profile tells it.",
    )
    window_share: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Share of the context window that a thread may use. A thread that uses more is split into "
        "smaller ones in the next round, since models read long contexts badly.",
    )
    baseline: bool = Field(
        False,
        description="After the answer, ask the whole question again in one call and report both side by side "
        "(`report.baseline`). Costs that call.",
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
    prompts: str = Field(
        "",
        max_length=1_000,
        description="Versions of prompts to use instead of the defaults, such as `direct@1 solve@1`.",
    )
    split: Split = Field(
        "if_faster",
        description="When to split a question with independent parts. `if_faster` skips a split that is forecast to "
        "take over 25 % and over 1 s longer than one call. `if_independent` skips none. `always` splits every "
        "question.",
    )
    head_start: HeadStart = Field(
        "auto",
        description="Begin the direct answer while the question is assessed, and threads while the outline is "
        "written. `auto` does so where the time that it saves is worth the tokens, `on` always, `off` never.",
    )
    oversight: Oversight = Field(
        "none",
        description="What a person approves: the plan before any thread runs (`plan`), the answer before anyone "
        "uses it (`answer`), or both (`both`). Needs a checkpointer, because the run waits.",
    )
    scoped: bool = Field(
        True,
        description="Show each thread only the segments that it needs. If off, every thread reads the whole input.",
    )
    review: ReviewMode = Field(
        "brief",
        description="How to check results before they are joined: not at all (`off`), or all in one call (`brief`). "
        "`careful` first checks each result in a short call of its own, as its thread ends.",
    )
    stop_when: StopWhen = Field(
        "all",
        description="When threads at work are stopped, for questions asked several ways. `all` waits for every thread. "
        "`first_answer` stops the others as soon as one has answered. `agreement` stops them as soon as more than "
        "half of the plan's threads have given the same answer.",
    )

    _given: frozenset[str] = PrivateAttr(default=frozenset())
    _keyless: bool = PrivateAttr(default=False)

    def __init__(self, **values: Any) -> None:
        # Checked here, since pydantic-settings itself obeys names such as `_env_file` and `_cli_parse_args`.
        unknown = sorted(set(values) - set(type(self).model_fields))
        if unknown:
            raise refuse(type(self).__name__, unknown_settings(unknown), unknown)
        if slips := find_misspelt(type(self).model_fields):
            said = "; ".join(
                f"`{wrong}` is none of our variables, did you mean `{right}`?" for wrong, right in slips.items()
            )
            raise refuse(type(self).__name__, said, list(slips))
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise without_key(error) from None
        self._given = frozenset(values)

    @property
    def given(self) -> dict[str, Any]:
        """What the caller chose: neither from the environment nor a default."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self._given}

    @property
    def keyless(self) -> bool:
        """Whether the server gets no key, even if there is one."""
        return self._keyless

    def without_key(self) -> "Settings":
        """Return the same settings, with which the server gets no key."""
        copy = self.model_copy()
        copy._keyless = True
        return copy

    @field_validator("model", "assess_model", "decompose_model", "solve_model", "review_model", "fallback_model")
    @classmethod
    def _provider_is_known(cls, value: str | None) -> str | None:
        return None if value is None else check_model_name(value)

    @field_validator("review", mode="before")
    @classmethod
    def _review_was_a_switch(cls, value: Any) -> Any:
        """Take what the setting was before it had three values."""
        return {"true": "brief", "false": "off"}.get(str(value).lower(), value)

    @field_validator("prompts")
    @classmethod
    def _prompts_are_there(cls, value: str) -> str:
        read_versions(value)
        return value

    @field_validator("base_url")
    @classmethod
    def _base_url_is_http(cls, value: str | None) -> str | None:
        return None if value is None else sound_address(value)

    @field_validator("api_key_env")
    @classmethod
    def _key_is_a_models(cls, value: str | None) -> str | None:
        if value and value.upper().startswith(NEVER_KEYS):
            raise ValueError(f"variables that begin with {', '.join(NEVER_KEYS)} never hold the key of a model server")
        return value

    def model_for(self, role: Role) -> str:
        """Name the model of a role, as `provider:name`."""
        override: str | None = getattr(self, f"{role}_model")
        return override or self.model

    def shown(self) -> dict[str, Any]:
        """Return the settings as they may be shown; they hold no secret."""
        return self.model_dump()

    def models(self) -> set[str]:
        """Name all models that the run may ask."""
        named = {self.model_for(role) for role in get_args(Role)}
        return named | ({self.fallback_model} if self.fallback_model else set())


def nearest_setting(name: str) -> str:
    """Name the setting that a name is taken for a slip of; empty for none."""
    return next(iter(difflib.get_close_matches(name.lower(), list(Settings.model_fields), 1, MIN_NAME_LIKENESS)), "")


def unknown_settings(names: Iterable[str]) -> str:
    """Say that there are no such settings, which ones may be meant, and which there are."""
    near = {name: nearest_setting(name) for name in names}
    asked = "".join(f"did you mean `{found}`? " for found in near.values() if found)
    listed = ", ".join(f"`{name}`" for name in near)
    return f"{asked}unknown setting {listed}; allowed are {', '.join(Settings.model_fields)}"


def settings_of(runtime: "Runtime[Settings]") -> Settings:
    """Return the run's settings, as they were chosen at the node's boundary."""
    return runtime.context
