"""The dialogue of `apr --oversight`: a plan or an answer is shown, and a person says what becomes of it."""

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from graphs.page.wording import mark_controls
from nodes.input.segments import Segment
from nodes.planning.edits import Edit, EditError, apply_edits
from nodes.planning.plan import THREAD_NUMBER, ThreadPlan

PLAN_HELP = """\
approve                    run the plan as it is
drop T2 [T3 …]             leave threads out
reword T2 NEW WORDS        ask a thread something else
add WORDS [reads 1 2]      add a thread, and the segments that it reads
merge T1 T2 [T3 …]         make one thread of several
sources T2 1 3             change the segments that a thread reads
parallel 4                 change how many threads run at once
undo                       take all changes back
reject WHY                 ask for another plan, and say why
quit                       stop here; apr resume continues"""
ANSWER_HELP = """\
approve                    use the answer
edit NEW WORDS             use these words instead
send T1 [T2 …] WHY         run threads again, and tell them why
quit                       stop here; apr resume continues"""
_THREAD = re.compile(f"T{THREAD_NUMBER}", re.IGNORECASE)


class Quit(Exception):
    """The person leaves; the run waits."""


def read_typed(prompt: str) -> str:
    """Read a line; the prompt goes to standard error, since standard output is the answer's.

    Raises:
        EOFError: There is no more.
    """
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def ask(payload: Mapping[str, Any], read: Callable[[str], str] = read_typed) -> dict[str, Any]:
    """Show what is to be approved, and return the person's reply.

    Args:
        payload: What the run's interrupt told.
        read: Reads a line after a prompt.

    Raises:
        Quit: The person leaves.
    """
    if payload.get("problem"):
        _say(f"That cannot be: {payload['problem']}")
    return _plan(payload, read) if payload["stage"] == "plan" else _answer(payload, read)


def _plan(payload: Mapping[str, Any], read: Callable[[str], str]) -> dict[str, Any]:
    made = plan = ThreadPlan.model_validate(payload["plan"])
    segments = [Segment(number=source["number"], text=source["excerpt"]) for source in payload["sources"]]
    edits: list[Edit] = []
    _say(f"\nThe plan, before it is run{_describe_estimate(payload.get('estimate'))}:")
    while True:
        _show(plan)
        word, rest = _command(read, PLAN_HELP)
        if word == "approve":
            return {"action": "edit", "edits": [edit.model_dump() for edit in edits]} if edits else {"action": word}
        if word == "reject" and rest:
            return {"action": word, "note": rest}
        if word == "undo":
            plan, edits = made, []
            continue
        try:
            edit = _edit(word, rest)
            plan = apply_edits(plan, [edit], segments, max_threads=64)
            edits.append(edit)
        except EditError as error:
            _say(f"That cannot be: {error}")


def _edit(word: str, rest: str) -> Edit:
    """Read an edit that was typed.

    Raises:
        EditError: It is none.
    """
    ids, words = _ids(rest)
    numbers = [int(number) for number in re.findall(r"\d+", words)]
    if word in ("drop", "merge"):
        return Edit(op="drop" if word == "drop" else "merge", thread_ids=ids)
    if word == "reword":
        return Edit(op="reword", thread_ids=ids[:1], subquestion=words)
    if word == "sources":
        return Edit(op="sources", thread_ids=ids[:1], sources=numbers)
    if word == "add":
        text, _, read = rest.rpartition(" reads ") if " reads " in rest else (rest, "", "")
        return Edit(op="add", subquestion=text, sources=[int(number) for number in re.findall(r"\d+", read)])
    if word == "parallel":
        return Edit(op="parallelism", parallelism=numbers[0] if numbers else None)
    typed_in = f"{word} {rest}".strip()
    raise EditError(f"`{typed_in}` is none of these; `help` lists them")


def _answer(payload: Mapping[str, Any], read: Callable[[str], str]) -> dict[str, Any]:
    _say(f"\nThe answer ({payload['outcome']}), before it is used:\n\n{payload['answer']}\n")
    if payload["stop_reason"]:
        _say(f"Why it is not complete:\n{_align(payload['stop_reason'])}\n")
    for thread in payload["threads"]:
        _say(f"  {thread['id']:<5} {thread['status']}: {_align(thread['subquestion']).strip()}")
    while True:
        word, rest = _command(read, ANSWER_HELP)
        ids, words = _ids(rest)
        if word == "approve":
            return {"action": word}
        if word == "edit" and rest:
            return {"action": word, "answer": rest}
        if word == "send" and ids:
            return {"action": "send_back", "thread_ids": ids, "note": words}
        _say("That is none of these; `help` lists them.")


def _command(read: Callable[[str], str], help: str) -> tuple[str, str]:
    while True:
        try:
            word, _, rest = read("approve, …, help> ").strip().partition(" ")
        except EOFError:
            raise Quit from None
        word = word.lower()
        if word == "quit":
            raise Quit
        if word in ("help", "?", ""):
            _say(help)
            continue
        return word, rest.strip()


def _ids(text: str) -> tuple[list[str], str]:
    """Take the threads' ids off the beginning."""
    words = text.split(" ")
    count = next((place for place, word in enumerate(words) if not _THREAD.fullmatch(word)), len(words))
    return [word.upper() for word in words[:count]], " ".join(words[count:]).strip()


def _show(plan: ThreadPlan) -> None:
    """Show all of a plan: what is approved must have been seen."""
    if plan.shared_context:
        _say(f"  Every thread is told:\n{_align(plan.shared_context)}")
    for thread in plan.threads:
        reads = f"  (reads {', '.join(map(str, thread.sources))})" if thread.sources else ""
        waits = f"  (waits for {', '.join(thread.needs)})" if thread.needs else ""
        _say(f"  {thread.id:<5} {_align(thread.subquestion).strip()}{reads}{waits}")
    for part in plan.open_parts:
        _say(f"  {'then':<5} {_align(part).strip()}  (worked out from the results)")
    becomes = "their results in turn are the answer" if plan.answer == "list" else "the answer is written from them"
    _say(f"  {len(plan.threads)} threads, {plan.parallelism} at once; {becomes}")


def _describe_estimate(estimate: Mapping[str, Any] | None) -> str:
    if not estimate:
        return ""
    parts = [_range(estimate["tokens"], "{:,.0f}", " tokens")]
    parts += [_range(estimate["seconds"], "{:.0f}", " s")] if estimate["seconds"] else []
    parts += [_range(estimate["usd"], "{:.4f}", " US dollars")] if estimate["usd"] else []
    basis = f"from {estimate['learnt_from']} calls of earlier runs" if estimate["learnt_from"] else "a guess"
    return f" ({', '.join(parts)} expected, {basis})"


def _range(values: Mapping[str, float], form: str, unit: str) -> str:
    low, high = form.format(values["low"]), form.format(values["high"])
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def _align(text: str) -> str:
    """Put every line of a text under the words of the threads."""
    return "\n".join(f"        {line}" for line in text.splitlines())


def _say(text: str) -> None:
    # Models and documents wrote parts of it.
    sys.stderr.write(f"{mark_controls(text)}\n")
    sys.stderr.flush()
