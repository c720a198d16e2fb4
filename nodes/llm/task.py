"""What the calls of one task are for."""

from dataclasses import dataclass

from nodes.llm.endpoints.usage import Call, stage_of
from nodes.llm.limits.budget import Budget
from nodes.llm.limits.limiter import Turn
from nodes.settings import Role, Seat
from nodes.shared.run import Run


@dataclass(frozen=True)
class Task:
    """What the calls of one task are for.

    Attributes:
        role: What they are for; chooses the model.
        run: The run that the calls belong to.
        prompt: Name and version of the prompt, for traces.
        budget: What the task may still use of the run's time and tokens.
        time_limit: Seconds that each reply may take, retries included and waiting for a turn not; `request_timeout`
            where it is left out.
        thread_id: The thread that the calls are for, if for one.
        subquestion: What that thread is asked, for traces.
        round: 0 for the first pass, then 1, 2, …
        hedge: Whether the calls are a second copy of a late thread's.
        ahead: Whether they begin before it is certain that they are needed.
        step: Which step of its thread's work they belong to; one begins when the one before it has ended.
        sample: Which of those that the step asks side by side they are, from 1; 0 where it asks one.
        varied: Whether the same is asked beside it or was before, so that the replies must differ.
        seat: Who is asked instead of the role's own model, if so.
    """

    role: Role
    run: Run
    prompt: str
    budget: Budget
    time_limit: float | None = None
    thread_id: str | None = None
    subquestion: str | None = None
    round: int = 0
    hedge: bool = False
    ahead: bool = False
    step: int = 0
    sample: int = 0
    varied: bool = False
    seat: Seat | None = None

    @property
    def stage(self) -> str:
        """The node that makes the calls."""
        return stage_of(self.role, self.thread_id)

    def record(self, model: str, *, attempt: int, turn: Turn) -> Call:
        """Begin the record of a request.

        Args:
            model: Who is asked, as `provider:name`.
            attempt: 1 for the first request of the task, 2 for the next, …
            turn: The turn that it has got at its endpoint.
        """
        return Call(
            run_id=self.run.id,
            role=self.role,
            thread_id=self.thread_id,
            round=self.round,
            attempt=attempt,
            hedge=self.hedge,
            ahead=self.ahead,
            step=self.step,
            sample=self.sample,
            easy=self.seat == "easy",
            model=model,
            started_s=self.run.elapsed(),
            degree=turn.degree,
            degree_reason=turn.reason,
        )
