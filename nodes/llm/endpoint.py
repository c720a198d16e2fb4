"""Where a model is reached, and what has been learnt about the server there."""

import hashlib
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from nodes.llm.kept_pace import KeptPace
from nodes.llm.pace import Pace

Rung = Literal["json_schema", "tool", "text"]
"""A way of asking for structured output, the surest first."""


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
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@dataclass
class Learnt:
    """What calls have shown about a server."""

    shown: KeptPace
    """How fast it is, and how much it writes; earlier processes' calls included."""
    first_rung: Rung = "json_schema"
    """Where structured output starts: higher rungs were seen not to work there."""
    slots: int | None = None
    """How many requests the server says it works on at once."""
    window: int | None = None
    """Tokens of prompt and reply together, as the server says."""
    asked: bool = False
    """Whether the server was asked what it has."""

    @property
    def pace(self) -> Pace:
        """How fast it is, and how much it writes."""
        return self.shown.pace


def fingerprint(provider: str, what: str) -> str:
    """Tell one endpoint from others in what is kept."""
    return hashlib.sha256(f"{provider} {what}".encode()).hexdigest()
