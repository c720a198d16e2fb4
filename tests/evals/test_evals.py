"""The evaluations: data, scores, intervals, and the command on a scripted server."""

import json
import math
import os
import sys
from asyncio import create_subprocess_exec
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.intervals import bootstrap, decision, resampled, wilson
from evals.item import HALVES, GivenResult, Item, half_of
from evals.items import OURS, DataError, load_items, names, sample
from evals.numerals import number, numbers, same
from evals.run.reviewer import compare_found
from evals.run.store import Cell
from evals.run.variants import REVIEWERS, VARIANTS
from evals.score import parts_right, vote
from evals.sections import sections
from nodes.judging.verdicts import Conflict, Review
from nodes.threads.results import ThreadResult
from tests.support.command import PIPE, Process
from tests.support.forked import fork
from tests.support.server import Fault, ModelServer, Reply, outline, plan
from tests.support.traces import TraceServer, trace_server

PROJECT = Path(__file__).parents[2]
RUN = "import runpy; runpy.run_module('evals.run', run_name='__main__', alter_sys=True)"


@pytest.mark.parametrize("name", OURS)
def test_our_datasets_have_twenty_checkable_items_or_more(name: str) -> None:
    items = load_items(name)
    assert len(items) >= 20 and len({item.id for item in items}) == len(items)
    assert len({item.model_dump_json(exclude={"id"}) for item in items}) == len(items)
    checked = {"results": "results", "structure": "steps"}.get(name, "answers")
    assert all(item[checked] and all(item[checked]) for item in items)
    assert {half_of(item) for item in items} == {"tuning", "held-out"}
    for item in items:
        known = {one.id for one in item.results}
        assert {*item.wrong, *(id for pair in item.contradictions for id in pair)} <= known
        assert set(item.needed) <= {document.id for document in item.documents}
        assert item.threads in (None, 1, len(item.answers or item.steps)) and (
            item.parallel is not False or item.threads == 1
        )


def test_no_planted_result_of_one_half_is_in_the_other() -> None:
    said = {half: {one.result for item in load_items("results", half=half) for one in item.results} for half in HALVES}
    assert not said["tuning"] & said["held-out"]


