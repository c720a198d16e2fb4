"""What workers tell, as those see it who follow the run: news of the workflow, and signs of life of its steps."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk


class Spoken:
    """Passes on what was not told before, and turns the beginnings of replies into the pieces that came since."""

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._heard: dict[str, int] = {}
        """Characters by reply."""
        self._running: set[tuple[str, int]] = set()
        """Threads, by id and round, that were told to be running."""

    def take_news(self, events: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
        """Take what happened; a thread begins once, though both its step and the workflow say so."""
        for event in events:
            if event.get("status") == "running":
                thread = (str(event.get("thread_id")), int(event.get("round") or 0))
                if thread in self._running:
                    continue
                self._running.add(thread)
            yield "custom", event

    def take(self, told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Take a sign of life: threads that have begun, and what was written meanwhile."""
        yield from self.take_news(event for event in told.get("events") or () if event.get("status") == "running")
        message = told.get("message") or {}
        if not message.get("id"):
            return
        text, heard = message["text"], self._heard.get(message["id"], 0)
        if len(text) > heard:
            self._heard[message["id"]] = len(text)
            yield "messages", (AIMessageChunk(content=text[heard:], id=message["id"]), message["about"])
