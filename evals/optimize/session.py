"""One optimisation: score the prompt as it is, let an optimiser work, score what it found on items it never saw."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dspy

from evals.item import Item
from evals.optimize.optimizers import Search, choose_optimizer, make_proposer, optimize
from evals.optimize.program import PromptProgram, fields, make_asker
from evals.optimize.tasks import Judged, Task, mean
from evals.optimize.write import make_default, next_version, write_version
from nodes.llm.group import group_for
from nodes.settings import Settings
from nodes.shared.record import Record
from prompts import FOLDER, Prompt


class Order(Record):
    """What is to be done."""

    optimizer: str
    """One of `OPTIMIZERS`, or `auto`."""
    calls: int
    items: int
    held_out: int
    most_examples: int
    seed: int
    threads: int
    data: Path | None = None
    folder: Path = FOLDER


class Figures(Record):
    """How good a prompt is, on the mean of some items."""

    score: float
    path: float
    """Tokens generated one after another where its replies are followed."""

    def __str__(self) -> str:
        """Say both."""
        return f"{self.score:.3f} ({self.path:.0f} tokens one after another)"


class Outcome(Record):
    """What came of it."""

    label: str
    path: Path
    optimizer: str
    before: Figures
    after: Figures
    n: int
    adopted: bool


def optimise(task: Task, start: Prompt, settings: Settings, order: Order, tell: Callable[[str], None]) -> Outcome:
    """Optimise a prompt and write what was found as its next version.

    Args:
        task: What it is to be good at.
        start: The version to start from.
        settings: The model that it is optimised for.
        order: What is to be done.
        tell: Takes a line of progress.
    """
    train, scored = task.examples("tuning"), task.draw_scored("tuning", order.data, order.items, order.seed)
    held_out = task.draw_scored("held-out", order.data, order.held_out, order.seed)
    with _loop() as loop:
        program = PromptProgram(start, make_asker(settings, task.name, task.shape, loop))
        tell(f"{start.label}: scoring it on {len(held_out)} held-out items")
        before = measure(task, program, held_out, order.threads)
        tell(f"{start.label}: {before}")
        name = choose_optimizer(order.calls, len(scored)) if order.optimizer == "auto" else order.optimizer
        tell(f"{name}: about {order.calls} calls, on {len(scored)} items; examples out of {len(train)}")
        group = asyncio.run_coroutine_threadsafe(group_for(settings, "general"), loop).result()
        endpoint = group.best().endpoint
        search = Search(
            metric=_metric(task),
            feedback=_feedback(task),
            train=[_example(task, item) for item in train],
            scored=[_example(task, item) for item in scored],
            calls=order.calls,
            most_examples=order.most_examples,
            proposer=make_proposer(endpoint.name, endpoint.base_url, endpoint.api_key.get_secret_value()),
            threads=order.threads,
            seed=order.seed,
        )
        best, chosen = optimize(name, program, search)
        after = measure(task, best, held_out, order.threads)
        tell(f"found: {after}, with {len(best.demos)} examples")
    prompt = best.prompt(next_version(task.name, order.folder))
    about = {
        "from": start.label,
        "optimizer": f"dspy {dspy.__version__} {name}",
        "settings": chosen,
        "model": settings.model,
        "seed": order.seed,
        "scored_on": len(scored),
        "held_out": {"n": len(held_out), "before": round(before.score, 3), "after": round(after.score, 3)},
        "critical_path_tokens": {"before": round(before.path), "after": round(after.path)},
    }
    path = write_version(prompt, about, order.folder)
    adopted = after.score > before.score
    if adopted:
        make_default(prompt, order.folder)
    return Outcome(
        label=prompt.label, path=path, optimizer=name, before=before, after=after, n=len(held_out), adopted=adopted
    )


def measure(task: Task, program: PromptProgram, items: Sequence[Item], threads: int) -> Figures:
    """Measure a program; a reply that is no reply scores 0, and its path does not count."""

    def one(item: Item) -> Judged | None:
        return _judge(task, item, program(**fields(task.variables(item))))

    with ThreadPoolExecutor(threads) as pool:
        judged = list(pool.map(one, items))
    return Figures(
        score=mean([one.points if one else 0.0 for one in judged]), path=mean([one.path for one in judged if one])
    )


def _judge(task: Task, item: Item, told: Any) -> Judged | None:
    parsed = getattr(told, "parsed", None)
    return task.judge(item, parsed) if parsed is not None else None


def _score(task: Task, item: Item, told: Any) -> float:
    judged = _judge(task, item, told)
    return judged.points if judged else 0.0


def _example(task: Task, item: Item) -> Any:
    given = fields(task.variables(item))
    return dspy.Example(**given, item=item, reply=task.wanted(item)).with_inputs(*given)


def _metric(task: Task) -> Callable[..., float]:
    return lambda example, told, trace=None: _score(task, example.item, told)


def _feedback(task: Task) -> Callable[..., Any]:
    def judge_prediction(
        example: Any, told: Any, trace: Any = None, pred_name: Any = None, pred_trace: Any = None
    ) -> Any:
        found = _judge(task, example.item, told)
        return dspy.Prediction(
            score=found.points if found else 0.0, feedback=found.words if found else "No usable JSON."
        )

    return judge_prediction


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="model calls", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
