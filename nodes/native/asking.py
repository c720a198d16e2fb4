"""What a trained model is asked: the question in its own template, without rules of ours, which it does not know."""

from collections.abc import Callable, Iterable

from nodes.input.excerpts import whole
from nodes.llm.continuing import Continuer
from nodes.llm.endpoints.usage import Call
from nodes.llm.group import known_client
from nodes.llm.limits.budget import Budget, budget, latest
from nodes.llm.limits.ledger import Ledger, spending
from nodes.llm.servers.template import apply_template
from nodes.llm.task import Task
from nodes.native.state import BranchTask
from nodes.settings import Settings
from nodes.shared.knobs.native import QUESTION_MARK
from nodes.shared.run import Run
from nodes.state import Problem
from prompts import block

CHATML = f"<|im_start|>user\n{QUESTION_MARK}<|im_end|>\n<|im_start|>assistant\n"
"""The template of Qwen's models, on which the published ones are built; where neither server nor setting has one."""


def ask_question(problem: Problem) -> str:
    """Put the whole input into one message; the question alone stays as it is."""
    documents = [segment for segment in problem.segments() if segment.kind == "document"]
    around = block("Instructions", problem.instructions) + block("Material", whole(documents))
    return around + problem.question


async def write_prompt(settings: Settings, run: Run, question: str) -> str:
    """Put the question into the model's chat template: the setting's, else the server's, else Qwen's.

    Args:
        settings: The run's settings.
        run: The run.
        question: What is asked, in one message.
    """
    template = settings.prompt_template
    if template is None:
        client = await known_client(settings, "solve", until=latest(settings, run, "solve"))
        until = latest(settings, run, "assess")
        if client and (prompt := await apply_template(client.endpoint, client.connection.http, question, until=until)):
            return prompt
    return (template or CHATML).replace(QUESTION_MARK, question)


def prepare_sequel(settings: Settings, run: Run, calls: Iterable[Call], *, share: str, round: int) -> Continuer:
    """Prepare a call that goes on with the trajectory itself.

    Args:
        settings: The run's settings.
        run: The run.
        calls: All that the run has asked so far.
        share: What it may use of the run's time: a key of `nodes.llm.limits.budget.SHARES`.
        round: The block that it comes after.
    """
    within = budget(settings, run, share, spending(calls))
    return Continuer(settings, Task(role="solve", run=run, prompt=settings.grammar, budget=within, round=round))


def prepare_branch(settings: Settings, task: BranchTask, ledger: Ledger, on_start: Callable[[], None]) -> Continuer:
    """Prepare the call of a thread.

    Args:
        settings: The run's settings.
        task: The thread.
        ledger: The tokens that it shares with its siblings.
        on_start: Called as the request is sent.
    """
    asked = Task(
        role="solve",
        run=task.run,
        prompt=settings.grammar,
        budget=Budget(latest(settings, task.run, "solve"), ledger),
        time_limit=settings.thread_timeout,
        thread_id=task.spec.id,
        subquestion=task.spec.subquestion,
        round=task.round,
    )
    return Continuer(settings, asked, on_start)
