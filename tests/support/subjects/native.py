"""Trajectories of models that open threads by themselves, and what must come of them."""

from typing import Any

from graphs import native
from nodes.state import Solution
from tests.support.server import ModelServer

QUESTION = {"question": "What is 12 * 34 + 56 * 78?"}
PROMPT = "<|im_start|>user\nWhat is 12 * 34 + 56 * 78?<|im_end|>\n<|im_start|>assistant\n"
BEGINNING = (
    "<think>\nTwo products.\n<Parallel>\n<Outlines>\n<Outline>1: Work out 12 * 34.</Outline>\n"
    "<Outline>2: Work out 56 * 78.</Outline>\n</Outlines>"
)
ONE, TWO = " 12 * 34 is 408.", " 56 * 78 is 4368."
BLOCK = f"\n<Thread>\n1:{ONE}</Thread><Thread>\n2:{TWO}</Thread>\n"
ENDING = "</Parallel>\nThe sum is 4776.\n</think>\n\nIt is 4776."
WHOLE = BEGINNING + BLOCK + ENDING


def script(server: ModelServer) -> None:
    """Script a sound trajectory of one block."""
    texts = server.texts
    texts.on("0", BEGINNING).on("1:1", f"{ONE}</Thread>").on("1:2", f"{TWO}</Thread>").on("1", ENDING)
    texts.on("pass", "<think>\nAll at once.\n</think>\n\nIt is 4776, in one pass.")


async def run(context: dict[str, Any], graph: Any = native, config: Any = None, **settings: Any) -> Solution:
    """Run it to its end."""
    return Solution.model_validate(await graph.ainvoke(QUESTION, config, context={**context, **settings}))
