"""Where a model is reached, and what has been learnt about the server there."""

import hashlib
import time
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from nodes.llm.endpoints.health import Health
from nodes.llm.endpoints.kept_pace import KeptPace
from nodes.llm.endpoints.own import Own
from nodes.llm.endpoints.pace import Pace
from nodes.shared.providers.known import dialect_of

Rung = Literal["json_schema", "tool", "json", "text"]
"""A way of asking for structured output, the surest first."""
RUNGS: tuple[Rung, ...] = ("json_schema", "tool", "json", "text")
LEARNT_FOR_CALLS, LEARNT_FOR_S = 50, 600.0
"""How long a higher rung is left alone after it did not work: so many calls or seconds, whichever ends first. What a
server could not do then may have been a passing fault."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is reached."""

    model: str
    """`provider:name`, or `local`."""
    provider: str
    name: str
    """What the server calls the model."""
    base_url: str
    api_key: SecretStr
    key_env: str | None = None
    """The variable that held the key; `None` when no key is needed."""
    slots: int | None = None
    """How many requests the server works on at once, where it is known."""
    own: Own | None = None
    """The model itself, where a graph was built with it."""
    same_as: str = ""
    """What later processes know it by, where its address says nothing: the embedded server's is another each time."""

    @property
    def fingerprint(self) -> str:
        """What it is known by in later processes; no key goes into it, and no address can be read from it."""
        return fingerprint(self.provider, self.same_as or f"{self.name} {self.address}")

    @property
    def address(self) -> str:
        """The base URL as it may be shown, without a name and password in it."""
        parts = urlsplit(self.base_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() or self.provider

    @property
    def as_openai(self) -> bool:
        """Whether it is spoken to as OpenAI's servers are, and not through LangChain's interface."""
        return dialect_of(self.model) == "openai"


@dataclass
class Ladder:
    """Where structured output starts at a server: higher rungs were seen not to work there, and a lower one to work."""

    top: Rung = RUNGS[0]
    """The highest rung that there is."""
    _first: Rung = RUNGS[0]
    _calls: int = 0
    _until: float = 0.0

    def start(self) -> Rung:
        """Return the rung to start from; the highest one again after a while."""
        if self._calls <= 0 or time.monotonic() >= self._until:
            return self.top
        self._calls -= 1
        return self._first

    def learn(self, rung: Rung) -> None:
        """Take in that a rung worked, after those above it did not."""
        self._first, self._calls, self._until = rung, LEARNT_FOR_CALLS, time.monotonic() + LEARNT_FOR_S


@dataclass
class Learnt:
    """What calls have shown about a server."""

    shown: KeptPace
    """How fast it is, and how much it writes; earlier processes' calls included."""
    health: Health = field(default_factory=Health)
    """Whether it answers, where a role has others to ask instead."""
    ladder: Ladder = field(default_factory=Ladder)
    """Where structured output starts."""
    slots: int | None = None
    """How many requests the server says it works on at once."""
    window: int | None = None
    """Tokens of prompt and reply together, as the server says."""
    asked: bool = False
    """Whether the server was asked what it has."""
    refused: set[str] = field(default_factory=set)
    """Fields of a request that it refuses, by the names of `nodes.llm.servers.options.Wish`."""

    @property
    def pace(self) -> Pace:
        """How fast it is, and how much it writes."""
        return self.shown.pace


def fingerprint(provider: str, what: str) -> str:
    """Tell one endpoint from others in what is kept."""
    return hashlib.sha256(f"{provider} {what}".encode()).hexdigest()
