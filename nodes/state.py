"""What goes into the graph, what it keeps while it runs, and what comes out."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from nodes.input.pieces import Piece, as_segments
from nodes.input.segments import Segment, split_input
from nodes.judging.verdicts import Review
from nodes.llm.endpoints.usage import Call, add_calls
from nodes.llm.limits.ledger import Spending, spending
from nodes.planning.branches import in_turn
from nodes.planning.edits import Decision
from nodes.planning.forecast import Forecast
from nodes.planning.outline import AnswerForm, Part
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.planning.repair import Repair
from nodes.reporting.report import Report
from nodes.reporting.sources import Source
from nodes.shared.cleaning import clean_text
from nodes.shared.knobs.solvers import SolverName
from nodes.shared.record import Record
from nodes.shared.run import Run
from nodes.threads.results import ThreadResult, merge_results

MAX_QUESTION_CHARACTERS = 100_000
"""Characters; longer texts belong in documents."""
MAX_INSTRUCTIONS_CHARACTERS = 100_000
"""Characters; every thread reads them."""
MAX_DOCUMENTS_CHARACTERS = 5_000_000
"""Characters of all documents together."""
MAX_DOCUMENT_COUNT = 1_000
"""Documents; each takes a line in the list that the planner reads, and that list must fit its context."""
MAX_NAME_CHARACTERS = 1_000
"""Characters of a document's id or title; prompts repeat them."""

Outcome = Literal["running", "complete", "partial", "failed"]
Route = Literal["direct", "parallel"]