def others(folder: Path) -> Path:
    problems = [{"id": f"p{n}", "question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(40)]
    rows: dict[str, list[dict[str, Any]]] = {
        "gate_dev": [{"id": f"g{n}", "question": f"{n}?", "parallel": n % 4 == 0, "width": 2} for n in range(40)],
        "parallelqa_dev": [{"id": "1", "question": "Which?", "answer": "this", "threads": 2}],
        "gsm8k_dev": problems,
        "bbh_dev": [{"id": f"b{n}", "task": "t", "question": f"Is {n} > 9?", "answer": "no"} for n in range(40)],
        "quixbugs_dev": [
            {"id": f"q{n}", "code": "a\nb = 1\n", "line": 2, "wrong": "b = 1", "right": "b = 2"} for n in range(9)
        ],
        "fanoutqa_dev": [{"id": "f", "question": "?", "parts": [{"id": "p", "question": "?", "needs": []}]}],
        "longbench_write_dev": [{"id": "w", "question": "Write.", "kind": "k", "words": 100}],
        "sot_vicuna_dev": [{"question": "How?", "independent_points": True}],
        "sot_wizardlm_dev": [{"question": "What?", "independent_points": False}],
    }
    for name, items in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return folder


def test_others_data_are_read_from_their_folder(tmp_path: Path) -> None:
    folder = others(tmp_path)
    assert all(load_items(name, folder) for name in names())
    halves = [load_items("composites", folder, half=half) for half in HALVES]
    problems = {row.question: half_of(row) for row in load_items("gsm8k", folder)}
    for half, items in zip(HALVES, halves, strict=True):
        assert items and all(item.threads == 4 and len(item.answers) == 4 for item in items)
        parts = [line.partition(". ")[2] for item in items for line in item.question.splitlines()[1:]]
        assert {problems[part] for part in parts} == {half}


def test_data_that_are_not_there_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--folder"):
        load_items("gate")
    with pytest.raises(DataError, match=r"gate_dev\.jsonl cannot be read"):
        load_items("gate", tmp_path)
    with pytest.raises(DataError, match="there are compound, "):
        load_items("nothing")


def test_a_draw_is_balanced_and_the_same_every_time(tmp_path: Path) -> None:
    items = load_items("gate", others(tmp_path))
    drawn = sample(items, 9, 1)
    assert drawn == sample(items, 9, 1) != sample(items, 9, 2)
    assert sum(bool(item.parallel) for item in drawn) == 5 and len(drawn) == 9


def item(*answers: list[str], match: Any = "stated") -> Item:
    return Item(id="x", dataset="d", question="?", answers=list(answers), match=match)


@pytest.mark.parametrize(
    ("wanted", "match", "answer", "right"),
    [
        (["1,200"], "stated", "It is 1200 euros.", True),
        (["1200"], "stated", "It is 1,200.00 euros.", True),
        (["12"], "stated", "It is 120.", False),
        (["12"], "stated", "It is 0.12 or 3.12.", False),
        (["-5"], "stated", "x = −5", True),
        (["7.61"], "stated", "7.6096 times", True),
        (["Lima"], "stated", "The capital is lima.", True),
        (["Au"], "stated", "Austria", False),
        (["8", "eight"], "stated", "There are Eight.", True),
        (["off-by-one", "n + 1"], "mention", "An OFF-BY-ONE error", True),
        (["18"], "concluded", "She has 18 hens and 3 cows. So 21.", False),
        (["18"], "concluded", "1. 3 * 6 = 18\n2. So 21 hens; then 5.", True),
        (["18"], "concluded", "The answers are 7, $18 and 21.", True),
        (["3.5"], "concluded", "It is 3.5. Then 7 more.", True),
        (["18"], "last", "First 18.\nSo it is 19.", False),
        (["18"], "last", "First 3.\nSo 3 * 6 = $18.\n\n", True),
        (["18"], "last", "", False),
        (["Everest"], "last", "It is Mount Everest", True),
    ],
)
def test_an_answer_is_found_by_value_or_as_a_word(wanted: list[str], match: Any, answer: str, right: bool) -> None:
    assert parts_right(item(wanted, match=match), answer) == [right]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("1. It is 18.\n2. So 3 * 7 = 21 cows.\n3. 5", [True, True, True]),
        ("1. First 18, then 18 - 4 = 14.\n2. 21\n3. 5", [False, True, True]),
        ("1. It is 21.\n2. It is 18.\n3. It is 5.", [False, False, True]),
        ("### Problem 1:\n1. 6 * 3\n2. 18\n\n### Problem 2:\n1. 7\n2. 21\n### Problem 3\n5", [True, True, True]),
        ("**1. Hens**\n   1. six\n   2. So 18.\n**2. Cows**\n21\n**3. Pigs**\nSo \\boxed{5}.", [True, True, True]),
        ("1. So 18.\n2. Cows:\n 1. 3 pens\n 2. 7 each\n So 21.\n3. It is cut o", [True, True, False]),
        ("They are 18, 21 and 5.", [True, True, True]),
        ("1. So 18.\n   **1.** six\n   **2.** 18\n2. So 21.\n3. So 5.", [True, True, True]),
        ("1. All of them: 18, 21 and 5.", [True, True, True]),
        ("", [False, False, False]),
    ],
)
def test_problems_are_answered_in_turn(answer: str, right: list[bool]) -> None:
    assert parts_right(item(["18"], ["21"], ["5"], match="in turn"), answer) == right


@given(st.text(st.sampled_from("12345.#*() \nProblem"), max_size=200), st.integers(1, 5))
def test_sections_lie_in_the_answer(answer: str, count: int) -> None:
    found = sections(answer, count)
    assert len(found) != 1 and list(found) == list(range(1, len(found) + 1)) and len(found) <= count
    assert all(text in answer for text in found.values())


def test_every_part_counts() -> None:
    assert parts_right(item(["1"], ["2"], ["three"]), "1 and three") == [True, False, True]


