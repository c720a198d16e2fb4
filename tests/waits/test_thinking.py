"""What models think streams apart from the answer, from every stage, and is shown as one line and on the page."""

import io
import json
from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from rich.console import Console

from graphs import AnswerPiece, ThinkingPiece, stream_answer
from graphs.cli.terminal.display import Board
from graphs.page.page import page
from graphs.streams.answer import AnswerStream
from nodes.llm.replies.reasoning import TAGS, split_reasoning
from nodes.state import Solution
from tests.support.server import DIALECTS, ModelServer, Reply, outline, review
from tests.support.subjects.calls import PARTS
from tests.support.subjects.replies import script

OPENED, UNOPENED = "llama.cpp none", "r1's template, which opens the tag"


async def watch(server: ModelServer) -> tuple[dict[tuple[str, str | None], list[str]], str, Solution]:
    """Return what was thought by stage and thread, the answer as it was shown, and the solution."""
    thought: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    shown = ""

    def note(piece: ThinkingPiece) -> None:
        thought[piece.stage, piece.thread_id].append(piece.text)

    async for event in stream_answer("?", on_thinking=note, model="openai:scripted", base_url=server.url):
        if isinstance(event, Solution):
            solution = event
        else:
            shown = shown + event.text if isinstance(event, AnswerPiece) else ""
    return thought, shown, solution


def scripted(server: ModelServer) -> None:
    """Script three threads, each stage of which thinks in a few words."""
    for key, steps in dict(server.script).items():
        text = steps[0] if isinstance(steps[0], str) else ""
        if text:
            server.on(key, Reply(text, reasoning=f"I think\nof {key}"))


@pytest.mark.parametrize("name", ["deepseek", "vllm", "vllm 0.11", OPENED, "llama.cpp deepseek-legacy", UNOPENED])
async def test_thoughts_stream_as_they_are_kept(server: ModelServer, name: str) -> None:
    script(server)
    scripted(server)
    server.dialect = DIALECTS[name]
    thought, shown, solution = await watch(server)
    assert shown == solution.answer == "All of it."
    for thread in solution.threads:
        pieces = thought["solve", thread.id]
        assert "".join(pieces).strip() == thread.reasoning == f"I think\nof {thread.subquestion}"
        # What a template opened unseen is known as a thought only when it is closed.
        assert len(pieces) > 1 or name == UNOPENED
    script(server, "direct")
    scripted(server)
    thought, shown, solution = await watch(server)
    assert shown == solution.answer == "Told at once."
    kept = [call.reasoning for call in solution.calls if call.stage == "direct"]
    assert kept == ["I think\nof direct"] == ["".join(thought["direct", None]).strip()]


@given(
    st.lists(st.sampled_from(["a", "b c", " ", "\n", "<", "- x", "é"])).map("".join),
    st.sampled_from(TAGS),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_however_a_stream_is_cut_all_thoughts_are_told(
    thought: str, tags: tuple[str, str], sizes: Sequence[int]
) -> None:
    text, at, number = f"{tags[0]}{thought}{tags[1]}\nIt is so.", 0, 0
    told: list[ThinkingPiece] = []
    stream = AnswerStream(told.append)
    while at < len(text):
        size = sizes[number % len(sizes)]
        message = AIMessageChunk(content=text[at : at + size], id="1")
        stream.take("messages", (message, {"langgraph_node": "direct", "apr_role": "solve"}))
        at, number = at + size, number + 1
    assert "".join(piece.text for piece in told).strip() == split_reasoning(text)[0]
    assert all(piece.stage == "direct" and piece.text for piece in told)


async def test_the_page_shows_thoughts_folded(server: ModelServer) -> None:
    script(server)
    server.on("assess", Reply(json.dumps(outline(*PARTS)), reasoning="Three <b>parts</b>."))
    server.on("review", Reply(json.dumps(review("All.")), reasoning="Nothing wrong."))
    _, _, solution = await watch(server)
    html = page(solution)
    for stage, said in (("assess", "Three &lt;b&gt;parts&lt;/b&gt;."), ("review", "Nothing wrong.")):
        folded = html.split(f"<summary>Thoughts of {stage}</summary>")[1].split("</details>")[0]
        assert said in folded


def test_a_terminal_shows_that_a_model_thinks_until_the_answer_comes() -> None:
    def drawn(board: Board) -> str:
        console = Console(file=io.StringIO(), width=60, height=10, force_terminal=True, color_system=None)
        console.print(board)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    board = Board()
    assert "thinking" not in drawn(board)
    board.think(ThinkingPiece("x" * 1_200, "solve", "T1"))
    board.think(ThinkingPiece("x" * 34, "direct"))
    assert "thinking … 1,234 characters so far" in drawn(board)
    board.grow(AnswerPiece("It is so."))
    assert "thinking" not in drawn(board) and "It is so." in drawn(board)
