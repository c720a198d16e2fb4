"""The benchmark of memory: its command from end to end, and how it judges."""

import subprocess
import sys
from pathlib import Path

import pytest

from evals.bench.held import problem
from evals.bench.memory import drift, table

PROJECT = Path(__file__).parents[2]


@pytest.mark.full
def test_many_runs_in_one_process_are_told_as_a_table() -> None:
    command = [sys.executable, "-m", "evals.bench.memory", "--runs", "400", "--case", "direct, no"]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [line.split(" | ") for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == ["| runs", "| ---", "| 100", "| 200", "| 300", "| 400", "| since 200"]
    assert rows[0][1:] == ["direct, no checkpointer |"] and all(row[1].endswith(" MB |") for row in rows[2:-1])


@pytest.mark.parametrize(
    ("held", "largest"),
    [
        ({100: 50, 200: 100, 300: 105, 400: 95.5}, 0.05),
        ({100: 50, 200: 100, 300: 88, 400: 105}, -0.12),
        ({150: 100, 300: 120}, 0.2),
    ],
)
def test_what_is_held_is_compared_with_what_was_held_when_warm(held: dict[int, float], largest: float) -> None:
    assert drift(held) == pytest.approx(largest)
    assert table({"a": held}).splitlines()[-1] == f"| since 200 | {largest:+.1%} |"


def test_no_two_runs_ask_the_same() -> None:
    for route in ("parallel", "direct"):
        asked = [problem(route, number) for number in range(50)]
        assert len({one["question"] for one in asked}) == len({one["instructions"] for one in asked}) == 50
