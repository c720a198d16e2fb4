"""A compiled DSPy program outlines the question. Most of it needs the extra `optimize`."""

import asyncio
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphs import graph
from nodes.llm.replies.errors import ConfigurationError
from nodes.state import Solution
from tests.support.server import HANG, Fault, ModelServer, Reply, Step, outline, review

FORM = "segments -> parts: list[str], answer"
FIRST, SECOND = "What is one?", "What is two?"
QUESTION = f"{FIRST} {SECOND}"


@pytest.fixture
def planned(server: ModelServer, context: dict[str, Any]) -> dict[str, Any]:
    server.on("program", said(["1", "2"])).on("assess", outline("1", "2")).on("review", review("Both."))
    return {**context, "split": "if_independent"}


def said(parts: Any, answer: str = "text") -> Reply:
    """What a model writes in DSPy's form; usage that no other call has."""
    fields = {"reasoning": "So.", "parts": json.dumps(parts), "answer": answer}
    text = "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items())
    return Reply(f"{text}\n\n[[ ## completed ## ]]", prompt_tokens=100, completion_tokens=7)


def predict(dspy: Any) -> Any:
    return dspy.Predict(dspy.Signature(FORM, "Find the parts of it."))


def think(dspy: Any) -> Any:
    return dspy.ChainOfThought(dspy.Signature(FORM, "Find the parts of it."))


def of_their_own(dspy: Any) -> Any:
    class Theirs(dspy.Module):  # type: ignore[misc]
        """Has no model in it at all, and writes lines."""

        def forward(self, segments: str) -> Any:
            asked = [line for line in segments.splitlines() if line.strip().startswith("[")]
            return dspy.Prediction(parts="\n".join(str(number) for number, _ in enumerate(asked, 1)))

    return Theirs()


def asynchronous(dspy: Any) -> Any:
    class Theirs(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = predict(dspy)

        async def aforward(self, segments: str) -> Any:
            return await self.first.acall(segments=segments)

    return Theirs()


def broken(dspy: Any) -> Any:
    class Theirs(dspy.Module):  # type: ignore[misc]
        def forward(self, segments: str) -> Any:
            raise LookupError("nothing is where it was")

    return Theirs()


def without_parts(dspy: Any) -> Any:
    class Theirs(dspy.Module):  # type: ignore[misc]
        def forward(self, segments: str) -> Any:
            return dspy.Prediction(parts=[7], answer="text")

    return Theirs()


def save(program: Callable[[Any], Any], path: Path) -> str:
    """Save a program as its owner does: as a whole, or its state."""
    dspy = pytest.importorskip("dspy", reason="needs the extra `optimize`")
    program(dspy).save(str(path), save_program=not path.suffix)
    return f"dspy:{path}"


async def ask(context: dict[str, Any], planner: str) -> Solution:
    return Solution.model_validate(await graph.ainvoke({"question": QUESTION}, context={**context, "planner": planner}))


@pytest.mark.parametrize(
    ("program", "name"),
    [(predict, "saved"), (predict, "state.json"), (think, "saved"), (think, "state.json"), (asynchronous, "saved")],
)
async def test_a_program_outlines_the_question_through_the_calls_of_the_run(
    server: ModelServer,
    planned: dict[str, Any],
    tmp_path: Path,
    program: Callable[[Any], Any],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-the-scripted-server")
    solution = await ask(planned, save(program, tmp_path / name))
    (asked,) = server.calls("program")
    assert asked.headers["Authorization"] == "Bearer a-key-of-the-scripted-server"
    assert FIRST in asked.last and not server.calls("assess")
    assert "Find the parts of it." in asked.prompt
    assert [thread.subquestion for thread in solution.threads] == [FIRST, SECOND]
    assert solution.outcome == "complete" and not solution.report.repairs
    first = solution.calls[0]
    assert (first.stage, first.usage.input, first.usage.output) == ("assess", 100, 7)
    assert (solution.report.tokens.input, solution.report.calls) == (server.usage["input"], 4)


async def test_a_program_of_ones_own_needs_no_model(
    server: ModelServer, planned: dict[str, Any], tmp_path: Path
) -> None:
    solution = await ask(planned, save(of_their_own, tmp_path / "own"))
    assert not server.calls("program") and not server.calls("assess") and solution.report.calls == 3
    assert len(solution.threads) == 2 and solution.outcome == "complete"


@pytest.mark.parametrize(
    ("program", "step", "why"),
    [
        (broken, "", "LookupError: nothing is where it was"),
        (without_parts, "", "`parts`: Input should be a valid string"),
        (predict, said(["1", "2"], answer="perhaps"), "`answer`: Input should be 'list' or 'text'"),
        (predict, Fault(status=400), "HTTP 400"),
        (predict, Reply("[[ ## parts ## ]]", finish_reason="length"), "cut"),
        (predict, "I would not know.", "AdapterParseError"),
    ],
)
async def test_where_it_fails_the_usual_prompt_is_asked_and_the_report_says_why(
    server: ModelServer,
    planned: dict[str, Any],
    tmp_path: Path,
    program: Callable[[Any], Any],
    step: Step,
    why: str,
) -> None:
    server.on("program", step)
    solution = await ask(planned, save(program, tmp_path / "saved"))
    (told,) = solution.report.repairs
    assert why in told.text and told.text.startswith("planner: ") and told.text.endswith("was asked instead")
    assert len(told.text) < 400
    assert len(server.calls("assess")) == 1 and solution.outcome == "complete" and len(solution.threads) == 2
    assert solution.report.calls == len(server.asked)


async def test_a_damaged_file_costs_no_more_than_a_note(planned: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("dspy", reason="needs the extra `optimize`")
    (tmp_path / "state.json").write_text("{")
    solution = await ask(planned, f"dspy:{tmp_path / 'state.json'}")
    assert "JSONDecodeError" in solution.report.repairs[0].text and solution.outcome == "complete"


async def test_a_model_that_a_saved_state_names_is_not_used(
    server: ModelServer, planned: dict[str, Any], tmp_path: Path
) -> None:
    dspy = pytest.importorskip("dspy", reason="needs the extra `optimize`")

    def with_model(_: Any) -> Any:
        program = predict(dspy)
        program.lm = dspy.LM("openai/another", api_base="http://127.0.0.1:9/v1")
        return program

    solution = await ask(planned, save(with_model, tmp_path / "state.json"))
    assert server.calls("program")[0].body["model"] == "scripted" and solution.outcome == "complete"


async def test_a_run_that_is_cancelled_breaks_the_calls_of_its_program_off(
    server: ModelServer, planned: dict[str, Any], tmp_path: Path
) -> None:
    server.on("program", HANG)
    run = asyncio.create_task(ask(planned, save(predict, tmp_path / "saved")))
    await server.wait_for(1, "program")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await server.wait_until_idle()
    assert server.calls("program")[0].dropped and len(server.asked) == 1


async def test_what_cannot_be_used_is_refused_before_the_first_call(
    server: ModelServer, planned: dict[str, Any], tmp_path: Path
) -> None:
    installed = importlib.util.find_spec("dspy") is not None
    why = "where no program lies" if installed else r"pip install -e '\.\[optimize\]'"
    with pytest.raises(ConfigurationError, match=f"`planner` .*{why}"):
        await ask(planned, f"dspy:{tmp_path / 'nothing'}")
    for wrong in ("dspy:", "pickle:/tmp/x", "/tmp/x"):
        with pytest.raises(ValueError, match="names no planner; write `dspy:` and the path"):
            await ask(planned, wrong)
    assert not server.asked
