"""The answer as it grows: what a run streams, read as pieces of its answer.

The pieces since the last `AnswerReset`, one after the other, are the answer of the `Solution` that comes last.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Unpack

from pydantic_core import from_json

from graphs.adaptive import graph
from graphs.answer import DocumentLike, Options, read_problem
from graphs.streams.thinking import ThinkingPiece, ThinkingStream
from nodes.asking.review import REVIEW
from nodes.input.segments import Segment
from nodes.judging.verdicts import Review
from nodes.llm.replies.growing import GrowingText
from nodes.planning.answer_list import as_list
from nodes.planning.plan import ThreadPlan
from nodes.settings import Settings
from nodes.state import Problem, Solution
from nodes.threads.results import ThreadResult

ANSWER_MODES = ("messages", "updates", "custom", "values")
"""The modes in which a graph must stream, so that its answer can be followed."""
ANOTHER = "the final answer is another one"
SPLIT = "the question is split, so each part is answered by itself"
_WRITERS = ("direct", "review")
"""The nodes whose replies are the answer, or hold it."""


@dataclass(frozen=True)
class AnswerPiece:
    """Text that comes after what has been shown of the answer."""

    text: str


@dataclass(frozen=True)
class AnswerReset:
    """All that has been shown of the answer is withdrawn."""

    why: str


AnswerEvent = AnswerPiece | AnswerReset
OnThinking = Callable[[ThinkingPiece], None]


class AnswerStream:
    """Follows what a run streams, and tells how its answer grows.

    Attributes:
        shown: What has been told of the answer and not withdrawn.
    """

    def __init__(self, on_thinking: OnThinking | None = None, *, patient: bool = False) -> None:
        """Follow a run from its beginning.

        Args:
            on_thinking: Is told what models think.
            patient: Whether nothing is told of a direct answer until it is certain that the question is not split: for
                those who cannot take back what they showed. Not for the graph `sequential`, which never splits.
        """
        self._thinking, self._on_thinking, self._waits = ThinkingStream(), on_thinking, patient
        self.shown = ""
        self._id = self._shown_id = ""
        """The reply that is being written, and the one that wrote what is shown."""
        self._reply = GrowingText()
        self._began: Mapping[str, Any] = {}
        """The state at the beginning."""
        self._segments: list[Segment] = []
        self._plan: ThreadPlan | None = None
        self._results: dict[str, ThreadResult] = {}
        """Of the threads of a list, those that stand."""

    def take(self, mode: str, event: Any) -> list[AnswerEvent]:
        """Take in what was streamed, as a graph or the HTTP server sends it; other modes are passed over."""
        if mode == "messages":
            message, about = event
            if self._on_thinking and (thought := self._thinking.take(message, about)):
                self._on_thinking(thought)
            return self._take_message(message, about) if about.get("langgraph_node") in _WRITERS else []
        if mode == "updates":
            updates = [(node, update) for node, update in event.items() if isinstance(update, Mapping)]
            return [change for node, update in updates for change in self._take_update(node, update)]
        if mode == "custom" and event.get("thread_id"):
            return self._take_thread(event)
        if mode == "values" and not self._began:
            # It may be that of a run that goes on.
            self._began = event
            self._take_plan(event.get("plan"))
            told = {id: ThreadResult.model_validate(result) for id, result in (event.get("results") or {}).items()}
            back = event.get("redo") or ()
            self._results = {id: one for id, one in told.items() if one.sound and id not in back}
        return []

    def settle(self, answer: str, why: str = ANOTHER) -> list[AnswerEvent]:
        """Tell what is left of the answer that a node has written; where that is another one, all of it."""
        return self._show(answer.strip(), why)

    def _take_message(self, message: Any, about: Mapping[str, Any]) -> list[AnswerEvent]:
        if isinstance(message, Mapping):
            id, text = message.get("id"), message.get("content")
        else:
            id, text = message.id, str(message.text)
        if id != self._id:
            self._id, self._reply = str(id), GrowingText()
        answer = self._reply.take(text if isinstance(text, str) else "")
        if self._waits:
            return []
        if str(about.get("apr_prompt", "")).partition("@")[0] == REVIEW.prompts.standard.name:
            # A list is put together from its entries, which may be there already.
            answer = "" if self._plan and self._plan.answer == "list" else _read_answer(answer)
            if not answer:
                return []
        if self.shown and self._shown_id != self._id:
            return self._withdraw("the answer is written anew") + self._show(answer) if answer else []
        self._shown_id = self._id
        return self._show(answer, "it was no part of the answer")

    def _take_update(self, node: str, update: Mapping[str, Any]) -> list[AnswerEvent]:
        if "plan" in update:
            self._take_plan(update["plan"])
        for id in update.get("redo") or ():
            self._results.pop(id, None)
        if node == "assess":
            self._waits = False
            # A direct answer that began beside it goes on, or is written anew under another id.
            return self._withdraw(SPLIT) if update.get("parallel") else []
        answer = update.get("answer")
        if answer:
            return self.settle(answer, "a person changed it" if node == "approve_answer" else ANOTHER)
        withdrawn = self._withdraw(_why_back(update)) if answer is not None or node == "review" else []
        # Entries before the first thread that runs again stand; over HTTP it is not known yet which one that is.
        # Where threads are split, what comes of them is no list.
        return withdrawn + (self._show_list() if update.get("redo") and not update.get("split") else [])

    def _take_plan(self, plan: Any) -> None:
        self._plan = ThreadPlan.model_validate(plan) if plan else None
        if self._plan is None:
            self._results = {}
        elif self._plan.answer == "list" and not self._segments:
            given = {name: self._began[name] for name in ("question", "documents") if name in self._began}
            self._segments = Problem.model_validate(given).segments() if given else []

    def _take_thread(self, event: Mapping[str, Any]) -> list[AnswerEvent]:
        id, answers = event["thread_id"], event.get("answers")
        self._results.pop(id, None)
        if not answers:
            return []
        asked = event["subquestion"]
        self._results[id] = ThreadResult(id=id, subquestion=asked, status="answered", answers=answers)
        return self._show_list()

    def _show_list(self) -> list[AnswerEvent]:
        """Show the entries of a list that are there, up to the first that is not."""
        if self._plan is None or self._plan.answer != "list":
            return []
        known = {segment.number for segment in self._segments}
        if any(number not in known for thread in self._plan.threads for part in thread.parts for number in part.named):
            # Over HTTP documents are not streamed, so that their names are not known before the end.
            return []
        shown = as_list(self._plan, self._segments, self._results, beginning=True)
        return self._show(shown.strip(), "the plan has changed")

    def _show(self, answer: str, why: str = "") -> list[AnswerEvent]:
        """Show the answer so far; `why` tells why what was shown may be no part of it."""
        changes = [] if answer.startswith(self.shown) else self._withdraw(why)
        if more := answer[len(self.shown) :]:
            changes.append(AnswerPiece(more))
            self.shown = answer
        return changes

    def _withdraw(self, why: str) -> list[AnswerEvent]:
        gone: list[AnswerEvent] = [AnswerReset(why)] if self.shown else []
        self.shown, self._shown_id = "", self._id
        return gone


def _read_answer(review: str) -> str:
    """Return the answer in a review that is still being written; none beside results that are to be done again."""
    try:
        read = from_json(review[review.index("{") :], allow_partial="trailing-strings")
    except ValueError:
        return ""
    if not isinstance(read, dict) or read.get("redo") or read.get("conflicts"):
        return ""
    answer = read.get("answer")
    return answer.strip() if isinstance(answer, str) else ""


def _why_back(update: Mapping[str, Any]) -> str:
    """Say why an update has no answer."""
    if update.get("outcome") == "failed":
        return "the run has no answer"
    if split := update.get("split"):
        return f"smaller threads take the place of {', '.join(split)}"
    critiques = update.get("critiques") or {}
    back = [f"{id}: {critiques[id]}" if critiques.get(id) else id for id in update.get("redo") or ()]
    # Over HTTP only what the reviewer wrote tells which threads these are.
    written = [] if back else [Review.model_validate(review) for review in (update.get("reviews") or ())[-1:]]
    back += [line for review in written for line in review.redo]
    return f"sent back: {'; '.join(back)}" if back else "the results do not stand"


async def read_answer(
    events: AsyncIterator[Sequence[Any]], *, on_thinking: OnThinking | None = None, patient: bool = False
) -> AsyncGenerator[AnswerEvent | Solution, None]:
    """Read the growing answer out of what a graph streams, and at last the whole solution.

    Args:
        events: What `graph.astream(…, stream_mode=ANSWER_MODES)` yields, of either graph; or, over HTTP, what
            `client.runs.stream(…, stream_mode=["messages-tuple", *ANSWER_MODES[1:]])` yields.
        on_thinking: Is told what models think, which is no part of the answer.
        patient: See `AnswerStream`.
    """
    answer, values = AnswerStream(on_thinking, patient=patient), {}
    async for mode, event, *_ in events:
        for change in answer.take(mode, event):
            yield change
        if mode == "values":
            values = event
    solution = Solution.model_validate(values)
    for change in answer.settle(solution.answer):
        yield change
    yield solution


async def stream_answer(
    question: str,
    *,
    documents: Iterable[DocumentLike] = (),
    instructions: str = "",
    on_thinking: OnThinking | None = None,
    **settings: Unpack[Options],
) -> AsyncGenerator[AnswerEvent | Solution, None]:
    """Answer a question as `graphs.answer` does, and yield the answer as it grows.

    Args:
        question: What is asked.
        documents: What threads may need whole.
        instructions: What holds for every thread and for the answer.
        on_thinking: Is told what models think, which is no part of the answer.
        settings: How the run is made.

    Yields:
        An `AnswerPiece` for text that comes after what was shown, an `AnswerReset` where that is withdrawn, and at last
        the `Solution`. Whoever stops listening closes the generator (`aclose`), which stops the run.

    Raises:
        Exception: The same as `graphs.answer`.
    """
    # Made here, since a graph that runs inside another one passes over names that may be the other's.
    chosen = Settings(**settings)
    problem = await read_problem(question, documents, instructions)
    async with aclosing(graph.astream(problem, context=chosen, stream_mode=list(ANSWER_MODES))) as events:
        async with aclosing(read_answer(events, on_thinking=on_thinking)) as changes:
            async for change in changes:
                yield change
