"""What a person is shown in a terminal: all that is approved, and nothing that the terminal would act on."""

from collections.abc import Iterator
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs import build_graph
from graphs.cli.terminal.oversee import ask
from tests.support.server import ModelServer, outline, review

CONFIG: Any = {"configurable": {"thread_id": "1"}}
LONG = "How tall is the tower that " + "stands beside the tower that " * 8 + "leans?"
QUESTION = "Count in feet. How old is Ann? How old is Ben?"
ESCAPE = "\x1b]0;owned\x07\x1b[2J\r\u202e"


class Dialogue:
    """A run that waits for a person, shown as in a terminal."""

    def __init__(self, context: dict[str, Any], **more: Any) -> None:
        self.graph = build_graph(checkpointer=InMemorySaver())
        self.context = {**context, "oversight": "both", **more}

    async def start(self, question: str = QUESTION) -> Any:
        return self._waiting(await self.graph.ainvoke({"question": question}, CONFIG, context=self.context))

    async def typed(self, waiting: Any, *lines: str) -> Any:
        """Type lines into the dialogue, and let the run go on with what comes of them."""
        said: Iterator[str] = iter(lines)
        reply = ask(waiting, lambda _: next(said))
        return self._waiting(await self.graph.ainvoke(Command(resume=reply), CONFIG, context=self.context))

    def _waiting(self, values: Any) -> Any:
        return values["__interrupt__"][0].value if "__interrupt__" in values else values


async def test_a_plan_is_shown_whole(
    server: ModelServer, context: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("assess", outline("2", "3", LONG, "In which year was that, by #1?", "How old are all: #1 #2 #3?"))
    dialogue = Dialogue(context)
    await dialogue.typed(await dialogue.start(), "approve")
    shown = capsys.readouterr().err
    assert "Every thread is told:\n        Count in feet.\n" in shown and f"  T3    {LONG}" in shown
    assert "T1    How old is Ann?  (reads 2)" in shown
    assert "T4    In which year was that, by #1?  (waits for T1)" in shown
    assert "then  How old are all: #1 #2 #3?  (worked out from the results)" in shown
    assert "4 threads, 4 at once; the answer is written from them" in shown


async def test_results_that_are_the_answer_are_told_so(
    server: ModelServer, context: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("assess", outline("1", "2", answer="list")).on("review", review())
    dialogue = Dialogue(context)
    answer = await dialogue.typed(await dialogue.start("1. Who wrote Emma?\n2. Who wrote Faust?"), "approve")
    assert "2 threads, 2 at once; their results in turn are the answer" in capsys.readouterr().err
    await dialogue.typed(answer, "approve")
    shown = capsys.readouterr().err
    assert "1. answer to Who wrote Emma?" in shown and "T2    answered: Who wrote Faust?" in shown


async def test_nothing_that_was_written_reaches_the_terminal_raw(
    server: ModelServer, context: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("assess", outline(f"Is it {ESCAPE} one?", "Is it two?", f"Is #1 {ESCAPE} three?"))
    server.on("solve", f"Result: {ESCAPE}")
    dialogue = Dialogue(context, review="off")
    server.on("join", f"All {ESCAPE} of it.")
    answer = await dialogue.typed(await dialogue.start(f"A {ESCAPE} line. {QUESTION}"), "approve")
    await dialogue.typed(answer, "approve")
    shown = capsys.readouterr().err
    assert not set("\x1b\x07\r\u202e") & set(shown) and "\ufffd" in shown
    assert "]0;owned" in shown


async def test_edits_of_a_thread_that_parts_share_are_kept(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline("2", "3", "How old is Cy?", "How old is Di?"))
    dialogue = Dialogue(context, max_threads=2)
    waiting = await dialogue.start()
    await dialogue.typed(waiting, "reword T1 How old are Ann and Ben?", "sources T2 1 3", "approve")
    asked = server.calls("solve")
    assert {call.key for call in asked} == {"How old are Ann and Ben?", "How old is Cy?", "How old is Di?"}
    assert all("How old is Ben?" in call.last for call in asked if call.key != "How old are Ann and Ben?")
