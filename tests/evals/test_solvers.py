"""The comparison of solvers: its puzzles and their exact check, and its command from end to end."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from evals.solvers.compare import compare
from evals.solvers.game24 import is_right, is_solvable, make_puzzles
from tests.support.server import HANG, ModelServer
from tests.support.subjects.evaluations import command
from tests.support.subjects.solvers import rate, step

QUESTION = "Make 24 of these numbers: 4 7 8 8. Use each exactly once."


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("(7 - (8 / 8)) * 4", True),
        ("So it is 24: (7-8/8)×4 = 24.", True),
        ("The 4 numbers:\n**(7 − 8 ÷ 8) * 4**", True),
        ("\\( (7 - 8/8) * 4 \\)", True),
        ("7*4-8/8", False),
        ("4*(7-1)", False),
        ("(7-8/8)*4*1", False),
        ("24", False),
        ("(7-8/8)*4 if True else 1", False),
        ("(7-8/(8-8))*4", False),
        ("(" * 300, False),
    ],
)
def test_an_expression_counts_that_makes_24_of_these_numbers(answer: str, right: bool) -> None:
    assert is_right(QUESTION, answer) is right


def test_puzzles_can_be_solved_and_are_the_same_for_the_same_seed() -> None:
    puzzles = make_puzzles(5, 3)
    assert puzzles == make_puzzles(5, 3) != make_puzzles(5, 4) and len({puzzle.id for puzzle in puzzles}) == 5
    assert not is_solvable([Fraction(1)] * 4) and all("Make 24 of these numbers" in one.question for one in puzzles)
    assert not any(puzzle.answers for puzzle in puzzles)


async def test_a_search_is_compared_with_chains_of_as_many_tokens(server: ModelServer, context: dict[str, Any]) -> None:
    (puzzle,) = [one for one in make_puzzles(20, 0) if one.id == "game24-5-7-8-9"]
    server.on("direct", "I give up.").on("step", step("So.", "8 * (9 - 7) + 5"), step("So.", "(5 + 7) * 2"))
    server.on("rate", rate(3, 2))
    settings = {**context, "tree_width": 2, "tree_iterations": 2}
    row = await compare(puzzle, "tree", settings, equal="output")
    assert (row.chain_solved, row.solved, row.iterations) == (False, False, 2)
    assert row.chains == round(row.output / row.chain_output) > 1 and not row.any_solved
    assert len(server.about("direct")) == 1 + row.chains
    # The check of the game is the search's own only where that is asked for.
    server.on("step", step("So.", "8 * (9 - 7) + 5"), step("So.", "8 * (5 + 7 - 9)"))
    checked = await compare(puzzle, "tree", settings, equal=None, checked=True)
    assert (checked.solver, checked.solved, checked.iterations) == ("tree+checker", True, 1)
    assert len(server.calls("rate")) == 1


async def test_the_command_tells_what_a_vote_solves_and_saves(server: ModelServer, tmp_path: Path) -> None:
    rows: Sequence[dict[str, str]] = [
        {"id": f"g{n}", "question": f"How much is {n}?", "answer": str(n)} for n in (1, 2)
    ]
    (tmp_path / "gsm8k_dev.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    server.on("direct", "It is 1.")
    for row in rows:
        server.on(row["question"], *[f"Result: {row['answer']}"] * 3, HANG)
    out = tmp_path / "rows.jsonl"
    wanted = ["--data", "gsm8k", "--solver", "vote", "--folder", str(tmp_path), "--n", "2", "--out", str(out)]
    status, told, errors = await command(*wanted, "--equal", "none", server=server, module="evals.solvers")
    assert status == 0, errors
    assert "| chain, one call | 0.50" in told and "| vote | 1.00" in told
    assert "10 began, 4 (40%) were cancelled" in told and "2 items), 40% were cancelled" in told
    kept = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(kept) == 2 and not any("How much" in str(row) for row in kept)


async def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    status, _, errors = await command("--data", "gsm8k", "--checker", module="evals.solvers")
    assert status == 2 and "--checker is for --data game24" in errors
