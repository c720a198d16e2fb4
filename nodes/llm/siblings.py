"""Threads that begin alike: the first has the server read what they share, the others find it in its prompt cache.

A prompt can be found there once the server has read it. Siblings that are all sent at once read it, and pay for it,
once each; those that are sent when the first reply begins read only what is their own.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256

from langchain_core.messages import BaseMessage

from nodes.llm.clients import Client
from nodes.llm.endpoints.recent import Recent
from nodes.llm.limits.ledger import ENGLISH_CHARACTERS_A_TOKEN
from nodes.llm.task import Task
from nodes.settings import Settings

MIN_SHARED_TOKENS = 1_024
"""Tokens that prompts must have in common: OpenAI caches none that is shorter
(developers.openai.com/cookbook/examples/prompt_caching_201); of other providers it is 512 to 4,096."""
MAX_WAIT_S = 2.0
"""Seconds after the first was sent on its way at which the others go in any case."""
MAX_PREFIXES = 1_000
"""Beginnings of prompts that are remembered, those of the latest calls."""


class Reading:
    """A beginning of prompts that a server reads.

    Attributes:
        first: Whether this call has it read for others, which wait for its reply to begin.
    """

    def __init__(self, key: str = "") -> None:
        """Nobody waits for it without a key."""
        self.first = bool(key)
        self._key = key
        self._over: asyncio.Event | None = asyncio.Event() if key else None
        self._until = asyncio.get_running_loop().time() + MAX_WAIT_S if key else 0.0

    def begin(self) -> None:
        """Let the others go: the reply begins, so the prompt was read."""
        if self._over:
            self._over.set()

    def end(self) -> None:
        """Let the others go, whatever came of the call; where no reply began, the next one is a first one again."""
        if self._over and not self._over.is_set():
            self._over.set()
            if _readings.get(self._key) is self:
                del _readings[self._key]

    async def wait(self) -> None:
        """Wait until the reply begins or fails, or the time is up."""
        if self._over and asyncio.get_running_loop().time() < self._until:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._until):
                    await self._over.wait()


_readings: Recent[str, Reading] = Recent(MAX_PREFIXES)


async def enter(
    client: Client, settings: Settings, task: Task, messages: Sequence[BaseMessage], *, again: bool
) -> Reading:
    """Wait, should a sibling's prompt begin like this one and not be read yet.

    Args:
        client: Whom the call goes to.
        settings: The run's settings.
        task: What the call is for; only threads wait, and no second copies of them.
        messages: The conversation.
        again: Whether the task has made a call before.

    Returns:
        What others wait for, should this be the first one; its `end` must be called.
    """
    own = task.role == "solve" and task.thread_id and not task.hedge
    key = _name_prefix(client, task, messages) if own and not again and _is_worth_it(client, settings) else ""
    if not key:
        return Reading()
    if sibling := _readings.get(key):
        await sibling.wait()
        return Reading()
    return _readings.get_or_make(key, lambda: Reading(key))


def _is_worth_it(client: Client, settings: Settings) -> bool:
    """Tell whether the server is known to cache prompts, and not to read those that come together at once.

    Servers that tell their slots (llama.cpp) or their window (vLLM and what follows it) batch what they are sent.
    """
    if settings.share_prefix != "auto":
        return settings.share_prefix == "on"
    return client.learnt.pace.caches and not (client.slots or client.learnt.window)


def _name_prefix(client: Client, task: Task, messages: Sequence[BaseMessage]) -> str:
    """Name the beginning of a prompt as its run sends it to a server; empty for a prompt too short to be cached."""
    length, text = MIN_SHARED_TOKENS * ENGLISH_CHARACTERS_A_TOKEN, ""
    for message in messages:
        text += f"{message.type}\0{message.text[:length]}\0"
        if len(text) >= length:
            return f"{task.run.id} {client.endpoint.fingerprint} {sha256(text[:length].encode()).hexdigest()}"
    return ""
