"""What goes through Temporal stays within what its server takes, however much a run reads."""

from typing import Any

import pytest

from graphs.build import build_graph
from nodes.state import Solution
from tests.support.server import model_server, outline
from tests.support.services.temporal import workers

pytestmark = pytest.mark.asyncio(loop_scope="module")

THREADS, DOCUMENTS = 24, 600
NAME = "a folder within another one, " * 10
"""Of a document: all names together are some 180 KB, and with each thread they would be more than 4 MB."""


@pytest.mark.full
async def test_many_threads_over_many_documents(engine: str, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APR_STORE", store)
    parts = [f"What does document {number} say?" for number in range(THREADS)]
    documents = [{"id": f"{NAME}{number}", "text": f"It says {number}."} for number in range(DOCUMENTS)]
    async with model_server() as server, workers(server, engine, store):
        server.on("assess", outline(*(f"{n} {THREADS + n}" for n in range(1, THREADS + 1)), answer="list"))
        context: dict[str, Any] = {
            **{"model": "openai:scripted", "base_url": server.url, "split": "if_independent", "head_start": "off"},
            **{"max_threads": THREADS, "max_parallel": THREADS, "review": "off"},
        }
        problem = {"question": "\n".join(parts), "documents": documents}
        values = await build_graph(engine=engine).ainvoke(problem, context=context)
    solution = Solution.model_validate(values)
    assert (solution.outcome, len(solution.threads)) == ("complete", THREADS)
    # Each has read its own document.
    asked = [request.last for request in server.calls("solve")]
    for number, part in enumerate(parts):
        (one,) = [text for text in asked if text.endswith(part)]
        assert f"It says {number}." in one and f"It says {number + 1}." not in one
