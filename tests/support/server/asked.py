"""A request that the server got: who asks, and what is sensible where nothing was scripted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nodes.asking.thread import RESULT_ALONE
from tests.support.server.steps import Step, outline, plan, review

SHAPES = {
    "Outline": "assess",
    "Plan": "decompose",
    "Review": "review",
    "score": "judge",
    "Step": "step",
    "Rating": "rate",
    "Lesson": "lesson",
}


@dataclass
class Asked:
    """A request that the server got."""

    role: str
    key: str
    """The role, or a thread's subquestion."""
    body: dict[str, Any]
    headers: Mapping[str, str]
    at: float
    begun: float | None = None
    """When its reply began: all of the prompt was read."""
    ended: float | None = None
    dropped: bool = False
    """The client went away before it was answered."""

    @property
    def prompt(self) -> str:
        """All that was said to the model, examples included."""
        return "\n".join(str(message["content"]) for message in self.body["messages"])

    @property
    def last(self) -> str:
        """The last message: what varies."""
        return str(self.body["messages"][-1]["content"])


def who_asks(body: dict[str, Any]) -> tuple[str, str]:
    """Tell the role and the key of a request from what it asks for."""
    wanted = body.get("response_format", {}).get("json_schema", {}).get("name")
    if not wanted and body.get("tools"):
        offered = body["tools"][0]["function"]["name"]
        # Others are tools of threads.
        wanted = offered if offered in SHAPES else None
    system = str(body["messages"][0]["content"])
    if system.startswith("A helper was given one subquestion"):
        return "refine", "refine"
    if system.startswith("Your input fields are"):  # DSPy's
        return "program", "program"
    if system.endswith("Add nothing of your own."):
        return "join", "join"
    if not wanted:
        # The lower rungs ask in words.
        names = {"Find the parts": "Outline", "Split a request": "Plan", "Helpers worked": "Review"}
        wanted = next((shape for start, shape in names.items() if system.startswith(start)), None)
    if wanted:
        return SHAPES[wanted], SHAPES[wanted]
    last = str(next(message for message in reversed(body["messages"]) if message["role"] == "user")["content"])
    if last == RESULT_ALONE:
        return "result", f"result: {body['messages'][-2]['content']}"
    found = re.search(r"^Subquestion:\n(.*)\Z", last, re.DOTALL | re.MULTILINE)
    if found and system.startswith("Answer the subquestion in a word"):
        return "check", f"check: {found.group(1)}"
    if system.startswith("Say in a word"):
        return "crosscheck", "crosscheck: " + last.rpartition("Question:\n")[2]
    return ("solve", found.group(1)) if found else ("direct", "direct")


def default_step(request: Asked) -> Step:
    """Answer sensibly where nothing was scripted."""
    if request.role == "assess":
        return outline()
    if request.role == "refine":
        return plan()
    if request.role == "review":
        return review("All of it.")
    if request.role in ("check", "crosscheck"):
        return "?"
    if request.role == "step":
        return {"step": "Thinking.", "result": "an answer"}
    if request.role in ("rate", "lesson"):
        return {"scores": [5, 5, 5]} if request.role == "rate" else {"lesson": "Try something else."}
    if request.role == "result":
        return request.key.split()[-1]
    return f"Thinking.\nResult: answer to {request.key}"
