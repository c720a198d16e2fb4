"""ParallelQA's kind of question with tools: a calculator and a table of facts, on a scripted server."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.tools import FACTS, calculate, look_up
from tests.support.server import ModelServer, Tool, outline, review
from tests.support.subjects.evaluations import cells, command

HIGHER, LOWER = "How high is K2, 20 % lower?", "How high is Aconcagua, 50 % higher?"
QUESTION = "If K2 shrinks by 20% and Aconcagua grows by 50%, which stands the tallest?"


def look(name: str) -> Tool:
    return Tool({"name": name}, name="look_up")


def work_out(expression: str) -> Tool:
    return Tool({"expression": expression}, name="calculate", id="2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Others' data, as they lie on disk."""
    row = {"id": "1", "question": QUESTION, "answer": "Aconcagua", "threads": 2}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "parallelqa_dev.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


async def measured(server: ModelServer, folder: Path) -> Any:
    data = ["--data", "parallelqa", "--folder", str(folder / "data"), "--out", str(folder / "out"), "--fresh"]
    code, out, err = await command(*data, "--variant", "tools", server=server)
    assert code == 0 and "| parallelqa | tools | 1 |" in out, err
    (row,) = cells(folder / "out")["parallelqa tools"].rows
    return row


async def test_right_answers_come_of_tools_and_their_calls_are_counted(server: ModelServer, folder: Path) -> None:
    server.on("assess", outline(HIGHER, LOWER)).on("review", review("Aconcagua"))
    server.on(HIGHER, look("K2"), work_out("8611 * 0.8"), "Result: 6888.8 m")
    server.on(LOWER, look("Mount Nowhere"), look("aconcagua"), work_out("6961*1.5"), "Result: 10441.5 m")
    row = await measured(server, folder)
    assert (row.score, row.error, row.threads, row.tool_calls, row.tool_failures) == (1.0, "", 2, 5, 1)
    shown = [str(request.body["messages"]) for request in server.about(LOWER)][-1]
    assert "nothing is known of" in shown and "height: 6961 m" in shown and "10441.5" in shown
    assert "6961" not in str(server.about(HIGHER)[-1].body["messages"])


def test_the_calculator_calculates_and_does_nothing_else() -> None:
    assert calculate(" (8848 - 8611) * -1.5 / 2") == "-177.75"
    for wrong in ("2**9", "__import__('os')", "'a' * 3", "True + 1", "1 +", "9" * 501):
        with pytest.raises((ValueError, SyntaxError)):
            calculate(wrong)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_it_calculates_as_python_does(one: float, two: float) -> None:
    assert float(calculate(f"({one!r}) - ({two!r})")) == pytest.approx(one - two, rel=1e-9)


def test_every_fact_is_found_by_its_name() -> None:
    facts = json.loads(FACTS.read_text(encoding="utf-8"))
    assert len(facts) > 40
    assert all(look_up(f"the {name.upper()}") == fact for name, fact in facts.items())
    with pytest.raises(LookupError, match="nothing is known of 'Atlantis'"):
        look_up("Atlantis")
