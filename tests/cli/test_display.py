"""What is shown while a run goes on: whole at every size of the terminal, and nothing that it would act on."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from graphs.cli.terminal.display import Board, Lines
from graphs.streams.answer import AnswerPiece, AnswerReset

LONG = "How tall is the tower that stands beside the tower that leans over the square of the town? " * 3
STATES = ["answered", "failed", "timed_out", "refuted", "running", "queued"]


def event(number: int, status: str, of: int, **more: Any) -> dict[str, Any]:
    known = {"subquestion": LONG, "status": status, "round": 1, "n_total": of, "tokens": 12_345}
    return {"thread_id": f"T{number}.{number}", **known, **more}


def drawn(board: Board, width: int, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(board)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_ids_states_and_the_count_are_whole_at_every_width(width: int) -> None:
    board = Board()
    for number, status in enumerate(STATES, 10):
        board.show(event(number, status, len(STATES)))
    lines = drawn(board, width)
    assert all(len(line) <= width for line in lines)
    for number, status in enumerate(STATES, 10):
        (line,) = [line for line in lines if line.startswith(f"T{number}.{number}  ")]
        _, state, question, *tokens = re.split(r"  +", line)
        assert state == f"{status.replace('_', ' ')} (round 2)" and question.startswith("How tall")
        assert tokens == (["12,345 tokens"] if width >= 60 else [])
    assert "4/6 finished (1 answered, 1 failed, 1 timed out, 1 refuted) ·" in " ".join(" ".join(lines).split())


def test_threads_at_work_are_seen_where_not_all_have_room() -> None:
    board = Board()
    for number in range(1, 41):
        board.show(event(number, "running" if number > 36 else "answered", 40))
    lines = drawn(board, 80)
    assert len(lines) < 24 and lines[-2] == "… and 20 more threads" and "36/40 finished" in lines[-1]
    assert {f"T{number}.{number}" for number in range(37, 41)} <= {line.split()[0] for line in lines}


def test_a_stage_is_told_without_threads_and_text_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    board, evil = Board(), event(1, "running", 1, subquestion="a\x1b[2J\rb\u202ec")
    board.show({"stage": "assess", "round": 0})
    assert "Looking for independent parts" in drawn(board, 60)[0]
    board.show(evil)
    Lines().show(evil)
    for shown in ("\n".join(drawn(board, 60)), capsys.readouterr().err):
        assert not set("\x1b\r\u202e") & set(shown) and "a\ufffd[2J\ufffdb\ufffdc" in shown


def test_the_answer_grows_below_the_threads_and_its_last_lines_count() -> None:
    board = Board()
    for number in range(1, 41):
        board.show(event(number, "answered", 40))
    for number in range(200):
        board.grow(AnswerPiece(f"\n{number}. " + "word " * 30 + "\x1b[2J"))
        for height in (4, 8, 24):
            lines = drawn(board, 80, height) if number % 50 == 49 else []
            assert len(lines) < max(height, 7) and all(len(line) <= 80 for line in lines)
    lines = drawn(board, 80)
    at = next(number for number, line in enumerate(lines) if "40/40 finished" in line)
    assert at > 8 and len(lines) - at > 8 and "T1.1" in lines[0]
    assert lines[at + 1].startswith("19") and lines[-1].endswith("\ufffd[2J") and "199. word" in "".join(lines)


def test_an_answer_that_is_withdrawn_is_gone_and_the_display_says_why() -> None:
    board = Board()
    board.grow(AnswerPiece("It is four."))
    assert "It is four." in drawn(board, 80)
    board.grow(AnswerReset("sent back: T2 (it is\n\x1b[2J five)"))
    told = "The answer is withdrawn: sent back: T2 (it is \ufffd[2J five)"
    assert drawn(board, 80)[1:] == [told]
    board.grow(AnswerPiece("It is five."))
    assert drawn(board, 80)[1:] == [told, "It is five."]
    assert drawn(board, 20)[-2].endswith("…") and all(len(line) <= 20 for line in drawn(board, 20))
