"""Runs of which one thread is stopped while they go on."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from graphs import graph
from nodes.state import Solution
from tests.support.server import HANG, ModelServer, Reply, outline, review

PARTS = ["What is one?", "What is two?", "What is three?"]
CHAIN = ["Who directed Jaws?", "Where was #1 born?", "Who directed Psycho?"]
QUESTION = {"question": "What is it all?"}
BY_A_PERSON = "stopped by a person"


def split(server: ModelServer, *parts: str) -> None:
    """Script a question of these parts."""
    server.on("assess", outline(*parts)).on("review", review("All of it."))


class Running:
    """A run at work, and what it has told so far."""

    def __init__(
        self, context: Mapping[str, Any], *, graph: Any = graph, config: Any = None, question: str = ""
    ) -> None:
        self.told: list[dict[str, Any]] = []
        self.said = ""
        self._news = asyncio.Condition()
        self._values: Any = None
        self.task = asyncio.create_task(
            self._run(graph, {"question": question} if question else QUESTION, context, config)
        )

    async def _run(self, graph: Any, asked: Any, context: Mapping[str, Any], config: Any) -> Solution:
        modes = ["messages", "custom", "values"]
        async for mode, event in graph.astream(asked, config, context=context, stream_mode=modes):
            if mode == "values":
                self._values = event
            elif mode == "custom":
                self.told.append(event)
            elif event[1]["langgraph_node"] == "solve":
                self.said += event[0].text
            async with self._news:
                self._news.notify_all()
        return Solution.model_validate(self._values)

    @property
    def run_id(self) -> str:
        """The run, as its threads' progress names it."""
        return str(next(event["run_id"] for event in self.told if "run_id" in event))

    def statuses(self, id: str) -> list[str]:
        """How a thread has stood, one after the other."""
        return [event["status"] for event in self.told if event.get("thread_id") == id]

    async def until(self, *statuses: tuple[str, str]) -> None:
        """Wait until each of these threads has stood so."""
        async with self._news:
            await self._news.wait_for(lambda: all(status in self.statuses(id) for id, status in statuses))

    async def until_said(self, words: str) -> None:
        """Wait until threads have written these words."""
        async with self._news:
            await self._news.wait_for(lambda: words in self.said)


def begin_early(server: ModelServer) -> str:
    """Script an outline so slow that threads begin while it is written; returns the question."""
    server.on("assess", Reply(json.dumps(outline("1", "2", "3")), pace=0.15)).on("direct", HANG)
    return " ".join(PARTS)
