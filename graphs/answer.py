"""One question, one typed answer: the workflow as a function.

```python
import asyncio
from pathlib import Path

from graphs import answer


async def main() -> None:
    solution = await answer(
        "Which bug does each of these files have?",
        documents=[Path("search.py"), ("users.py", "def find(name): ...")],
        model="openai:gpt-5-mini",
        max_parallel=4,
    )
    print(solution.answer)
    print(solution.outcome, [(thread.id, thread.status) for thread in solution.threads], solution.report.wall_s)


asyncio.run(main())
```

A script without an event loop says `answer_sync(…)` instead. Type checkers and editors know every argument and every
field. `graphs.stream_answer` yields the answer as it grows. What waits for a person or is kept in a checkpointer is
asked of the graph itself: `graphs.graph`, `graphs.build_graph`.
"""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

from graphs.adaptive import graph
from nodes.boundary.side_loop import run_aside
from nodes.input.decoding import decode_text
from nodes.settings import Settings
from nodes.shared.knobs.models import Effort
from nodes.shared.knobs.native import GrammarName
from nodes.shared.knobs.solvers import Solver
from nodes.shared.knobs.work import HeadStart, Oversight, ReviewMode, SharePrefix, Split, StopWhen
from nodes.state import Document, Solution

DocumentLike = Document | Mapping[str, Any] | tuple[str, str] | Path
"""A document, its fields, its id and text, or a file of text, whose id is its path."""


class Options(TypedDict, total=False):
    """The settings by name, as `nodes.settings.Settings` describes and bounds them."""

    model: str
    assess_model: str | None
    decompose_model: str | None
    solve_model: str | None
    easy_model: str | None
    review_model: str | None
    fallback_model: str | None
    base_url: str | list[str] | None
    api_key_env: str | None
    assess_base_url: str | list[str] | None
    assess_api_key_env: str | None
    decompose_base_url: str | list[str] | None
    decompose_api_key_env: str | None
    solve_base_url: str | list[str] | None
    solve_api_key_env: str | None
    easy_base_url: str | list[str] | None
    easy_api_key_env: str | None
    review_base_url: str | list[str] | None
    review_api_key_env: str | None
    fallback_base_url: str | list[str] | None
    fallback_api_key_env: str | None
    temperature: float | None
    top_p: float | None
    seed: int | None
    extra_body: dict[str, Any] | None
    max_tokens: int | None
    reasoning_effort: Effort | None
    assess_effort: Effort | None
    decompose_effort: Effort | None
    solve_effort: Effort | None
    review_effort: Effort | None
    max_threads: int
    max_depth: int
    max_parallel: int
    max_rounds: int
    thread_timeout: float
    request_timeout: float
    max_tool_calls: int
    tool_timeout: float
    hedge: float | None
    deadline: float | None
    max_total_tokens: int | None
    max_cost: float | None
    prices: dict[str, dict[str, float]] | None
    context_window: int | None
    window_share: float
    baseline: bool
    requests_per_minute: int | None
    tokens_per_minute: int | None
    cache: bool
    cache_ttl: float | None
    mcp_config: str | None
    prompts: str
    planner: str
    split: Split
    head_start: HeadStart
    share_prefix: SharePrefix
    oversight: Oversight
    scoped: bool
    review: ReviewMode
    stop_when: StopWhen
    solver: Solver
    samples: int
    tree_iterations: int
    tree_width: int
    tree_depth: int
    tree_tokens: int
    grammar: GrammarName
    max_blocks: int
    prompt_template: str | None


async def answer(
    question: str,
    *,
    documents: Iterable[DocumentLike] = (),
    instructions: str = "",
    **settings: Unpack[Options],
) -> Solution:
    """Answer a question, in threads side by side where it has independent parts.

    Args:
        question: What is asked.
        documents: What threads may need whole: each a `Document`, its fields `{"id": …, "text": …}`, a pair of id and
            text, or the path of a text file.
        instructions: What holds for every thread and for the answer.
        settings: How the run is made, such as `model="openai:gpt-5-mini"`; what is left out comes from the environment,
            else it is the default.

    Returns:
        The answer with all that led to it. A model that fails raises nothing: see `outcome` and `stop_reason`.

    Raises:
        pydantic.ValidationError: A setting is unknown or out of bounds, or the input is empty or too large.
        nodes.llm.replies.errors.ConfigurationError: A key or an extra is missing.
        TypeError: A document is none of these.
        OSError: A file cannot be read.
        ValueError: A file holds no text.
    """
    # Made here, since a graph that runs inside another one passes over names that may be the other's.
    chosen = Settings(**settings)
    problem = await read_problem(question, documents, instructions)
    return Solution.model_validate(await graph.ainvoke(problem, context=chosen))


def answer_sync(
    question: str,
    *,
    documents: Iterable[DocumentLike] = (),
    instructions: str = "",
    **settings: Unpack[Options],
) -> Solution:
    """Do the same as `answer` while this thread waits; several threads may ask at once."""
    return run_aside(answer(question, documents=documents, instructions=instructions, **settings))


async def read_problem(question: str, documents: Iterable[DocumentLike], instructions: str) -> dict[str, Any]:
    """Make the input of a graph, and read the documents that are files.

    Raises:
        TypeError: A document is none of these.
        OSError: A file cannot be read.
        ValueError: A file holds no text.
    """
    read = [await _read(document) for document in documents]
    return {"question": question, "documents": read, "instructions": instructions}


async def _read(document: DocumentLike) -> Document | Mapping[str, Any]:
    match document:
        case Document() | Mapping():
            return document
        case Path():
            content = await asyncio.to_thread(document.read_bytes)
            return {"id": str(document), "text": decode_text(content, str(document))}
        case (id, text):
            return {"id": id, "text": text}
    raise TypeError(
        "`documents` is a list of documents, each a Document, its fields {id, text, title?}, a pair of id and text, or "
        f"a pathlib.Path; this is {type(document).__name__}"
    )
