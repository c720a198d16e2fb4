"""How the page of a run puts figures, statuses and long texts into words (pure)."""

import re
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nodes.planning.edits import Edit
    from nodes.reporting.report import EasyThreads
    from nodes.state import Assessment

MAX_NAME_BYTES = 100
"""Bytes of a name that stands on the page once for each call: a thread's id, a model."""
# Controls, half characters and marks that turn the direction round; spaces and joiners of any script stay.
_UNSEEN = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")

_TONES = {"complete": "good", "answered": "good", "partial": "warn", "refuted": "warn", "running": "warn"}


def mark_controls(text: str) -> str:
    """Mark what a terminal would act on or hide: escape sequences, returns, marks that turn the direction round."""
    return _UNSEEN.sub("\ufffd", text.replace("\r\n", "\n")).replace("\r", "\ufffd")


def mark_unseen(text: str) -> str:
    """Mark what a browser would hide, or read another way round; ends of lines stay."""
    return _UNSEEN.sub("\ufffd", text)


class Clipped(NamedTuple):
    """A text as the page shows it."""

    shown: str
    left: int
    """Characters that are left out."""


def clip_text(text: str, most: int) -> Clipped:
    """Shorten a text to so many bytes as they will be written; what cannot be seen is marked."""
    clean = mark_unseen(text[:most])
    if len(text) <= most and len(escape(clean).encode()) <= most:
        return Clipped(clean, 0)
    size = kept = 0
    for char in clean:
        size += len(escape(char).encode())
        if size > most:
            break
        kept += 1
    return Clipped(clean[:kept] + " …", len(text) - kept)


STAGES = {
    "assess": "Looking for independent parts",
    "decompose": "Planning the threads",
    "direct": "Answering in one call",
    "review": "Reviewing the results",
    "refine": "Splitting large threads again",
    "baseline": "Asking once more in one call, to compare",
}
"""What a stage does, in words, while it does it."""


def words(status: str, stopped: str = "") -> str:
    """Say a status in words, or who stopped the thread that has it (see `nodes.threads.results.Stop`)."""
    if stopped and status == "failed":
        return "stopped" if stopped == "person" else stopped.replace("_", " ")
    return {"ok": "answered"}.get(status, status.replace("_", " "))


def tone(status: str) -> str:
    """Return the class that colours a status; its words say the same."""
    return _TONES.get(status, "bad")


def percent(share: float | None) -> str:
    """Write a share, 0 to 1."""
    return "unknown" if share is None else f"{share:.1%}"


def times(ratio: float | None) -> str:
    """Write a ratio."""
    return "unknown" if ratio is None else f"{ratio:.2f} ×"


def compare_with(ratio: float | None, above: str, below: str) -> str:
    """Say how one thing stands to another: with `above` from 1 on, else the other way round with `below`."""
    if not ratio:
        return "unknown"
    return f"{times(ratio)} {above}" if ratio >= 1 else f"{times(1 / ratio)} {below}"


def count_of(number: int, what: str) -> str:
    """Write a number of things."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def describe_outline(assessment: "Assessment") -> str:
    """Say what the model found to split, and what the results are to the answer."""
    parts, ready = len(assessment.parts), len(assessment.subquestions)
    if not parts:
        return "The model found nothing to split."
    told = f"The model found {count_of(parts, 'part')}"
    if not assessment.decomposable:
        return f"{told}: nothing that can be worked on at the same time."
    once = "all of which" if ready == parts else f"{ready:,} of which"
    form = {"list": "the results in turn are the answer", "text": "the answer must be written from the results"}
    return f"{told}, {once} can be worked on at the same time; {form[assessment.answer]}."


def say_decision(action: str) -> str:
    """Say what a person did."""
    return {"approve": "approved", "edit": "edited", "reject": "rejected", "send_back": "sent back"}.get(action, action)


def describe_edit(edit: "Edit") -> str:
    """Say what a person changed in a plan."""
    told = " ".join([edit.op, ", ".join(edit.thread_ids)]).strip()
    if edit.parallelism is not None:
        told += f" to {edit.parallelism}"
    if edit.sources:
        told += f", reading {', '.join(map(str, edit.sources))}"
    return f"{told}: {edit.subquestion}" if edit.subquestion else told


def money(usd: float | None) -> str:
    """Write an amount."""
    return "unknown" if usd is None else f"${usd:.4f}"


def tell_easy(easy: "EasyThreads") -> str:
    """Say how many threads went to which model, and what that saved, where it is known."""
    asked = ", ".join(f"{count} to {model}" for model, count in sorted(easy.asked.items()))
    back = f"; {easy.sent_back} sent back" if easy.sent_back else ""
    if easy.saved_usd is None:
        return asked + back
    return f"{asked}{back}; " + (
        f"saved {money(easy.saved_usd)}" if easy.saved_usd >= 0 else f"{money(-easy.saved_usd)} more"
    )
