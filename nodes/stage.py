"""What every stage that asks a model does: its prompt, its budget, its caller, and its end where no reply came."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nodes.llm.caller import Caller
from nodes.llm.endpoints.usage import Call
from nodes.llm.limits.budget import Budget, budget
from nodes.llm.limits.ledger import spending
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.overhear import OnText
from nodes.llm.task import Task
from nodes.planning.plan import ThreadSpec
from nodes.settings import Role, Seat, Settings
from nodes.shared.run import Run
from nodes.tools.user import make_caller
from prompts import Family, Prompt


@dataclass(frozen=True)
class Stage:
    """A stage that asks a model.

    Attributes:
        role: Chooses the model.
        prompts: The versions of its prompt.
        share: What it may use of the run's time: a key of `nodes.llm.limits.budget.SHARES`.
    """

    role: Role
    prompts: Family
    share: str

    def prompt(self, settings: Settings) -> Prompt:
        """Return the version that the run uses."""
        return self.prompts.choose(settings.prompts)

    def task(
        self,
        settings: Settings,
        run: Run,
        budget: Budget,
        *,
        thread: ThreadSpec | None = None,
        round: int = 0,
        time_limit: float | None = None,
        hedge: bool = False,
        ahead: bool = False,
        step: int = 0,
        sample: int = 0,
        varied: bool = False,
        seat: Seat | None = None,
    ) -> Task:
        """Say what calls are for; see `nodes.llm.task.Task`."""
        return Task(
            role=self.role,
            run=run,
            prompt=self.prompt(settings).label,
            budget=budget,
            time_limit=time_limit,
            thread_id=thread.id if thread else None,
            subquestion=thread.subquestion if thread else None,
            round=round,
            hedge=hedge,
            ahead=ahead,
            step=step,
            sample=sample,
            varied=varied,
            seat=seat,
        )

    def caller(
        self,
        settings: Settings,
        run: Run,
        calls: Iterable[Call] = (),
        *,
        thread: ThreadSpec | None = None,
        round: int = 0,
        ahead: bool = False,
        time_limit: float | None = None,
        on_text: OnText | None = None,
    ) -> Caller:
        """Prepare the stage's calls.

        Args:
            settings: The run's settings.
            run: The run.
            calls: All that the run has asked so far, which its budget is less by.
            thread: The thread that they are for, if for one.
            round: The run's round.
            ahead: Whether they begin before it is certain that they are needed.
            time_limit: Seconds that each reply may take; `request_timeout` where it is left out.
            on_text: Is told of a reply's text while it is written.
        """
        within = budget(settings, run, self.share, spending(calls))
        task = self.task(settings, run, within, thread=thread, round=round, time_limit=time_limit, ahead=ahead)
        return make_caller(settings, task, on_text=on_text)


def stage_failed(stage: str, caller: Caller, error: ModelError) -> dict[str, Any]:
    """Return the update that records a stage without a usable reply; the run goes on without it.

    Args:
        stage: The stage's name.
        caller: Who asked.
        error: Why there was no reply.
    """
    dead = caller.model if error.hopeless and caller.asks_as("solve") else ""
    return {"problems": [f"{stage}: {error}"], "dead_model": dead, "calls": caller.calls}
