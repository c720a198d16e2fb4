"""What one thread is asked: its subquestion, with all that it may know (pure)."""

from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from nodes.asking.results import as_lines
from nodes.input.excerpts import whole
from nodes.input.segments import Segment
from nodes.planning.plan import ThreadSpec
from nodes.planning.solvers import choose_solver
from nodes.planning.spawn import may_spawn, read_spawned
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import ThreadTask
from prompts import PROMPTS, block

KNOWN = {"context", "critique", "instructions", "material", "subquestion"}
"""What a prompt is told of a thread: see `values`."""
THREAD = Stage("solve", PROMPTS["solve"].check(KNOWN), "solve")
SPAWNING = Stage("solve", PROMPTS["spawn"].check(KNOWN), "solve")
VOTE = Stage("solve", PROMPTS["vote"].check(KNOWN), "solve")
AGAIN = {
    "cut": block(
        "Your earlier reply did not come to an end",
        "It was cut at the token limit. Come to the result in far fewer words.",
    ),
    "timed_out": block(
        "Your earlier reply did not come to an end",
        "It was broken off at the time limit. Come to the result in far fewer words.",
    ),
    "repetitive": block("Your earlier reply repeated itself", "Come to the result in far fewer words."),
}
"""What a thread is told by how its reply ended: asked the same once more, it may well answer the same once more."""
RESULT_ALONE = "Now write the answer alone, as few words as it takes; a number without its unit."
"""What a sample of a vote is asked that ends without its result."""


def stage_of(task: ThreadTask, settings: Settings) -> Stage:
    """Return the stage of a thread: one that may hand parts on is told so. A plan that people approve stays theirs."""
    approved, chained = settings.oversight in ("plan", "both"), choose_solver(task.spec, settings) == "chain"
    spawning = chained and may_spawn(task.spec, task.segments, settings.max_depth) and not approved
    return SPAWNING if spawning else THREAD


def list_handed_on(task: ThreadTask, settings: Settings, text: str) -> list[str]:
    """Return the parts that a thread hands on, if it may."""
    return read_spawned(text, task.spec.subquestion) if stage_of(task, settings) is SPAWNING else []


def messages(task: ThreadTask, settings: Settings, stage: Stage | None = None) -> list[BaseMessage]:
    """Ask one subquestion; as `VOTE`, for a result so short that equal ones look alike."""
    return (stage or stage_of(task, settings)).prompt(settings).messages(**values(task))


def ask_result(asked: Sequence[BaseMessage], said: str) -> list[BaseMessage]:
    """Ask for the bare result of what has been said: in the same conversation, most of which servers have read."""
    return [*asked, AIMessage(said), HumanMessage(RESULT_ALONE)]


def values(task: ThreadTask) -> dict[str, str]:
    """Return what a prompt is told of a thread, by the names of its variables."""
    return {
        "instructions": block("Instructions", task.instructions),
        "context": block("What holds for every part", task.shared_context)
        + block("Results of other parts (#1 is the result of T1)", as_lines(task.given)),
        "material": block(f"Material{_portion(task.spec.portion)}", whole(_beside_question(task))),
        "critique": _say_why_again(task),
        "subquestion": task.spec.subquestion,
    }


def asked_the_same_before(task: ThreadTask) -> bool:
    """Tell whether a thread ran twice: unless a reviewer says something new, it is asked word by word what it was."""
    return task.previous is not None and task.previous.rounds > 1


def by_part(task: ThreadTask) -> list[ThreadTask]:
    """Return a task for each part that shares the thread; the task itself where it has one."""
    if len(task.spec.parts) < 2:
        return [task]
    own = {segment.number: segment for segment in task.segments}
    return [
        task.model_copy(
            update={
                "spec": ThreadSpec(id=task.spec.id, sources=part.sources, subquestion=part.question, parts=[part]),
                "segments": [own[number] for number in part.sources if number in own],
            }
        )
        for part in task.spec.parts
    ]


def _say_why_again(task: ThreadTask) -> str:
    before = task.previous
    if task.critique:
        earlier = f"Your earlier result: {before.answer}\n" if before and before.answer else ""
        return block("A reviewer sent this back", f"{earlier}{task.critique}\nDo it again from the start.")
    if before is None:
        return ""
    # Marks are those of all rounds, and a reply that was cut has no answer. A server that said nothing by the time
    # limit was not kept by the length of the reply.
    marks = [mark for mark in before.marks if mark != "cut" or before.status != "answered"]
    signs = [*marks, *([before.status] if before.text else [])]
    return next((told for sign, told in AGAIN.items() if sign in signs), "")


def _portion(portion: str) -> str:
    """Say that a thread answers for a portion of the material, where it reads no more."""
    return f" (portion {portion}: answer for this portion)" if portion else ""


def _beside_question(task: ThreadTask) -> list[Segment]:
    """List what a thread reads, less what its subquestion says already."""
    asked = task.spec.subquestion
    return [
        segment
        for segment in task.segments
        if segment.kind != "question" or segment.text.removeprefix(segment.marker).strip() not in asked
    ]