def _limit_text(limit: int, instead: str) -> BeforeValidator:
    """Clean a text that has at most so many characters; longer ones are refused before anything is done with them."""

    def clean(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        if len(value) > limit:
            raise ValueError(f"`{info.field_name}` has {len(value):,} characters, the limit is {limit:,}; {instead}")
        return clean_text(value)

    return BeforeValidator(clean)


_Name = Annotated[str, _limit_text(MAX_NAME_CHARACTERS, "shorten it, since prompts repeat it")]


class Document(Record):
    """A text that threads may need whole: a file, an article."""

    id: _Name = Field(min_length=1, description="A name that no other document has, such as a file's path.")
    text: Annotated[str, _limit_text(MAX_DOCUMENTS_CHARACTERS, "hand over the parts that matter")] = Field(
        description="The whole text."
    )
    title: _Name = Field("", description="Its name for readers. Default: the id.")
    kind: Literal["document", "turn"] = Field(
        "document", description="`turn` for what was said before: only parts that name it or may lean on it read it."
    )

    @property
    def label(self) -> str:
        """The title, else the id."""
        return self.title or self.id


class Problem(Record):
    """The input: what is asked."""

    question: Annotated[str, _limit_text(MAX_QUESTION_CHARACTERS, "hand long texts over as `documents`")] = Field(
        description="What is asked; at most 100,000 characters."
    )
    documents: list[Document] = Field(
        default_factory=list, description="Files or articles; at most 1,000, and 5,000,000 characters together."
    )
    instructions: Annotated[str, _limit_text(MAX_INSTRUCTIONS_CHARACTERS, "hand long texts over as `documents`")] = (
        Field("", description="Rules for every thread and for the answer; at most 100,000 characters.")
    )

    @field_validator("question")
    @classmethod
    def _question_is_sound(cls, question: str) -> str:
        if not question.strip():
            raise ValueError("`question` is blank; write what you want to know")
        return question

    @field_validator("documents", mode="before")
    @classmethod
    def _documents_are_few(cls, documents: Any) -> Any:
        if isinstance(documents, list | tuple) and len(documents) > MAX_DOCUMENT_COUNT:
            raise ValueError(
                f"`documents` are {len(documents):,}, the limit is {MAX_DOCUMENT_COUNT:,}, "
                "since the list of them must fit the planner's context; put several into one"
            )
        return documents

    @field_validator("documents")
    @classmethod
    def _documents_are_sound(cls, documents: list[Document]) -> list[Document]:
        seen: set[str] = set()
        for document in documents:
            if not document.text.strip():
                raise ValueError(f"`documents`: {document.id!r} is empty; leave it out")
            if document.id in seen:
                raise ValueError(f"`documents`: the id {document.id!r} occurs twice; ids must differ")
            seen.add(document.id)
        size = sum(len(document.text) for document in documents)
        if size > MAX_DOCUMENTS_CHARACTERS:
            raise ValueError(f"`documents` have {size:,} characters in all, the limit is {MAX_DOCUMENTS_CHARACTERS:,}")
        return documents

    def segments(self) -> list[Segment]:
        """Number the input: the question's sentences and list items, then each document and each turn whole."""
        documents = [(one.label, one.text) for one in self.documents if one.kind == "document"]
        turns = [(one.label, one.text) for one in self.documents if one.kind == "turn"]
        return split_input(self.question, documents, turns)


class Assessment(Record):
    """The parts of the question, and whether to split it: read from the model's outline."""

    parts: list[Part] = Field(default_factory=list)
    """All parts, including those that need the results of other parts."""
    answer: AnswerForm = "text"
    """What the model says the answer is: the results one after the other (`list`), or a text written from them."""
    subquestions: list[str] = Field(default_factory=list)
    """The questions of those parts that can run at the same time."""
    decomposable: bool = False
    """Whether there are at least two such parts."""
    solver: SolverName = "chain"
    """How the whole question is worked out if it is not split, in the model's word, where it was asked for one."""


class Contradiction(Record):
    """A claim on which threads disagree."""

    claim: str
    """The quotations from these threads, side by side."""
    thread_ids: list[str]
    quotes: list[str] = Field(default_factory=list)
    """One quotation from each thread, word for word, in the order of `thread_ids`."""


class Solution(Record):
    """The output."""

    question: str = ""
    """The question, as it was cleaned."""
    answer: str = ""
    """What models wrote, or a person, under the parts' own words or markers: none of it is ours."""
    outcome: Outcome = "running"
    """`running` until the run ends. `complete` only if every thread is answered and none is refuted."""
    stop_reason: str = ""
    """Why the run ended before everything was answered, thread by thread; empty if everything was."""
    route: Route = "direct"
    """Whether it was split (`parallel`) or answered in one call."""
    assessment: Assessment | None = None
    """What was found to split."""
    plan: ThreadPlan | None = None
    """The threads, as they were planned; `None` on the direct route."""
    threads: list[ThreadResult] = Field(default_factory=list)
    """In plan order."""
    contradictions: list[Contradiction] = Field(default_factory=list)
    """Those that remain at the end."""
    sources: list[Source] = Field(default_factory=list)
    """The numbered pieces of the input that the plan uses, each with its first words."""
    reviews: list[Review] = Field(default_factory=list)
    """What the reviewer wrote, one entry a round."""
    decisions: list[Decision] = Field(default_factory=list)
    """What a person decided, in order."""
    calls: Annotated[list[Call], add_calls] = Field(default_factory=list)
    """Every request to a model, in the order of recording, except those of the baseline."""
    report: Report = Report()
    """What the run took: time, tokens, money, against one call."""
    trajectory: str = ""
    """All that a model wrote that opens threads by itself, with the threads in it (graph `native`)."""


class State(Problem, Solution):
    """All that the graph keeps while it runs."""

    run: Run = Field(default_factory=Run)
    results: Annotated[dict[str, ThreadResult], merge_results] = Field(default_factory=dict)
    """By thread id; a retry replaces the earlier result."""
    critiques: dict[str, str] = Field(default_factory=dict)
    """By thread id: why it runs again in this round."""
    redo: list[str] = Field(default_factory=list)
    """Ids of the threads that run next."""
    round: int = 0
    """0 for the first pass, then 1, 2, … for the extra rounds."""
    parallel: bool = False
    """Whether the question is to be split."""
    forecast: Forecast | None = None
    """How long the split was expected to take, if that was known."""
    repairs: list[Repair] = Field(default_factory=list)
    """What the code corrected in the models' replies."""
    problems: list[str] = Field(default_factory=list)
    """Failures of stages, worded for users."""
    dead_model: str = ""
    """A model that did not answer at all, as `provider:name`; this run does not ask it again."""
    note: str = ""
    """Why a person rejected the last plan."""
    split: list[str] = Field(default_factory=list)
    """Ids of the threads to split into smaller ones before they run."""
    refined: dict[str, list[str]] = Field(default_factory=dict)
    """Threads that were split again, each with the ids of its smaller threads; an empty list if no split was found."""
    spawn_rounds: int = 0
    """Rounds that were made only because threads handed parts on; they are not counted against `max_rounds`."""
    pieces: list[Piece] = Field(default_factory=list)
    """Parts of segments that were too long for one thread."""

    def segments(self) -> list[Segment]:
        """Number the input, including the pieces that were cut from it."""
        whole = super().segments()
        return [*whole, *as_segments(self.pieces, whole)]


class ThreadTask(Record):
    """Everything that one thread may know."""

    run: Run
    spec: ThreadSpec
    segments: list[Segment]
    """Its own segments, and no others."""
    shared_context: str = ""
    instructions: str = ""
    degree: int = 1
    """How many threads run at once."""
    round: int = 0
    critique: str = ""
    """Why the thread was sent back; empty in its first round."""
    spent: Spending = Spending()
    """What the run used before this round."""
    hedged: list[str] = Field(default_factory=list)
    """Ids of the threads that already had a second copy in this run."""
    previous: ThreadResult | None = None
    """Its result in the round before."""
    given: list[ThreadResult] = Field(default_factory=list)
    """The results that it builds on; of those in `awaited`, the ones of the round before."""
    awaited: list[str] = Field(default_factory=list)
    """Ids of threads of this round that it waits for."""
    needed: bool = False
    """Whether other threads of this round wait for it."""
    planned: int = 1
    """How many threads the plan has, for progress."""
    settled: int = 0
    """How many of them do not run in this round, for progress."""


def tasks_of(state: State) -> Iterable[ThreadTask]:
    """List what each thread that runs next may know, each after those it waits for: its own segments, no other's."""
    if state.plan is None:
        return
    hedged = sorted({call.thread_id for call in state.calls if call.thread_id and call.hedge})
    spent, segments = spending(state.calls), {segment.number: segment for segment in state.segments()}
    running = [spec for spec in in_turn(state.plan.threads) if spec.id in state.redo]
    needed = {need for spec in running for need in spec.needs}
    before: set[str] = set()
    for spec in running:
        yield ThreadTask(
            run=state.run,
            spec=spec,
            segments=[segments[number] for number in spec.sources if number in segments],
            shared_context=state.plan.shared_context,
            instructions=state.instructions,
            degree=state.plan.parallelism,
            round=state.round,
            critique=state.critiques.get(spec.id, ""),
            spent=spent,
            hedged=hedged,
            previous=state.results.get(spec.id),
            given=[state.results[need] for need in spec.needs if need in state.results],
            # Of threads that wait for each other, as an edited state may have them, the first finds its needs missing.
            awaited=[need for need in spec.needs if need in before],
            needed=spec.id in needed,
            planned=len(state.plan.threads),
            settled=len(state.plan.threads) - len(running),
        )
        before.add(spec.id)


def fresh_run(run: Run, problem: Problem) -> dict[str, Any]:
    """Return the update that starts a run: it clears what an earlier question left on the same LangGraph thread.

    It writes the cleaned question back, since a graph keeps its input unchanged.
    """
    blank = State(question="nothing yet", run=run)
    kept = {name: blank[name] for name in State.model_fields if name not in Problem.model_fields}
    # For a channel that adds up what it is sent, nothing stands for a new beginning.
    added_up = dict.fromkeys(("results", "calls"))
    return kept | added_up | {"question": problem.question, "instructions": problem.instructions}