@given(st.integers(-(10**9), 10**9), st.text())
def test_numbers_are_read_as_they_are_written(value: int, around: str) -> None:
    for written in (str(value), f"{value:,}", f"{value}.0"):
        assert number(written) == value and numbers(f"it is {written} then") == [value]
    assert all(math.isfinite(found) for found in numbers(around))


@given(st.floats(0.001, 1e9), st.floats(-0.004, 0.004))
def test_rounding_is_no_fault(value: float, by: float) -> None:
    assert same(value, value * (1 + by)) and not same(value, value * 1.02)


def test_the_majority_is_voted_for() -> None:
    assert vote(["So 3", "It is 4.", "The answer: 4"]) == "It is 4."
    assert vote(["Peru.\nLima", "lima", "Quito"]) == "Peru.\nLima"
    assert vote([""]) == ""


def test_intervals_hold_what_they_should() -> None:
    assert [round(value, 3) for value in wilson(8, 10)] == [0.8, 0.49, 0.943]
    assert wilson(0, 12).low == 0 and 0.2 < wilson(0, 12).high < 0.3
    assert math.isnan(wilson(0, 0).mean)
    mean, low, high = bootstrap([0.0, 1.0] * 50)
    assert mean == 0.5 and 0.38 < low < 0.43 and 0.57 < high < 0.62
    assert bootstrap([1.0] * 12).low < 1
    mean, low, high = resampled([-1.0, 0.0, 0.0, 1.0] * 25)
    assert mean == 0 and -0.16 < low < -0.1 and 0.1 < high < 0.16
    assert resampled([0.0] * 12) == (0, 0, 0) and math.isnan(resampled([]).mean)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_mean_lies_in_its_interval(values: list[float]) -> None:
    mean, low, high = bootstrap(values)
    assert low - 1e-9 <= mean <= high + 1e-9


def test_a_constant_decision_is_worth_nothing() -> None:
    assert decision([True] * 4, [True, True, False, False])[:2] == (0.5, 2 / 3)
    assert decision([False] * 4, [True, True, False, False]) == (0.5, 0.0, 0.0)
    assert decision([True, False], [True, False]) == (1.0, 1.0, 0.0)
    assert math.isnan(decision([], []).balanced_accuracy)


RESULTS = [GivenResult(id=f"T{n}", subquestion="?", result=f"It is {n}.") for n in (1, 2, 3)]
PLANTED = Item(id="r", dataset="results", question="?", results=RESULTS, wrong=["T1"], contradictions=[["T2", "T3"]])


@pytest.mark.parametrize(
    ("back", "pairs", "expected"),
    [
        ([], [], (0, 0, 0, 0.0)),
        (["T1"], [], (1, 0, 0, 0.5)),
        (["T1", "T2"], [], (1, 1, 0, 1.0)),
        (["T1"], [["T2", "T3"]], (1, 1, 0, 1.0)),
    ],
)
def test_what_a_review_found_is_compared_with_what_was_planted(
    back: list[str], pairs: list[list[str]], expected: tuple[int, int, int, float]
) -> None:
    conflicts = [Conflict(threads=pair, quotes=[f"it is {id[1:]}" for id in pair]) for pair in pairs]
    written = Review(redo=[f"{id}: wrong" for id in back], conflicts=conflicts)
    told = compare_found(PLANTED, written)
    names = ("wrong_found", "contradictions_found", "false_alarms", "score")
    assert tuple(told[name] for name in names) == expected
    clean = PLANTED.model_copy(update={"wrong": [], "contradictions": []})
    assert compare_found(clean, written)["false_alarms"] == len({*back, *(id for pair in pairs for id in pair)})


def test_what_a_check_of_its_own_found_counts_and_what_is_quoted_wrongly_does_not() -> None:
    checked = [
        ThreadResult(id=f"T{n}", subquestion="?", status="answered", answer=f"It is {n}.", fault="no" if n == 1 else "")
        for n in (1, 2, 3)
    ]
    told = compare_found(
        PLANTED, Review(conflicts=[Conflict(threads=["T2", "T3"], quotes=["it is 2", "it is 4"])]), checked
    )
    assert (told["wrong_found"], told["contradictions_found"], told["false_alarms"]) == (1, 0, 0)


