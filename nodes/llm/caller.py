"""One task's access to its model: time limit, retries, and a record of every request made."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import tenacity
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel

from nodes.llm import structured
from nodes.llm.clients import Client, call_options, client_for
from nodes.llm.errors import ConfigurationError, ModelError, classify
from nodes.llm.reply import Reply, read_reply
from nodes.llm.usage import Call, Usage
from nodes.run import Run
from nodes.settings import Role, Settings

T = TypeVar("T", bound=BaseModel)

MAX_ATTEMPTS = 4
"""Requests in a row for one reply, faults included."""
MAX_EMPTY = 2
"""Of these, such as came back empty: a model that says nothing twice has nothing to say."""

_backoff = tenacity.wait_exponential_jitter(multiplier=0.5, max=20, jitter=0.5)
_log = logging.getLogger(__name__)


class Caller:
    """One task's access to its model.

    Attributes:
        calls: Every request made so far, failed ones included.
        model: The model asked, as `provider:name`.
    """

    def __init__(
        self,
        settings: Settings,
        role: Role,
        *,
        run: Run,
        prompt: str,
        time_limit: float | None = None,
        thread_id: str | None = None,
        round: int = 0,
    ) -> None:
        """Prepare calls for one task.

        Args:
            settings: The run's settings.
            role: What the calls are for; chooses the model.
            run: The run that the calls belong to.
            prompt: Name and version of the prompt, for traces.
            time_limit: Seconds that each reply may take, retries included; `request_timeout` if left out.
            thread_id: The thread that the calls are for, if for one.
            round: 0 for the first pass, then 1, 2, …
        """
        self.calls: list[Call] = []
        self.model = settings.model_for(role)
        self.time_limit = settings.request_timeout if time_limit is None else time_limit
        self._deadline = math.inf
        self._fault: ModelError | None = None
        self._settings, self._role, self._run = settings, role, run
        self._prompt, self._thread_id, self._round = prompt, thread_id, round

    async def client(self) -> Client:
        """Return the client of this task's model, starting the embedded server if need be.

        Raises:
            ConfigurationError: A key or an extra is missing.
        """
        return await client_for(self._settings, self._role)

    async def text(self, messages: Sequence[BaseMessage]) -> Reply:
        """Ask for text.

        Raises:
            ModelError: No usable reply came; `calls` tells what was tried.
            ConfigurationError: A key or an extra is missing.
        """
        client = await self.client()
        async with self._limited(client):
            return await self.request(client, messages)

    async def structured(self, messages: Sequence[BaseMessage], shape: type[T]) -> T:
        """Ask for an object of `shape`, down the ladder of `nodes.llm.structured`.

        Raises:
            ModelError: No usable reply came; `calls` tells what was tried.
            ConfigurationError: A key or an extra is missing.
        """
        client = await self.client()
        async with self._limited(client):
            return await structured.ask(partial(self.request, client), client.learnt, messages, shape)

    @asynccontextmanager
    async def _limited(self, client: Client) -> AsyncIterator[None]:
        self._deadline = time.monotonic() + self.time_limit
        self._fault = None
        try:
            async with asyncio.timeout(self.time_limit):
                yield
        except TimeoutError as late:
            if self.calls and self.calls[-1].status == "cancelled":
                self.calls[-1].status = "timed_out"
            setting = "thread_timeout" if self._thread_id else "request_timeout"
            before = f"; before that: {self._fault}" if self._fault else ""
            raise ModelError(
                "timed_out",
                f"`{self.model}` at {client.endpoint.address} gave no answer within {self.time_limit:g} s "
                f"(`{setting}`){before}",
            ) from late

    async def request(self, client: Client, messages: Sequence[BaseMessage], **extra: Any) -> Reply:
        """Send a request, again where another try may mend a fault (see `nodes.llm.errors.RETRYABLE`).

        Args:
            client: Whom to ask.
            messages: The conversation.
            extra: Fields for the request's body.

        Raises:
            ModelError: The last try failed, or a fault that no try would mend.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, ModelError) and error.retryable),
            stop=self._enough,
            wait=_wait,
            reraise=True,
        )
        return await retrying(self._once, client, messages, extra)

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        empty = isinstance(error, ModelError) and error.kind == "empty"
        # A try that would end beyond the time limit helps nobody: better to say now what went wrong.
        too_late = time.monotonic() + state.upcoming_sleep + self.calls[-1].latency_s >= self._deadline
        return too_late or state.attempt_number >= (MAX_EMPTY if empty else MAX_ATTEMPTS)

    async def _once(self, client: Client, messages: Sequence[BaseMessage], extra: dict[str, Any]) -> Reply:
        call = Call(
            run_id=self._run.id,
            role=self._role,
            thread_id=self._thread_id,
            round=self._round,
            attempt=len(self.calls) + 1,
            model=self.model,
            started_s=self._run.elapsed(),
        )
        self.calls.append(call)
        began = time.perf_counter()
        try:
            options = call_options(client.endpoint, self._settings, timeout=self.time_limit)
            if extra:
                options["extra_body"] = {**options.get("extra_body", {}), **extra}
            message = await client.chat.ainvoke(list(messages), config=self._trace(call), **options)
            call.usage = Usage.from_metadata(getattr(message, "usage_metadata", None))
            reply = read_reply(message)
            if not reply.text and not extra:
                # A tool call, where no tool was offered.
                raise ModelError("empty", "the model's reply holds no text")
            call.status = "ok"
            return reply
        except asyncio.CancelledError:
            call.status = "cancelled"
            raise
        except ConfigurationError:
            raise
        except Exception as error:
            failure = classify(error, client.endpoint)
            call.status = failure.kind
            self._fault = failure
            _log.info("%s call failed (%s): %s", self._role, failure.kind, failure)
            raise failure from error
        finally:
            call.latency_s = time.perf_counter() - began

    def _trace(self, call: Call) -> RunnableConfig:
        """Name the call in traces, so that one thread can be filtered out."""
        name = f"{call.role} {call.thread_id}" if call.thread_id else call.role
        metadata = {
            "apr_role": call.role,
            "apr_thread": call.thread_id,
            "apr_round": call.round,
            "apr_attempt": call.attempt,
            "apr_prompt": self._prompt,
        }
        known = {key: value for key, value in metadata.items() if value is not None}
        return {"run_name": name, "tags": [f"apr:{name}"], "metadata": known}


def _wait(state: tenacity.RetryCallState) -> float:
    """Wait as long as the server asked, else longer each time, with jitter against lockstep."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ModelError) else None
    return asked if asked is not None else _backoff(state)
