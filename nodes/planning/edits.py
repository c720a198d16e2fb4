"""What a person is asked, and what they may answer: plans approved, edited or rejected, answers likewise (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field, ValidationError

from nodes.input.segments import Segment
from nodes.planning.branches import find_ring
from nodes.planning.outline import references
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.shared.record import Record

Stage = Literal["plan", "answer"]
MIN_THREADS = 2
"""Threads of a plan that can be run."""


class EditError(ValueError):
    """An edit cannot be made; the message says which and why."""


class Edit(Record):
    """One change of a plan; changes are made in the order given."""

    op: Literal["drop", "reword", "add", "merge", "sources", "parallelism"] = Field(
        description="drop threads, reword one, add one, merge several into the first, change one's sources, or the "
        "degree of parallelism"
    )
    thread_ids: list[str] = Field(default_factory=list, description="The threads it is about, such as T2.")
    subquestion: str = Field("", description="The words of reword and add; of merge, if not those of all.")
    sources: list[int] = Field(default_factory=list, description="Numbers of the segments, of add and sources.")
    parallelism: int | None = Field(None, description="How many threads run at once.")


class PlanReply(Record):
    """What a person says to a plan."""

    action: Literal["approve", "edit", "reject"]
    edits: list[Edit] = Field(default_factory=list, description="Of edit: what is changed before the plan is run.")
    note: str = Field("", max_length=10_000, description="Of reject: what the new plan must mind.")


class AnswerReply(Record):
    """What a person says to an answer."""

    action: Literal["approve", "edit", "send_back"]
    answer: str = Field("", description="Of edit: the answer to be used instead.")
    thread_ids: list[str] = Field(default_factory=list, description="Of send_back: the threads that run again.")
    note: str = Field("", max_length=10_000, description="Of send_back: what they must mind.")


_SAME: dict[str, dict[str, str]] = {
    "PlanReply": {"send_back": "reject"},
    "AnswerReply": {"reject": "send_back"},
}
"""What the other one calls the same action."""
_SYNONYMS = {
    **dict.fromkeys(("accept", "accepted", "approved", "yes", "ok", "continue", "true"), "approve"),
    **dict.fromkeys(("rejected", "deny", "denied", "decline", "declined", "no", "false"), "reject"),
    **dict.fromkeys(("edited", "modify", "change"), "edit"),
    **dict.fromkeys(("sendback", "retry", "redo"), "send_back"),
}
"""Actions as other programs that ask people name them."""
R = TypeVar("R", bound=Record)


def read_reply(said: Any, shape: type[R]) -> R:
    """Read what a person, or the program that asked them, replied.

    Args:
        said: A reply, or a form of it whose meaning is clear: the action alone, yes or no, LangChain's `decisions`.
        shape: What it has to be.

    Raises:
        EditError: It is none; the message says what is allowed.
    """
    if isinstance(said, Mapping) and "decisions" in said and "action" not in said:
        said = said["decisions"]
    if isinstance(said, list) and len(said) == 1:
        said = said[0]
    if isinstance(said, bool | str):
        said = {"action": str(said)}
    if not isinstance(said, Mapping):
        raise EditError(f"the reply is {type(said).__name__}; {_list_allowed(shape)}")
    fields = dict(said)
    action = str(fields.get("action", fields.get("type", ""))).strip().lower().replace(" ", "_").replace("-", "_")
    action = _SYNONYMS.get(action, action)
    fields["action"] = _SAME.get(shape.__name__, {}).get(action, action)
    fields.setdefault("note", fields.get("message") or "")
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in wrong["loc"])
        raise EditError(f"`{where}`: {wrong['msg']}; {_list_allowed(shape)}") from None


def _list_allowed(shape: type[Record]) -> str:
    actions = ", ".join(f"`{action}`" for action in get_args(shape.model_fields["action"].annotation))
    return f"`action` is one of {actions}"


class Decision(Record):
    """What a person decided."""

    stage: Stage
    action: str
    note: str = ""
    edits: list[Edit] = Field(default_factory=list)
    thread_ids: list[str] = Field(default_factory=list)


def apply_edits(
    plan: ThreadPlan, edits: Sequence[Edit], segments: Sequence[Segment], *, max_threads: int
) -> ThreadPlan:
    """Make the edits of a person.

    Args:
        plan: The plan as it stands.
        edits: What is changed, in order; ids are those of `plan`, and `T5`, … for threads that were added.
        segments: The numbered input.
        max_threads: Most threads.

    Raises:
        EditError: One of them cannot be made; nothing is changed then.
    """
    if not edits:
        raise EditError("`edits` is empty: approve the plan, or say what is to be changed")
    threads, degree = {thread.id: thread for thread in plan.threads}, plan.parallelism
    known = {segment.number for segment in segments}
    for number, edit in enumerate(edits, 1):
        where = f"edit {number} ({edit.op})"
        for id in edit.thread_ids:
            if id not in threads:
                raise EditError(f"{where}: there is no thread `{id}`; there are {', '.join(threads)}")
        if wrong := sorted(set(edit.sources) - known):
            raise EditError(f"{where}: there is no segment {wrong[0]}; the last is {max(known)}")
        if edit.op == "parallelism":
            degree = _degree(where, edit)
        else:
            threads = _change(where, edit, threads)
    _check_needs(threads)
    if not MIN_THREADS <= len(threads) <= max_threads:
        raise EditError(
            f"{len(threads)} threads would be left; a plan has {MIN_THREADS} to {max_threads} (`max_threads`)"
        )
    return plan.model_copy(update={"threads": list(threads.values()), "parallelism": min(degree, len(threads))})


def _degree(where: str, edit: Edit) -> int:
    if edit.parallelism is None or edit.parallelism < 1:
        raise EditError(f"{where}: `parallelism` must be 1 or more")
    return edit.parallelism


def _change(where: str, edit: Edit, threads: dict[str, ThreadSpec]) -> dict[str, ThreadSpec]:
    words, ids = edit.subquestion.strip(), edit.thread_ids
    wanted = {"drop": len(ids) >= 1, "merge": len(ids) >= 2, "add": not ids}.get(edit.op, len(ids) == 1)
    if not wanted:
        need = {"drop": "one or more", "merge": "two or more", "add": "no"}.get(edit.op, "one")
        raise EditError(f"{where}: `thread_ids` must name {need} thread{'s' if need != 'one' else ''}")
    if edit.op in ("reword", "add") and not words:
        raise EditError(f"{where}: `subquestion` is empty")
    if edit.op == "drop":
        return {id: thread for id, thread in threads.items() if id not in ids}
    if edit.op == "add":
        id = next(f"T{n}" for n in range(1, len(threads) + 2) if f"T{n}" not in threads)
        needs = _needs_of(words, threads)
        return {**threads, id: ThreadSpec(id=id, sources=sorted(set(edit.sources)), subquestion=words, needs=needs)}
    if edit.op == "merge":
        parts = [threads[id] for id in dict.fromkeys(ids)]
        sources = sorted({source for part in parts for source in part.sources})
        question = words or "\n".join(part.subquestion for part in parts)
        needs = list(dict.fromkeys(need for part in parts for need in part.needs if need not in ids))
        merged = ThreadSpec(id=parts[0].id, sources=sources, subquestion=question, needs=needs)
        return _put_in_place(threads, merged, [part.id for part in parts])
    old = threads[ids[0]]
    return {**threads, old.id: _reword(old, words, threads) if edit.op == "reword" else _set_sources(old, edit)}


def _reword(thread: ThreadSpec, words: str, threads: Mapping[str, ThreadSpec]) -> ThreadSpec:
    # Parts that share a thread are asked one by one, in their own words: the new words are one question.
    parts = thread.parts if len(thread.parts) < 2 else []
    needs = _needs_of(words, [id for id in threads if id != thread.id])
    return thread.model_copy(update={"subquestion": words, "parts": parts, "needs": needs})


def _put_in_place(threads: Mapping[str, ThreadSpec], merged: ThreadSpec, ids: Sequence[str]) -> dict[str, ThreadSpec]:
    """Put one thread where several stood; who needed one of them needs it."""
    left = {}
    for id, thread in threads.items():
        if id == merged.id:
            left[id] = merged
        elif id not in ids:
            needs = dict.fromkeys(merged.id if need in ids else need for need in thread.needs)
            left[id] = thread.model_copy(update={"needs": list(needs)})
    return left


def _needs_of(words: str, ids: Iterable[str]) -> list[str]:
    """List the threads that a person's words refer to, such as `#1`."""
    named = [f"T{number}" for number in references(words)]
    return [id for id in ids if id in named]


def _check_needs(threads: Mapping[str, ThreadSpec]) -> None:
    """Make sure that every thread can get the results that it needs.

    Raises:
        EditError: One needs a thread that is not there, or two wait for each other.
    """
    for thread in threads.values():
        if lost := [need for need in thread.needs if need not in threads]:
            what = f"drop it too, or reword it without `#{lost[0][1:]}`"
            raise EditError(f"{thread.id} needs the result of {lost[0]}; {what}")
    if ring := find_ring(threads.values()):
        raise EditError(f"{' and '.join(ring)} would wait for each other")


def _set_sources(thread: ThreadSpec, edit: Edit) -> ThreadSpec:
    sources = sorted(set(edit.sources))
    parts = [part.model_copy(update={"sources": sources}) for part in thread.parts]
    return thread.model_copy(update={"sources": sources, "parts": parts})