async def command(*arguments: str, server: ModelServer | None = None, **environment: str) -> tuple[int, str, str]:
    given = ["--model", "openai:scripted", "--base-url", server.url] if server else []
    env = os.environ | environment
    if "LANGSMITH_ENDPOINT" in environment:  # which a fork would not read
        where: dict[str, Any] = {"cwd": PROJECT, "env": env, "stdout": PIPE, "stderr": PIPE}
        process: Process = await create_subprocess_exec(sys.executable, "-m", "evals.run", *arguments, *given, **where)
    else:
        process = await fork("evals.run", *arguments, *given, env=env, code=RUN)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def pairwise_rows(out: str) -> Iterator[tuple[str, str]]:
    """Yield each row of the tables with the head of its table."""
    head = ""
    for before, line in pairwise(["", *out.splitlines()]):
        if line.startswith("| ") and not before.startswith("|"):
            head = line
        elif line.startswith("| ") and not line.startswith("| ---"):
            yield head, line


def cells(out: Path) -> dict[str, Cell]:
    read = [Cell.model_validate_json(path.read_text(encoding="utf-8")) for path in out.glob("*/*.json")]
    return {f"{cell.dataset} {cell.variant}": cell for cell in read}


def scripted(server: ModelServer) -> None:
    parts = ["What is the first?", "What is the second?"]
    server.on("assess", outline(*parts)).on("decompose", plan(*parts))
    server.on("direct", Reply("It is 32.", prompt_tokens=50, completion_tokens=50))


async def test_every_variant_runs_on_the_same_items(server: ModelServer, tmp_path: Path) -> None:
    scripted(server)
    chosen = [part for name in VARIANTS for part in ("--variant", name)]
    data = ["--data", "compound", "--data", "results", "--data", "documents"]
    code, out, err = await command(*data, *chosen, "--n", "3", "--out", str(tmp_path), server=server)
    assert code == 0, err
    done = cells(tmp_path)
    assert len(done) == 2 * (len(VARIANTS) - len(REVIEWERS)) + len(REVIEWERS)
    ids = {name: [row.id for row in cell.rows] for name, cell in done.items()}
    assert all(len(items) == 3 for items in ids.values())
    assert len({tuple(sorted(items)) for name, items in ids.items() if name.startswith("compound")}) == 1
    adaptive, sampled = done["compound adaptive"], done["compound self-consistency"]
    assert adaptive.prompts and adaptive.settings["model"] == "openai:scripted" and adaptive.seed == 0
    for row in sampled.rows:
        (beside,) = [other for other in adaptive.rows if other.id == row.id]
        assert row.samples == max(1, round(beside.total / 100)) and row.total == 100 * row.samples
    assert "| compound | adaptive | 3 |" in out and "needed documents given" in out
    assert all(f"| results | {name} | 3 |" in out for name in REVIEWERS)
    assert "compound · adaptive" in err and "3/3" in err
    assert "| openai:scripted | adaptive | sequential | 6 | 6 |" in out
    # Every planted result is asked about alone, and then all together.
    given = {item.id: len(item.results) for item in load_items("results")}
    asked = {name: {row.id: row.stages["review"].calls for row in done[f"results {name}"].rows} for name in REVIEWERS}
    assert asked["careful"] == {id: given[id] + 1 for id in asked["brief"]} and set(asked["brief"].values()) == {1}
    # What adaptive split already is the same run, and says nothing about splitting always.
    assert "| openai:scripted | always-parallel | adaptive | 6 | 0 | – |" in out


async def test_wall_times_compare_only_where_as_many_items_ran_at_once(server: ModelServer, tmp_path: Path) -> None:
    scripted(server)
    arguments = ["--data", "compound", "--n", "2", "--out", str(tmp_path)]
    walls = []
    for at_once in ("1", "2"):
        assert (await command(*arguments, "--variant", "sequential", server=server))[0] == 0
        chosen = ["--variant", "adaptive", "--concurrency", at_once, "--fresh"]
        code, out, err = await command(*arguments, *chosen, server=server)
        assert code == 0, err
        told = [
            dict(zip(*(line.split(" | ") for line in (head, row)), strict=True))
            for head, row in pairwise_rows(out)
            if "adaptive" in row and "wall" in head
        ]
        walls.append([row["wall"] == "–" for row in told])
    assert walls == [[False, False], [True, True]]


