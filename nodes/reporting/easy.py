"""What the model for easy threads took over, and what that saved (pure)."""

from collections import Counter
from collections.abc import Callable, Sequence

from nodes.llm.endpoints.usage import Call, Usage
from nodes.reporting.prices import Cost
from nodes.reporting.report import EasyThreads
from nodes.settings import Settings


def count_easy(calls: Sequence[Call], settings: Settings, price: Callable[[str, Usage], Cost]) -> EasyThreads | None:
    """Count the threads by the model that was asked first; nothing without `easy_model`, or where no thread was asked.

    Args:
        calls: Every request of the run.
        settings: The run's settings.
        price: Tells what a model's usage cost.
    """
    own = [call for call in calls if call.thread_id and call.stage == "solve"]
    if not settings.easy_model or not own:
        return None
    first: dict[str, str] = {}
    for call in own:
        first.setdefault(str(call.thread_id), call.model)
    easy = [call for call in own if call.easy and call.model == settings.easy_model]
    again = {call.thread_id for call in own if call.round and not call.easy}
    sent_back = again & {call.thread_id for call in easy}
    saved: float | None = 0.0
    for call in easy:
        cheap = price(settings.easy_model, call.usage).usd
        dear = price(settings.model_for("solve"), call.usage).usd
        if cheap is None or dear is None:
            saved = None
            break
        # What was sent back was paid in full beside it.
        saved = (saved or 0.0) + (0.0 if call.thread_id in sent_back else dear) - cheap
    return EasyThreads(
        model=settings.easy_model,
        asked=dict(Counter(first.values())),
        threads=len({call.thread_id for call in easy}),
        sent_back=len(sent_back),
        saved_usd=None if saved is None else round(saved, 9),
    )
