"""Every run-time knob. Its bounds, its default and the reason for it stand in `nodes.shared.knobs`.

Precedence: what the caller passes, then `APR_<NAME>` in the environment, then the default. What else the environment
holds is read in `nodes.shared.environment`.
"""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from pydantic import PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from nodes.shared.address import sound_addresses
from nodes.shared.environment import MIN_NAME_LIKENESS, NEVER_KEYS, find_misspelt
from nodes.shared.extra_body import check_extra
from nodes.shared.knobs.limits import LimitKnobs
from nodes.shared.knobs.models import Effort, ModelKnobs
from nodes.shared.knobs.native import NativeKnobs
from nodes.shared.knobs.servers import ServerKnobs
from nodes.shared.knobs.solvers import SolverKnobs
from nodes.shared.knobs.work import WorkKnobs
from nodes.shared.prices import check_prices
from nodes.shared.providers.known import check_model_name, dialect_of
from nodes.shared.read_once import ReadOnce
from nodes.shared.refusals import refuse, without_key
from prompts import read_versions

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

Role = Literal["assess", "decompose", "solve", "review"]
"""What a call is for; each role may have a model of its own."""
Seat = Literal[Role, "easy", "fallback", "general"]
"""Who may have a model, servers and a key of its own: roles, easy threads, the fallback, and what holds for all."""
SEATS: tuple[Seat, ...] = ("general", *get_args(Role), "easy", "fallback")


class Servers(NamedTuple):
    """Where a model is asked."""

    addresses: tuple[str, ...]
    """None where no setting names one."""
    key_env: str | None
    """The variable that holds the key; `None` where no setting names one."""
    keyless: bool
    """Whether no key is sent where none is named."""
    key_setting: str
    """The setting that names that variable."""


def address_field(seat: Seat) -> str:
    """Name the setting that holds the addresses of a seat."""
    return "base_url" if seat == "general" else f"{seat}_base_url"


def key_field(seat: Seat) -> str:
    """Name the setting that names the variable with a seat's key."""
    return "api_key_env" if seat == "general" else f"{seat}_api_key_env"


class Settings(NativeKnobs, SolverKnobs, WorkKnobs, LimitKnobs, ServerKnobs, ModelKnobs, BaseSettings):
    """How a run is made. Pass it as `context`, as a dict or as this class."""

    model_config = SettingsConfigDict(
        env_prefix="APR_", env_ignore_empty=True, extra="forbid", frozen=True, validate_default=True
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look at what is passed and at the environment: to look for a file takes as long, in each run."""
        return init_settings, ReadOnce(settings_cls)

    @property
    def given(self) -> dict[str, Any]:
        """What the caller chose: neither from the environment nor a default."""
        given = self._given
        return {name: getattr(self, name) for name in type(self).model_fields if name in given}

    @property
    def keyless(self) -> bool:
        """Whether the server gets no key, even if there is one."""
        return self._keyless

    def without_key(self) -> "Settings":
        """Return the same settings, with which the server gets no key."""
        copy = self.model_copy()
        copy._keyless = True
        return copy

    @field_validator("model", *(f"{seat}_model" for seat in SEATS if seat != "general"))
    @classmethod
    def _provider_is_known(cls, value: str | None) -> str | None:
        return None if value is None else check_model_name(value)

    @field_validator("review", mode="before")
    @classmethod
    def _review_was_a_switch(cls, value: Any) -> Any:
        """Take what the setting was before it had three values."""
        return {"true": "brief", "false": "off"}.get(str(value).lower(), value)

    @field_validator("extra_body")
    @classmethod
    def _extra_fields_are_no_others(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if value is None else check_extra(value)

    @field_validator("prices")
    @classmethod
    def _prices_are_of_models(cls, value: dict[str, dict[str, float]] | None) -> dict[str, dict[str, float]] | None:
        return None if value is None else check_prices({check_model_name(name): own for name, own in value.items()})

    @field_validator("prompts")
    @classmethod
    def _prompts_are_there(cls, value: str) -> str:
        read_versions(value)
        return value

    @field_validator("planner")
    @classmethod
    def _planner_is_named(cls, value: str) -> str:
        if value and not (value.startswith("dspy:") and value.removeprefix("dspy:").strip()):
            raise ValueError(f"`{value}` names no planner; write `dspy:` and the path of a saved DSPy program")
        return value

    @field_validator(*map(address_field, SEATS))
    @classmethod
    def _addresses_are_http(cls, value: str | None) -> str | None:
        return None if value is None else ",".join(sound_addresses(value))

    @field_validator(*map(key_field, SEATS))
    @classmethod
    def _key_is_a_models(cls, value: str | None) -> str | None:
        if value and value.upper().startswith(NEVER_KEYS):
            raise ValueError(f"variables that begin with {', '.join(NEVER_KEYS)} never hold the key of a model server")
        return value

    def model_for(self, seat: Seat) -> str:
        """Name the model of a role, as `provider:name`."""
        override: str | None = getattr(self, f"{seat}_model", None)
        return override or self.model

    def servers_for(self, seat: Seat) -> Servers:
        """Say where the model of a role is asked, and with which key.

        Servers of a role's own get the key that is named for the role, and no other: a key goes nowhere unsaid.
        """
        own, key = getattr(self, address_field(seat)), getattr(self, key_field(seat))
        if own and seat != "general":
            return Servers(tuple(own.split(",")), key, True, key_field(seat))
        if seat != "general" and dialect_of(self.model_for(seat)) != dialect_of(self.model):
            # What is said of `model`'s server is not said of one that speaks otherwise.
            return Servers((), key, False, key_field(seat))
        addresses = str(self.base_url).split(",") if self.base_url else ()
        setting = key_field(seat if key else "general")
        return Servers(tuple(addresses), None if self._keyless else key or self.api_key_env, self._keyless, setting)

    def seats(self) -> list[Seat]:
        """List who may be asked in the run: every role, and who has easy threads and the fallback, where there are."""
        others: list[Seat] = ["easy"] if self.easy_model else []
        return [*get_args(Role), *others, *(["fallback"] if self.fallback_model else [])]

    def effort_for(self, role: Role) -> Effort | None:
        """Say how long the model of a role is to think; `None` leaves it to the server."""
        override: Effort | None = getattr(self, f"{role}_effort")
        return override or self.reasoning_effort

    def show(self) -> dict[str, Any]:
        """Return the settings as they may be shown; they hold no secret."""
        return self.model_dump()

    def models(self) -> set[str]:
        """Name all models that the run may ask."""
        return {self.model_for(seat) for seat in self.seats()}


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