# What would be taken for adaptive's own run, if forks were, comes first.
ABLATIONS = [part for name in ("no-review", "unscoped", "always-parallel") for part in ("--variant", name)]


def asked(server: ModelServer) -> dict[str, int]:
    return {stage: len(server.calls(stage)) for stage in ("assess", "decompose", "solve", "review", "join", "direct")}


async def test_ablations_go_on_from_adaptives_run(server: ModelServer, tmp_path: Path) -> None:
    scripted(server)
    arguments = ["--data", "documents", "--n", "3", "--out", str(tmp_path)]
    assert (await command(*arguments, "--variant", "adaptive", server=server))[0] == 0
    assert asked(server) == {"assess": 3, "decompose": 0, "solve": 6, "review": 3, "join": 0, "direct": 0}
    code, _, err = await command(*arguments, *ABLATIONS, server=server)
    assert code == 0 and "eserializ" not in err, err
    # In another process: the plans are taken over, the threads for the join too; only what differs is asked.
    assert asked(server) == {"assess": 3, "decompose": 0, "solve": 12, "review": 6, "join": 3, "direct": 0}
    done = {name: {row.id: row for row in cell.rows} for name, cell in cells(tmp_path).items()}
    for id, adaptive in done["documents adaptive"].items():
        assert done["documents always-parallel"][id] == adaptive
        for name in ("documents no-review", "documents unscoped"):
            row = done[name][id]
            assert (row.total, row.threads, row.score is None) == (adaptive.total, 2, False) and not row.error
            assert row.wall_s < adaptive.wall_s + 5
        assert done["documents unscoped"][id].needless == 1.0


async def test_an_ablation_of_what_was_not_split_is_adaptives_run_or_splits_it(
    server: ModelServer, tmp_path: Path
) -> None:
    scripted(server)
    server.on("assess", outline())
    arguments = ["--data", "compound", "--n", "2", "--out", str(tmp_path), *ABLATIONS]
    code, _, err = await command(*arguments, server=server)
    assert code == 0, err
    done = cells(tmp_path)
    for name in ("no-review", "unscoped"):
        assert {(row.split, row.threads) for row in done[f"compound {name}"].rows} == {(False, 0)}
    assert {row.threads for row in done["compound always-parallel"].rows} == {2}
    assert asked(server) == {"assess": 2, "decompose": 2, "solve": 4, "review": 2, "join": 0, "direct": 2}


async def test_an_interrupted_run_goes_on_where_it_was(server: ModelServer, tmp_path: Path) -> None:
    arguments = ["--data", "compound", "--variant", "sequential", "--out", str(tmp_path)]
    assert (await command(*arguments, "--n", "2", "--concurrency", "2", server=server))[0] == 0
    before = {row.id for row in cells(tmp_path)["compound sequential"].rows}
    assert (await command(*arguments, "--n", "24", server=server))[0] == 0
    after = cells(tmp_path)["compound sequential"]
    assert before <= {row.id for row in after.rows} and after.concurrency == 2
    assert len(server.calls("direct")) == 24
    code, _, err = await command(*arguments, "--n", "24", "--seed", "5", server=server)
    assert code == 2 and "other seed: 0; --fresh starts over" in err
    assert (await command(*arguments, "--n", "2", "--seed", "5", "--fresh", server=server))[0] == 0
    assert len(server.calls("direct")) == 26


def only_file(folder: Path) -> Path:
    (file,) = folder.glob("*/*.json")
    return file


