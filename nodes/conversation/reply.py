"""The message that answers: the answer, what is missing, and the run's outcome and figures beside it (pure)."""

from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

from nodes.llm.endpoints.usage import Usage
from nodes.llm.replies.text import shorten
from nodes.state import Solution

FIGURES = "apr"
"""Where a message keeps, in its `additional_kwargs`, how its run went."""
MAX_TURN_RESULT_CHARACTERS = 2_000
"""Characters of a thread's result that a message keeps for follow-up questions."""


def shortfall_of(solution: Solution) -> str:
    """Say what a reader must be told beside the answer: what is missing, or why there is none; empty for nothing."""
    if solution.outcome == "complete":
        return ""
    return f"[{'No answer' if solution.outcome == 'failed' else 'Incomplete'}: {solution.stop_reason}]"


def text_of(solution: Solution) -> str:
    """Write all that a reader of a conversation sees: the answer, and what is missing."""
    return "\n\n".join(filter(None, [solution.answer, shortfall_of(solution)]))


def figures_of(solution: Solution) -> dict[str, Any]:
    """Return how a run went, in short, as JSON; threads with their results, which follow-up questions may build on."""
    report = solution.report
    threads = [
        {
            "id": thread.id,
            "subquestion": thread.subquestion,
            "status": thread.status,
            "answer": shorten(thread.answer, MAX_TURN_RESULT_CHARACTERS),
        }
        for thread in solution.threads
    ]
    return {
        "outcome": solution.outcome,
        "stop_reason": solution.stop_reason,
        "route": solution.route,
        "threads": threads,
        "calls": report.calls,
        "wall_s": report.wall_s,
        "rounds": report.rounds,
        "retries": report.retries,
        "cost_usd": report.cost_usd,
    }


def usage_of(tokens: Usage) -> UsageMetadata:
    """Count tokens as LangChain does."""
    return UsageMetadata(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        total_tokens=tokens.total,
        input_token_details=InputTokenDetails(cache_read=tokens.cached),
        output_token_details=OutputTokenDetails(reasoning=tokens.reasoning),
    )


def reply_of(solution: Solution, id: str, model: str = "adaptive") -> AIMessage:
    """Write the message that answers.

    Args:
        solution: What the run came to.
        id: The message's id.
        model: What answered: the graph's name.
    """
    return AIMessage(
        content=text_of(solution),
        id=id,
        additional_kwargs={FIGURES: figures_of(solution)},
        response_metadata={"model_name": model, "outcome": solution.outcome},
        usage_metadata=usage_of(solution.report.tokens),
    )


def last_chunk(reply: AIMessage, shown: str) -> AIMessageChunk:
    """Return what is left of a message whose beginning has been streamed."""
    return AIMessageChunk(
        content=str(reply.text).removeprefix(shown),
        id=reply.id,
        additional_kwargs=reply.additional_kwargs,
        response_metadata=reply.response_metadata,
        usage_metadata=reply.usage_metadata,
        chunk_position="last",
    )
