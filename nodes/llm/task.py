"""What the calls of one task are for."""

from dataclasses import dataclass

from nodes.llm.limits.budget import Budget
from nodes.settings import Role
from nodes.shared.run import Run


@dataclass(frozen=True)
class Task:
    """What the calls of one task are for.

    Attributes:
        role: Chooses the model.
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
