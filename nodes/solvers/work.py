"""One question that a solver works on: whom it asks, within what, and what it has asked so far."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from nodes.llm.caller import Caller
from nodes.llm.endpoints.usage import Call, Usage, total_usage
from nodes.llm.limits.budget import Budget
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.reply import Reply
from nodes.planning.difficulty import choose_seat
from nodes.reporting.spans import sum_covered
from nodes.settings import Settings
from nodes.shared.masking import mask_text, trace_of
from nodes.solvers.checking import find_checker
from nodes.stage import Stage
from nodes.state import ThreadTask
from nodes.threads.solving import Solving
from nodes.threads.stopping import AtWork
from nodes.tools.user import make_caller

_log = logging.getLogger(__name__)


class Work:
    """One question that a solver works on.

    Attributes:
        task: The question, with all that may be known of it; without an id it is the whole question, and no thread's.
        settings: The run's settings.
        budget: What the run has left.
        callers: Who has asked so far.
        solving: How the result was found, where there is more to tell than one call.
        step: The number of the step that is under way.
        seconds: How long all of it may take.
        checker: The task's own, if it brings one.
    """

    def __init__(
        self,
        task: ThreadTask,
        settings: Settings,
        budget: Budget,
        *,
        seconds: float,
        step: int = 0,
        on_start: Callable[[], None] | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            task: The question.
            settings: The run's settings.
            budget: What the run has left.
            seconds: How long all of it may take; waiting for turns does not count.
            step: The number of its first step.
            on_start: Called as the first request is sent.
        """
        self.task, self.settings, self.budget, self.step = task, settings, budget, step
        self.callers: list[Caller] = []
        self.solving: Solving | None = None
        self.started = asyncio.Event()
        self.checker = find_checker()
        self.seconds, self._on_start = seconds, on_start

    def caller(
        self,
        stage: Stage,
        *,
        sample: int = 0,
        varied: bool = False,
        hedge: bool = False,
        time_limit: float | None = None,
    ) -> Caller:
        """Return who asks one thing of this step.

        Args:
            stage: What is asked.
            sample: Its number among those that ask side by side; 0 for the only one.
            varied: Whether the same is asked beside it or was before, so that the replies must differ.
            hedge: Whether it is the second copy of a late one.
            time_limit: Seconds for the reply; what is left where it is left out.
        """
        task = stage.task(
            self.settings,
            self.task.run,
            self.budget,
            thread=self.task.spec if self.task.spec.id else None,
            round=self.task.round,
            time_limit=self.left() if time_limit is None else time_limit,
            hedge=hedge,
            step=self.step,
            sample=sample,
            varied=varied,
            seat=choose_seat(self.task.spec, self.settings, self.task.round) if stage.role == "solve" else None,
        )
        self.callers.append(make_caller(self.settings, task, self.begin))
        return self.callers[-1]

    def begin(self) -> None:
        """Note that the first request is on its way."""
        if not self.started.is_set():
            self.started.set()
            if self._on_start:
                self._on_start()

    @property
    def calls(self) -> list[Call]:
        """Every request made so far."""
        return [call for caller in self.callers for call in caller.calls]

    @property
    def said(self) -> Reply | None:
        """The most that the model had said in a call that broke off."""
        broken = (caller.said for caller in self.callers if caller.said)
        return max(broken, key=lambda said: len(said.text), default=None)

    @property
    def tokens(self) -> int:
        """Tokens used so far."""
        return total_usage(self.calls).total

    def left(self) -> float:
        """Return the seconds that are left; time in which no request was open does not count."""
        return self.seconds - sum_covered((call.started_s, call.latency_s) for call in self.calls)

    def charge_cancelled(self) -> None:
        """Count the prompts of what was cancelled: each read as much as the others of its step did."""
        # Backwards, so that the first of a step counts: later ones may have read a reply besides.
        read = {call.step: call.usage.input for call in reversed(self.calls) if call.status == "ok"}
        for call in self.calls:
            if call.status == "cancelled" and not call.usage.total and (input := read.get(call.step)):
                call.usage = Usage(input=input, total=input)


async def find_outcome(
    work: Work, asking: Coroutine[Any, Any, Reply], entry: AtWork | None = None
) -> Reply | ModelError:
    """Return the reply, or why there is none; of a thread that is stopped, what had come by then.

    Args:
        work: The question.
        asking: What a solver does about it.
        entry: Who may stop the thread, if it is one.
    """
    try:
        return await asking
    except ModelError as error:
        return error
    except asyncio.CancelledError:
        if entry is None or not entry.stopped:
            raise
        return ModelError("cancelled", entry.why, reply=work.said)
    except Exception as error:  # a fault of ours must not sink the siblings either
        _log.error("thread %s broke:\n%s", work.task.spec.id, trace_of(error))
        return ModelError("bad_reply", mask_text(f"{type(error).__name__}: {error}"))
