"""Texts continued as they stand (`/completions`), for models that write a format of their own: no chat, no template."""

from collections.abc import Callable, Sequence
from typing import Any

import tenacity
from langchain_core.messages import HumanMessage

from nodes.llm.caller import Caller
from nodes.llm.clients import Client
from nodes.llm.group import Group
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.overhear import OnText
from nodes.llm.replies.read import keep_continuation, read_continuation
from nodes.llm.replies.reply import Reply
from nodes.llm.servers.chat import CONTINUE
from nodes.llm.task import Task
from nodes.settings import Settings

MAX_CONTINUATION_TOKENS = 16_384
"""Tokens of one continuation, where `max_tokens` names no limit: without one, servers of this protocol write 16."""
MIN_CONTINUATION_TOKENS = 256
"""Tokens asked for even where the context window seems full, since how much of it is taken is an estimate."""


class Continuer(Caller):
    """One task's access to a model that continues texts. Its fallback is not asked, whose format would be another."""

    read, read_broken_off = staticmethod(read_continuation), staticmethod(keep_continuation)

    def __init__(
        self,
        settings: Settings,
        task: Task,
        on_start: Callable[[], None] | None = None,
        on_text: OnText | None = None,
    ) -> None:
        """Prepare calls; see `Caller`. Replies are always streamed, so that what had come of a late one is kept."""
        # No sibling need wait for another: the server has read what they share when it wrote their outlines.
        alone = settings.model_copy(update={"share_prefix": "off"})
        super().__init__(alone, task, on_start, on_text or (lambda _: None))

    async def continue_text(self, text: str, *, stop: Sequence[str] = (), read: int = 0) -> Reply:
        """Have a text continued. What comes may be cut: its `state` tells.

        Args:
            text: The text so far, prompt included.
            stop: Where to stop; servers leave these words out of the reply, and only some say which one it was.
            read: Tokens of `text`, as far as they are known.

        Raises:
            ModelError: No usable reply came; `calls` tells what was tried, `reply` what the model had written by then.
            ConfigurationError: A key or an extra is missing.
        """

        async def ask(group: Group) -> Reply:
            return await self.request(group, [HumanMessage(text)], **self._body(group.best(), stop, read))

        try:
            return await self._in_time(ask)
        except ModelError as error:
            error.reply = error.reply or self.said
            raise

    def _body(self, client: Client, stop: Sequence[str], read: int) -> dict[str, Any]:
        body: dict[str, Any] = {CONTINUE: True}
        if stop:
            body["stop"] = list(stop)
        if client.endpoint.provider == "local":  # it knows what it may write, and no other fields
            return body
        most, (window, _) = self._settings.max_tokens or MAX_CONTINUATION_TOKENS, client.window(self._settings)
        body["max_tokens"] = min(most, max(window - read, MIN_CONTINUATION_TOKENS)) if window else most
        # The text has its template already, and tags may be special tokens, which vLLM and SGLang would leave out.
        return body | {"add_special_tokens": False, "skip_special_tokens": False}

    def _enough(self, before: int, other_way: bool, state: tenacity.RetryCallState) -> bool:
        return super()._enough(before, False, state)  # there is one way only to ask for it
