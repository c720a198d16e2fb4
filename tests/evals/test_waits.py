"""The benchmark of waits: its command from end to end, and what it takes for the shortest possible run."""

import subprocess
import sys
from pathlib import Path

import pytest

from evals.bench.waits.__main__ import shortest_tokens
from evals.bench.waits.paced import CASES, OUTLINE_TOKENS, REVIEW_TOKENS

PROJECT = Path(__file__).parents[2]


@pytest.mark.full
def test_runs_are_compared_with_the_shortest_possible() -> None:
    command = [sys.executable, "-m", "evals.bench.waits", "--repeat", "1", "--pace", "400", "--case", "two"]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode in (0, 1), ended.stderr  # how long it took is not judged here
    (row,) = [line.split(" | ") for line in ended.stdout.splitlines() if line.startswith("| two")]
    shortest, run, staged = (float(row[place].removesuffix(" s")) for place in (1, 2, 5))
    assert 0.95 * shortest < min(run, staged)


@pytest.mark.parametrize(
    ("name", "certain", "threads"),
    [
        ("eight parts", 8, 1),  # the last one begins when its line is there
        ("chain of three beside one", 4, 3),
        ("two branches of two", 2, 2),
        ("diamond beside one", 3, 3),
    ],
)
def test_the_shortest_run_is_the_longest_chain_of_lines_and_threads(name: str, certain: int, threads: int) -> None:
    case = CASES[name]
    ends = [case.line_end(number) for number in range(1, len(case.parts) + 1)]
    assert ends == sorted(ends) and ends[-1] <= OUTLINE_TOKENS
    assert shortest_tokens(case) == ends[certain - 1] + threads * case.tokens + REVIEW_TOKENS
