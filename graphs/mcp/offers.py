"""What the tools take and give: the schemas that MCP clients see (pure)."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from nodes.shared.cleaning import one_line
from nodes.state import Document, Outcome, Route, Solution
from nodes.threads.results import list_missing

MAX_MISSING_LISTED = 5
"""Missing threads that are named one by one."""
MAX_LOSS_CHARACTERS = 120
"""Of what is told of one missing thread, since every word is read by a model that pays for it."""


class Choices(BaseModel):
    """What a caller may choose of how the run is made; all else is for whoever runs the server."""

    model_config = ConfigDict(extra="forbid")

    instructions: str = Field("", description="Rules for every thread and for the answer.")
    model: str | None = Field(
        None, description="Model as provider:name, such as openai:gpt-5-mini. Default: the server's."
    )
    max_parallel: int | None = Field(None, description="Most threads at once, 1 to 64. Default: the server's.")
    deadline: float | None = Field(None, description="Seconds that the whole run may take. Default: the server's.")
    max_total_tokens: int | None = Field(None, description="Tokens that the run may use. Default: the server's.")

    def settings(self) -> dict[str, Any]:
        """Return the settings that the caller chose."""
        chosen = self.model_dump(include=set(Choices.model_fields) - {"instructions"})
        return {name: value for name, value in chosen.items() if value is not None}


class AnswerInput(Choices):
    """What `answer` takes."""

    question: str = Field(description="What is asked; it may have many parts.")
    documents: list[Document] = Field(default_factory=list, description="Texts that the question is about.")


class GivenFile(BaseModel):
    """A file to review."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="Where it is, or with `text` only its name.")
    text: str | None = Field(None, description="Its text. If left out, the file is read where the server runs.")


class ReviewInput(Choices):
    """What `review_files` takes."""

    question: str = Field("Which faults does each of these files have?", description="What is asked of the files.")
    files: Annotated[list[GivenFile], Field(min_length=1, description="The files, each by path or with its text.")]


class Figures(BaseModel):
    """What the run took."""

    route: Route
    threads: int = Field(description="Threads of the plan; 0 if one call answered.")
    answered: int = Field(description="Threads whose results stand.")
    calls: int = Field(description="Requests to models.")
    tokens: int
    seconds: float
    cost_usd: float | None = Field(description="None if the price is not known.")


class Answered(BaseModel):
    """What both tools give."""

    answer: str
    outcome: Outcome = Field(description="complete, partial (see missing and reason) or failed.")
    missing: list[str] = Field(description="Threads without a result that stands, each with the reason.")
    reason: str = Field(description="Why the run is not complete; empty if it is.")
    figures: Figures


def summarize(solution: Solution) -> Answered:
    """Say briefly what a run came to: beside the answer itself, under 1 KB in all."""
    lost = list_missing(solution.threads)
    missing = [one_line(f"{thread.id}: {thread.error}", MAX_LOSS_CHARACTERS) for thread in lost[:MAX_MISSING_LISTED]]
    if len(lost) > MAX_MISSING_LISTED:
        missing.append(f"and {len(lost) - MAX_MISSING_LISTED} more")
    report = solution.report
    return Answered(
        answer=solution.answer,
        outcome=solution.outcome,
        missing=missing,
        # With threads missing, the whole reason names each of them once more.
        reason=one_line(solution.stop_reason.partition("\n")[0], MAX_LOSS_CHARACTERS),
        figures=Figures(
            route=solution.route,
            threads=report.threads_planned,
            answered=report.threads_used,
            calls=report.calls,
            tokens=report.tokens.total,
            seconds=round(report.wall_s, 1),
            cost_usd=report.cost_usd,
        ),
    )


def as_text(found: Answered) -> str:
    """Write it for clients that show text only."""
    notes = [f"{found.outcome}: {found.reason}"] if found.reason else []
    notes += [f"- {line}" for line in found.missing]
    told = "\n".join(notes)
    return "\n\n".join(part for part in (found.answer, f"[{told}]" if told else "") if part)
