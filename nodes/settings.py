"""Every run-time knob, its bounds, its default and the reason for it.

Precedence: what the caller passes, then `APR_<NAME>` in the environment, then the default. What else the environment
holds is read in `nodes.environment`.
"""

import difflib
from collections.abc import Iterable
from typing import Any, Literal, get_args

from langgraph.runtime import Runtime
from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from nodes.address import sound_address
from nodes.environment import CLOSE, NEVER_KEYS, default_model, misspelt
from nodes.refusals import refused, without_key
from prompts import chosen_versions

Split = Literal["if_faster", "if_independent", "always"]
Oversight = Literal["none", "plan", "answer", "both"]
ReviewMode = Literal["off", "brief", "careful"]
Role = Literal["assess", "decompose", "solve", "review"]
"""What a call is for; each role may have a model of its own."""

PROVIDERS = {
    "openai": "openai:NAME (OpenAI, and every OpenAI-compatible server through `base_url`)",
    "deepseek": "deepseek:NAME",
    "local": "local (the embedded model)",
}
DEFAULT_KEY_ENV = {"openai": "OPENAI_API_KEY", "deepseek": "DEEPSEEK_API_KEY"}
DEFAULT_BASE_URL = {"openai": "https://api.openai.com/v1", "deepseek": "https://api.deepseek.com/v1"}


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
    assess_model: str | None = Field(None, description="Model that decides whether to split, if another one.")
    decompose_model: str | None = Field(
        None, description="Model that plans again where the outline does not suffice, if another."
    )
    solve_model: str | None = Field(None, description="Model of the threads and of direct answers, if another.")
    review_model: str | None = Field(None, description="Model that reviews and writes the answer, if another.")
    fallback_model: str | None = Field(
        None, description="Model that is tried once, with a time limit of its own, where the first one failed."
    )
    base_url: str | None = Field(
        None,
        description="Address of an OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`. "
        "Default: the provider's own, or OPENAI_BASE_URL.",
    )
    api_key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the environment variable that holds the API key (never the key itself). "
        "Default: OPENAI_API_KEY or DEEPSEEK_API_KEY, by provider.",
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Sampling temperature. Default: the server's own (reasoning models refuse any other); "
        "0 for the embedded model.",
    )
    max_tokens: int | None = Field(
        None,
        ge=16,
        le=1_000_000,
        description="Longest reply of one call, in tokens. Default: the server's own; 1,024 for the embedded "
        "model, which may otherwise ramble on.",
    )
    max_threads: int = Field(
        16,
        ge=2,
        le=64,
        description="Most threads in a plan; where there are more parts, threads work on several in turn.",
    )
    max_parallel: int = Field(
        8,
        ge=1,
        le=64,
        description="Most threads that run at once; the rest wait their turn. 8 stays under common rate limits.",
    )
    max_rounds: int = Field(
        2, ge=0, le=10, description="Extra rounds in which threads that failed or were refuted run again."
    )
    thread_timeout: float = Field(
        120,
        gt=0,
        le=86_400,
        description="Seconds a thread may run, counted from the start of its first call and not while it waits.",
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
        description="Start a second copy of a thread that takes longer than so many times the median of its finished "
        "siblings (when half have finished, and never before 0.5 s); the first result counts. At most one thread in "
        "ten, and one in any case. Costs tokens; 1.5 to 3 cuts the waiting for stragglers.",
    )
    deadline: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="Seconds the whole run may take. The last fifth (at most 30 s) is kept for the review: no thread "
        "starts or goes on then, and the answer is written from what stands.",
    )
    max_total_tokens: int | None = Field(
        None,
        ge=1_000,
        le=1_000_000_000,
        description="Tokens the whole run may use, input and output; a call that is expected to pass it is not made, "
        "and the answer is written from what stands.",
    )
    context_window: int | None = Field(
        None,
        ge=256,
        le=100_000_000,
        description="Tokens that prompt and reply may have together, for models of which neither the server nor "
        "LangChain's profile tells it.",
    )
    window_share: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Share of the context window; a thread that used more is split into smaller ones in the next "
        "round, as long contexts are read badly.",
    )
    baseline: bool = Field(
        False,
        description="After the answer, ask the whole question once more in one call, and report both side by side "
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
        description="Reuse results of threads that asked the same of the same sources, model and prompt in earlier "
        "runs, and keep those of this one.",
    )
    cache_ttl: float | None = Field(
        None, ge=1, le=1_000_000_000, description="Seconds that results are kept. Default: until they are cleared."
    )
    prompts: str = Field(
        "",
        max_length=1_000,
        description="Versions of prompts to use instead of the default ones, such as `direct@1 solve@1`.",
    )
    split: Split = Field(
        "if_faster",
        description="When to split: where the model finds independent parts and a split is not forecast to take longer "
        "than one call (`if_faster`), wherever it finds them (`if_independent`), or every question (`always`).",
    )
    oversight: Oversight = Field(
        "none",
        description="What a person approves: the plan before any thread is called (`plan`), the answer before it is "
        "used (`answer`), or `both`. Needs a checkpointer, since the run waits.",
    )
    scoped: bool = Field(
        True, description="Show each thread only the segments that it needs; off, every thread reads the whole input."
    )
    review: ReviewMode = Field(
        "brief",
        description="How results are judged before they are joined: not at all (`off`), all in one call (`brief`), or "
        "each in a short call of its own as its thread ends, and then together (`careful`).",
    )

    _given: frozenset[str] = PrivateAttr(default=frozenset())
    _keyless: bool = PrivateAttr(default=False)

    def __init__(self, **values: Any) -> None:
        # Checked here, since pydantic-settings itself obeys names such as `_env_file` and `_cli_parse_args`.
        unknown = sorted(set(values) - set(type(self).model_fields))
        if unknown:
            raise refused(type(self).__name__, unknown_settings(unknown), unknown)
        if slips := misspelt(type(self).model_fields):
            said = "; ".join(
                f"`{wrong}` is none of our variables, did you mean `{right}`?" for wrong, right in slips.items()
            )
            raise refused(type(self).__name__, said, list(slips))
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
        if value is None or value == "local":
            return value
        if not value.isprintable():
            raise ValueError("the name of the model holds control characters, or others that cannot be shown")
        provider, colon, name = value.partition(":")
        if colon and name.strip() and provider in DEFAULT_BASE_URL:
            return value
        if not colon:
            problem = f"`{value}` names no provider"
        elif provider in PROVIDERS:
            problem = f"`{value}` names no model of `{provider}`" if provider != "local" else f"`{value}` is not"
        else:
            problem = f"unknown provider `{provider}` in `{value}`"
        raise ValueError(f"{problem}; allowed are {', '.join(PROVIDERS.values())}")

    @field_validator("review", mode="before")
    @classmethod
    def _review_was_a_switch(cls, value: Any) -> Any:
        """Take what the setting was before it had three values."""
        return {"true": "brief", "false": "off"}.get(str(value).lower(), value)

    @field_validator("prompts")
    @classmethod
    def _prompts_are_there(cls, value: str) -> str:
        chosen_versions(value)
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


def meant(name: str) -> str:
    """Name the setting that a name is taken for a slip of; empty for none."""
    return next(iter(difflib.get_close_matches(name.lower(), list(Settings.model_fields), 1, CLOSE)), "")


def unknown_settings(names: Iterable[str]) -> str:
    """Say that there are no such settings, which ones may be meant, and which there are."""
    near = {name: meant(name) for name in names}
    asked = "".join(f"did you mean `{found}`? " for found in near.values() if found)
    listed = ", ".join(f"`{name}`" for name in near)
    return f"{asked}unknown setting {listed}; allowed are {', '.join(Settings.model_fields)}"


def settings_of(runtime: Runtime[Settings]) -> Settings:
    """Return the run's settings, as they were chosen at the node's boundary."""
    return runtime.context
