"""One task's access to its models: turns, time limit, retries, a fallback, and a record of every request made."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import tenacity
from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from nodes.llm import structured
from nodes.llm.clients import Client
from nodes.llm.embedded.slots import Purpose
from nodes.llm.endpoints.usage import Call, Usage, total_usage
from nodes.llm.group import Group, group_for
from nodes.llm.limits import retries
from nodes.llm.limits.ledger import ENGLISH_CHARACTERS_A_TOKEN, UNSEEN_REPLY_TOKENS, count_characters, estimate_usage
from nodes.llm.limits.limiter import ShutTooLong, Turn
from nodes.llm.limits.time_limit import TimeLimit, too_late
from nodes.llm.limits.window import Ceilings
from nodes.llm.replies.classify import classify
from nodes.llm.replies.errors import OUT_OF_BUDGET, CallFailed, ConfigurationError, ModelError
from nodes.llm.replies.overhear import OnText, overhear
from nodes.llm.replies.read import fault_of, keep_broken_off, read_reply
from nodes.llm.replies.reply import Reply, richer
from nodes.llm.replies.wire import COST, Heard
from nodes.llm.servers.options import Form, find_refused
from nodes.llm.siblings import Reading, enter
from nodes.llm.task import Task
from nodes.llm.trace import name_call
from nodes.settings import Seat, Settings

R = TypeVar("R")
T = TypeVar("T", bound=BaseModel)

GRACE_S = 1.0
"""Seconds after its time limit at which a reply that still comes is broken off for good."""

_log = logging.getLogger(__name__)


class Caller:
    """One task's access to its models.

    Attributes:
        calls: Every request made so far, failed ones included.
        model: The model asked, as `provider:name`; after a failure the fallback.
        said: What the model had said before a call broke off; it is not whole.
        on_start: Called as the first request is sent.
    """

    read, read_broken_off = staticmethod(read_reply), staticmethod(keep_broken_off)

    def __init__(
        self,
        settings: Settings,
        task: Task,
        on_start: Callable[[], None] | None = None,
        on_text: OnText | None = None,
    ) -> None:
        """Prepare calls.

        Args:
            settings: The run's settings.
            task: What the calls are for.
            on_start: See above.
            on_text: Is told of a reply's text while it is written; the reply is streamed then.
        """
        self.calls: list[Call] = []
        self._seat: Seat = task.seat or task.role
        self.model = settings.model_for(self._seat)
        self._settings, self._task, self.on_start, self._on_text = settings, task, on_start, on_text
        self._seconds = settings.request_timeout if task.time_limit is None else task.time_limit
        self._limit_name = "request_timeout" if task.time_limit is None else "thread_timeout"
        self._limit = TimeLimit(self._seconds)
        self._ceilings = Ceilings(settings.requests_per_minute, settings.tokens_per_minute)
        self._where = ""
        self._fault: ModelError | None = None
        self._reading = Reading()
        self.said: Reply | None = None
        self._asked_to_wait: float | None = None
        self._steers = False
        """Whether an object is asked for that only steers: it may stand in the model's thoughts, an answer may not."""
        self._first = 0  # of its requests, the first for the present reply

    async def text(self, messages: Sequence[BaseMessage], extra: Mapping[str, Any] | None = None) -> Reply:
        """Ask for text, with `extra` fields in the request's body. What comes may be cut: its `state` tells.

        Raises:
            ModelError: No usable reply came; `calls` tells what was tried, `reply` what the model had said by then.
            ConfigurationError: A key or an extra is missing.
        """
        try:
            return await self._ask(lambda group: self.request(group, messages, **extra or {}))
        except ModelError as error:
            error.reply = richer(error.reply, self.said)
            if error.reply:
                error.reply = error.reply._replace(shortfall=str(error))
            raise

    async def structured(self, messages: Sequence[BaseMessage], shape: type[T]) -> T:
        """Ask for an object of `shape`, down the ladder of `nodes.llm.structured`.

        Raises:
            ModelError: No usable reply came; `calls` tells what was tried.
            ConfigurationError: A key or an extra is missing.
        """
        # The reviewer's object holds the answer, a search's step a result; others only steer, whole once their JSON is.
        strict = self._task.role in ("review", "solve")
        self._steers = not strict
        return await self._ask(
            lambda group: structured.ask(
                partial(self.request, group), group.best().learnt, messages, shape, strict=strict
            )
        )

    async def _ask(self, ask: Callable[[Group], Awaitable[R]]) -> R:
        try:
            return await self._in_time(ask)
        except ModelError as error:
            other, same = self._settings.fallback_model, self.asks_as("fallback")
            if other is None or (other == self.model and same) or error.kind in OUT_OF_BUDGET:
                raise
            _log.info("%s falls back to %s: %s", self._task.role, other, error)
            first, self.model, self._seat = error, str(other), "fallback"
        try:
            return await self._in_time(ask)
        except ModelError as error:
            raise ModelError(error.kind, f"{error}; before that: {first}") from first

    def asks_as(self, seat: Seat) -> bool:
        """Whether the servers asked, and their key, are those of another role."""
        return self._settings.servers_for(self._seat) == self._settings.servers_for(seat)

    async def _in_time(self, ask: Callable[[Group], Awaitable[R]]) -> R:
        self._fault = None
        self._limit = limit = TimeLimit(self._seconds, self._task.budget.latest)
        try:
            async with limit:
                with limit.stop_clock():  # the embedded model may have to be loaded first
                    group = await group_for(self._settings, self._seat)
                    await group.best().prepare(self._task.prompt)
                return await ask(group)
        except TimeoutError as late:
            raise self._late() from late

    def _late(self) -> ModelError:
        who = f"`{self.model}`{self._where}"
        return too_late(self._settings, self._limit_name, who, by_run=self._limit.by_run, fault=self._fault)

    async def request(self, group: Group, messages: Sequence[BaseMessage], **extra: Any) -> Reply:
        """Send a request, again where another try may mend a fault (see `nodes.llm.replies.errors.RETRYABLE`).

        Args:
            group: Whom to ask: a try goes to the server that is the best one then.
            messages: The conversation.
            extra: Fields for the request's body.

        Raises:
            ModelError: The last try failed, or a fault that no try would mend.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, ModelError) and error.retryable),
            stop=partial(self._enough, len(self.calls), bool(extra)),
            wait=retries.wait,
            reraise=True,
        )
        return await retrying(self._once, group, messages, extra)

    def _enough(self, before: int, other_way: bool, state: tenacity.RetryCallState) -> bool:
        if retries.goes_elsewhere(state):  # not without end: each server that fails is left out for a while
            return self._limit.left() <= 0
        tried = self.calls[before:]
        if not tried:  # it had no turn at all
            return True
        # A try that would end beyond the time limit helps nobody: better to say now what went wrong.
        too_late = state.upcoming_sleep + tried[-1].latency_s >= self._limit.left()
        return too_late or retries.often_enough(tried, other_way=other_way)

    async def _once(self, group: Group, messages: Sequence[BaseMessage], extra: dict[str, Any]) -> Reply:
        """Send a request, and again without a field that the server refuses; that is remembered."""
        while True:
            with group.lease() as client:
                self._where = f" at {client.endpoint.address}"
                form = client.form(self._settings, self._task, extra)
                try:
                    return await self._try(client, messages, form)
                except ModelError as error:
                    refused = find_refused(error, form.sent)
                    if refused is None:
                        raise
                    _log.info("%s takes no %s", self.model, refused.name)
                    client.learnt.refused.add(refused.name)
                except asyncio.CancelledError:
                    if self._limit.expired and not self._limit.by_run:
                        group.fail(client, "timed_out")
                    raise

    async def _try(self, client: Client, messages: Sequence[BaseMessage], form: Form) -> Reply:
        written = max(UNSEEN_REPLY_TOKENS, client.learnt.pace.expect(self._task.stage))
        read, ledger = count_characters(messages) // ENGLISH_CHARACTERS_A_TOKEN, self._task.budget.ledger
        reserved = await ledger.reserve(self.model, read, written)
        calls_before = len(self.calls)
        try:
            asked = time.perf_counter()
            turn = await self._turn(client, reserved.tokens, messages)
            try:
                call = self._begin(client, turn, time.perf_counter() - asked)
                call.left_out = list(form.left_out)
                return await self._send(client, call, messages, form)
            finally:
                client.take_back(turn, self.calls[-1], self._asked_to_wait)
        finally:
            self._reading.end()
            ledger.settle(reserved, self.model, total_usage(self.calls[calls_before:]))

    async def _turn(self, client: Client, tokens: int, messages: Sequence[BaseMessage]) -> Turn:
        """Wait until the endpoint may be sent one more request; the task's clock stands meanwhile."""
        patience, again = self._limit.left(), bool(self.calls)
        try:
            with self._limit.stop_clock():
                self._reading = await enter(client, self._settings, self._task, messages, again=again)
                return await client.limiter.admit(
                    self._task.run.id, tokens=tokens, ceilings=self._ceilings, patience=patience, again=again
                )
        except ShutTooLong as shut:
            raise ModelError(
                "rate_limited",
                f"{client.endpoint.address} asked to be left alone for {shut.seconds:.0f} s more (Retry-After), and "
                f"the time limit leaves {patience:.0f} s",
                retry_after=shut.seconds,
            ) from self._fault

    def _begin(self, client: Client, turn: Turn, queued: float) -> Call:
        call = self._task.record(self.model, attempt=len(self.calls) + 1 - self._first, turn=turn)
        call.queued_s, call.server = queued, client.endpoint.address
        call.window, call.window_source = client.window(self._settings)
        self.calls.append(call)
        self._asked_to_wait = None
        if len(self.calls) == 1 and self.on_start:
            self.on_start()
        return call

    async def _send(self, client: Client, call: Call, messages: Sequence[BaseMessage], form: Form) -> Reply:
        began = time.perf_counter()
        heard: list[Heard] = []
        try:
            options, task = form.options(timeout=max(0.0, self._limit.left()) + GRACE_S), self._task
            async with client.place(Purpose(task.prompt, task.role, task.run.id, task.thread_id, task.sample)) as place:
                if place:
                    options["extra_body"] = {**options.get("extra_body", {}), **place}
                if self._on_text or self._reading.first:
                    options["stream"] = True
                named = name_call(call, task.prompt, task.subquestion)
                with overhear(self._on_text, self._reading.begin) as heard:
                    message = await client.chat.ainvoke(list(messages), config=named, **options)
            call.usage = Usage.from_metadata(getattr(message, "usage_metadata", None))
            call.cost_usd = message.response_metadata.get(COST)
            reply = self.read(message)
            call.keep_thoughts(reply.reasoning)
            if fault := fault_of(reply, as_object=self._steers):
                raise fault
            if not (reply.text or form.extra or self._steers):
                # A tool call, where no tool was offered.
                raise ModelError("empty", "the model's reply holds no text")
            call.status = "ok"
            return reply
        except asyncio.CancelledError:
            failure = self._late() if self._limit.expired else ModelError("cancelled", "the call was broken off")
            call.status = failure.kind
            self._keep(call, failure, heard)
            if call.ahead and failure.kind == "cancelled":
                written = sum(len(reply.text) + len(reply.reasoning) for reply in heard)
                call.usage = estimate_usage(count_characters(messages), written)
            raise
        except ConfigurationError:
            raise
        except Exception as error:
            failure = classify(error, client.endpoint)
            self._keep(call, failure, heard if isinstance(error, CallFailed) else [])
            call.status = failure.kind
            self._fault, self._asked_to_wait = failure, failure.retry_after
            _log.info("%s call failed (%s): %s", self._task.role, failure.kind, failure)
            raise failure from error
        finally:
            call.latency_s = time.perf_counter() - began

    def _keep(self, call: Call, failure: ModelError, heard: Sequence[Heard]) -> None:
        """Keep what had come of a reply before it failed, and its usage as far as it was told."""
        if heard:
            call.usage = Usage.from_metadata(heard[-1].usage)
            failure.reply = self.read_broken_off(heard[-1].text, heard[-1].reasoning, failure)
            call.keep_thoughts(failure.reply.reasoning if failure.reply else "")
        self.said = richer(failure.reply, self.said)