async def test_results_from_before_a_setting_was_there_are_gone_on_with(server: ModelServer, tmp_path: Path) -> None:
    arguments = ["--data", "compound", "--variant", "sequential", "--out", str(tmp_path)]
    assert (await command(*arguments, "--n", "2", server=server))[0] == 0
    file = only_file(tmp_path)
    cell = json.loads(file.read_text())
    del cell["settings"]["cache"]
    file.write_text(json.dumps(cell))
    assert (await command(*arguments, "--n", "3", server=server))[0] == 0
    assert len(server.calls("direct")) == 3
    cell["settings"]["max_rounds"] = 7
    file.write_text(json.dumps(cell))
    code, _, err = await command(*arguments, "--n", "3", server=server)
    assert code == 2 and "made with other settings" in err


async def test_what_fails_stays_in_the_denominator(server: ModelServer, tmp_path: Path) -> None:
    server.on("direct", Fault(status=400), Reply("It is 32."))
    code, out, _ = await command(
        *("--data", "compound", "--variant", "sequential", "--n", "4", "--out", str(tmp_path)), server=server
    )
    rows = cells(tmp_path)["compound sequential"].rows
    assert code == 0 and len(rows) == 4
    assert [row.score for row in rows if row.error] == [0.0] and "| compound | sequential | 4 |" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--data is missing; allowed are compound, "),
        (["--data", "nothing"], "--data nothing: there is none; allowed are"),
        (["--data", "compound", "--variant", "fast"], "--variant fast: there is none; allowed are adaptive, "),
        (["--data", "gate"], "name the folder that holds it with --folder"),
        (["--data", "results"], "`results` is for --variant review"),
        (["--data", "fanoutqa", "--folder", "."], "`fanoutqa` is for --variant gate and plan"),
        (["--data", "compound", "--half", "first"], "--half first: there is none"),
        (["--data", "compound", "--model", "nobody:x"], "unknown provider `nobody`"),
        (["--data", "compound", "--prompts", "assess@99"], "there is no prompt `assess@99`"),
        (["--data", "compound", "--variant", "self-consistency", "--model", "openai:x"], "run --variant adaptive"),
        (["--data", "compound", "--model", "openai:x", "--judge", "openai:x"], "cannot judge its own answers"),
    ],
)
async def test_what_is_wrong_is_said_with_what_to_do(arguments: list[str], said: str, tmp_path: Path) -> None:
    code, _, err = await command(*arguments, "--out", str(tmp_path), OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert code == 2 and said in " ".join(err.split()) and "Traceback" not in err


async def test_a_judge_scores_beside_the_evaluators(server: ModelServer, tmp_path: Path) -> None:
    pytest.importorskip("openevals")
    server.on("judge", {"reasoning": "as expected", "score": True})
    arguments = ["--data", "compound", "--variant", "sequential", "--n", "2", "--judge", "openai:judge"]
    code, out, err = await command(*arguments, "--out", str(tmp_path), server=server, OPENAI_BASE_URL=server.url)
    assert code == 0, err
    assert [row.judged for row in cells(tmp_path)["compound sequential"].rows] == [1.0, 1.0]
    assert "1.00" in out and {asked.body["model"] for asked in server.calls("judge")} == {"judge"}


async def test_nothing_leaves_without_a_key_and_an_experiment_does_with_one(
    server: ModelServer, tmp_path: Path
) -> None:
    arguments = ["--data", "compound", "--variant", "sequential", "--n", "2", "--out", str(tmp_path)]
    async with trace_server() as sent:
        code, _, err = await command(*arguments, server=server, LANGSMITH_ENDPOINT=sent.url)
        assert code == 0 and sent.bytes == b"" and "uploaded" not in err
        code, _, err = await command(
            *arguments, server=server, LANGSMITH_ENDPOINT=sent.url, LANGSMITH_API_KEY="lsv2_pt_its_own_key"
        )
    assert code == 0 and "uploaded: 2 results as experiment compound-sequential-" in err
    check_experiment(sent)


def check_experiment(sent: TraceServer) -> None:
    text = sent.bytes.decode(errors="replace")
    assert '"apr-compound"' in text and "compound-sequential-" in text and "reference_dataset_id" in text
    assert text.count("reference_example_id") >= 2 and '"critical_path_tokens"' in text
    assert "lsv2_pt_its_own_key" not in text
