"""Where a model is reached, and what has been learnt about the server there."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

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

    @property
    def address(self) -> str:
        """The base URL as it may be shown, without a name and password in it."""
        parts = urlsplit(self.base_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@dataclass
class Learnt:
    """What the calls of this process have shown about a server."""

    first_rung: Rung = "json_schema"
    """Where structured output starts: higher rungs were seen not to work there."""
    slots: int | None = None
    """How many requests the server says it works on at once."""
    window: int | None = None
    """Tokens of prompt and reply together, as the server says."""
    asked: bool = False
    """Whether the server was asked what it has."""
    pace: Pace = field(default_factory=Pace)
    """How fast it is, and how much it writes."""
