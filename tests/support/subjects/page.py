"""Runs to be shown on a page, and what a browser would make of it."""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

from nodes.llm.endpoints.usage import Call, Usage
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.reporting.report import Report
from nodes.reporting.sources import Source
from nodes.state import Solution
from nodes.threads.results import ThreadResult


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.style = ""
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass
        if tag in ("dt", "h3", "li", "p"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if "style" in self._inside:
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def call(stage: str = "solve", thread: str | None = "T1", **more: Any) -> Call:
    given = {
        "started_s": 1.0,
        "latency_s": 2.0,
        "status": "ok",
        "model": "openai:m",
        "usage": Usage(input=30, output=7),
    }
    role = "decompose" if stage == "refine" else stage
    return Call(run_id="r", role=role, thread_id=thread, **given | more)


def thread(id: str = "T1", **more: Any) -> ThreadResult:
    return ThreadResult(
        **{"id": id, "subquestion": f"What is {id}?", "status": "answered", "answer": f"It is {id}."} | more
    )


def run(**more: Any) -> Solution:
    specs = [ThreadSpec(id="T1", sources=[1, 2], subquestion="What is T1?")]
    given: dict[str, Any] = {
        "question": "What is it?",
        "answer": "It is so.",
        "outcome": "complete",
        "route": "parallel",
        "plan": ThreadPlan(shared_context="", parallelism=1, threads=specs),
        "threads": [thread()],
        "sources": [
            Source(number=1, characters=9, excerpt="What is it?"),
            Source(number=2, label="a.txt", characters=4000, excerpt="Once"),
        ],
        "calls": [call("assess", None, started_s=0.0, latency_s=1.0), call()],
        "report": Report(wall_s=4.0, calls=2, tokens=Usage(input=60, output=14, total=74)),
    }
    return Solution(**given | more)


def bars(html: str) -> list[tuple[str, float, float, str]]:
    """Kind, left, width and title of each bar of the timeline."""
    found = re.findall(r'<span class="bar ([^"]*)" style="left:([\d.]+)%;width:([\d.]+)%" title="([^"]*)"', html)
    return [(kind, float(left), float(width), title) for kind, left, width, title in found]
