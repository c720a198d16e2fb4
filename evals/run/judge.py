"""A model judge for free text, beside the evaluators that compare with known answers."""

import importlib.util
from collections.abc import Awaitable, Callable

from evals.item import Item
from nodes.llm.group import group_for
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.install import how_to_install

Judge = Callable[[Item, str], Awaitable[float | None]]


def judge_by(model: str, judged: Settings) -> Judge:
    """Make a judge of a model.

    Args:
        model: As `provider:name`.
        judged: The settings of the runs that are judged.

    Raises:
        ConfigurationError: openevals is missing, or the model would judge itself.
    """
    if model in judged.models():
        raise ConfigurationError(f"`{model}` cannot judge its own answers; name another model with --judge")
    if importlib.util.find_spec("openevals") is None:
        raise ConfigurationError(f"--judge needs an extra: {how_to_install('evals')}")
    from openevals.llm import create_async_llm_as_judge
    from openevals.prompts import CORRECTNESS_PROMPT

    settings = Settings(model=model)

    async def judge(item: Item, answer: str) -> float | None:
        client = (await group_for(settings, "general")).best()
        ask = create_async_llm_as_judge(
            prompt=CORRECTNESS_PROMPT, judge=getattr(client.chat, "chat", client.chat), feedback_key="correctness"
        )
        expected = "; ".join(" or ".join(wanted) for wanted in item.answers)
        told = await ask(inputs=item.question, outputs=answer, reference_outputs=expected)
        score = told["score"] if isinstance(told, dict) else None
        return None if score is None else float(score)

    return judge
