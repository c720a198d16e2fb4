"""What a row keeps, and the table that says whether a split pays."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.intervals import ratio
from evals.item import Item
from evals.run.pays import pays
from evals.run.row import Row, StageTokens, row_of
from evals.run.store import Cell, load_cells, save
from evals.run.table import tables
from nodes.llm.endpoints.usage import Call, Usage
from nodes.planning.repair import Repair
from nodes.reporting.report import Report
from nodes.state import Solution
from tests.evals.test_evals_sets import GOLD, programs, short_items, write
from tests.support.server import ModelServer, outline
from tests.support.subjects.evaluations import cells, command, pairwise_rows


def test_a_row_keeps_tokens_by_stage_and_what_acted() -> None:
    calls = [
        Call(run_id="r", role=role, thread_id=id, usage=Usage(input=10, output=out, total=10 + out))
        for role, id, out in (("assess", None, 3), ("solve", "T1", 5), ("solve", "T2", 7), ("join", None, 2))
    ]
    report = Report(repairs=[Repair(kind="dropped", text="line `9` left out")], uncounted=1)
    solution = Solution(answer="4", outcome="complete", calls=calls, report=report)
    row = row_of(Item(id="x", dataset="d", question="?", answers=[["4"]]), solution)
    assert row.acted == ["line `9` left out"] and list(row.stages) == ["assess", "solve", "join"]
    assert row.stages["solve"] == StageTokens(input=20, output=12, calls=2) and row.uncounted == 1


def cell(variant: str, rows: list[Row], **more: Any) -> Cell:
    return Cell(dataset="d", variant=variant, model="m", half="held-out", n=len(rows), seed=0, rows=rows, **more)


def rows(score: float, tokens: list[int], **more: Any) -> list[Row]:
    return [
        Row(id=str(n), score=score, critical_path_tokens=each, total=10 * each, wall_s=each / 2, **more)
        for n, each in enumerate(tokens)
    ]


STAGES = {"assess": StageTokens(input=90, output=10, calls=1), "solve": StageTokens(input=50, output=30, calls=3)}


def table_line(adaptive: Cell, sequential: Cell) -> dict[str, str]:
    ((head, line),) = pairwise_rows(pays([adaptive, sequential]))
    return dict(zip(head.strip("| ").split(" | "), line.strip("| ").split(" | "), strict=True))


def test_the_table_tells_whether_a_split_pays() -> None:
    told = table_line(cell("adaptive", rows(1.0, [10, 30], stages=STAGES)), cell("sequential", rows(0.5, [40, 40])))
    assert (told["dataset"], told["n"]) == ("d (held-out)", "2")
    assert told["token latency, adaptive / one call (95 %)"] == "0.50 (0.25–0.75)"
    assert (told["score"], told["one call's"], told["difference (95 %)"]) == ("1.00", "0.50", "+0.50 (+0.50 to +0.50)")
    assert (told["wall"], told["tokens"], told["control share"]) == ("0.50", "0.50", "25%")
    assert told["written (read) by stage, mean"] == "assess 10 (90) · solve 30 (50)"


def test_what_was_not_counted_does_not_pass_for_quick() -> None:
    told = table_line(cell("adaptive", rows(0.0, [20, 0]), concurrency=2), cell("sequential", rows(1.0, [40, 40])))
    assert told["token latency, adaptive / one call (95 %)"] == "0.50 (0.50–0.50)" and told["score"] == "0.00"
    assert (told["wall"], told["control share"], told["written (read) by stage, mean"]) == ("–", "–", "–")
    assert pays([cell("adaptive", rows(1.0, [1]))]) == ""


def test_the_table_is_printed_of_what_is_kept(tmp_path: Path) -> None:
    for one in (
        cell("adaptive", rows(1.0, [10], stages=STAGES, acted=["mended"])),
        cell("sequential", rows(1.0, [20])),
    ):
        save(one, tmp_path)
    kept = {one.variant: one.rows[0] for one in load_cells(tmp_path)}
    assert kept["adaptive"].stages == STAGES and kept["adaptive"].acted == ["mended"]
    assert tables(tmp_path).startswith("| dataset | n | token latency, adaptive / one call")


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(1, 100)), min_size=1, max_size=12))
def test_a_ratio_lies_in_its_interval_and_between_the_single_ones(pairs: list[tuple[float, float]]) -> None:
    found, each = ratio(pairs), [above / below for above, below in pairs]
    assert min(each) - 1e-9 <= found.low and found.high <= max(each) + 1e-9
    assert found.mean == pytest.approx(sum(above for above, _ in pairs) / sum(below for _, below in pairs))


async def test_others_sets_are_run_scored_and_told(server: ModelServer, tmp_path: Path) -> None:
    programs(short_items(tmp_path), copies=4)
    parts = ["What is the first?", "What is the second?"]
    server.on("assess", outline(*parts)).on("solve", "It is 8.")
    server.on("direct", "1. 8\n2. no\n3. True\n4. (B)\nalpha.py: line 4")
    data = ["--data", "bbh4", "--data", "quixbugs", "--folder", str(tmp_path), "--half", "tuning", "--n", "2"]
    code, out, err = await command(*data, "--out", str(tmp_path / "out"), server=server)
    assert code == 0, err
    done = cells(tmp_path / "out")
    assert set(done) == {f"{name} {variant}" for name in ("bbh4", "quixbugs") for variant in ("adaptive", "sequential")}
    for name, cell in done.items():
        stages = {"assess", "solve", "review"} if name.endswith("adaptive") else {"direct"}
        assert all(stages <= set(row.stages) and row.score is not None and not row.error for row in cell.rows), name
    told = [line for head, line in pairwise_rows(out) if "control share" in head]
    assert [line.split(" | ")[:2] for line in told] == [["| bbh4 (tuning)", "2"], ["| quixbugs (tuning)", "2"]]
    assert all("assess " in line and "%" in line for line in told)


async def test_structure_and_lengths_are_told_and_all_items_can_be_taken(server: ModelServer, tmp_path: Path) -> None:
    parts = [
        {"id": str(n), "question": text, "needs": [str(m) for m in needs]} for n, (text, needs) in enumerate(GOLD, 1)
    ]
    write(tmp_path, "fanoutqa_dev", [{"id": f"f{n}", "question": f"Which {n}?", "parts": parts} for n in range(15)])
    words = [{"id": f"w{n}", "question": f"Write {n}.", "kind": "", "words": 10} for n in range(14)]
    write(tmp_path, "longbench_write_dev", words)
    server.on("assess", outline("What is first?", "What is second?")).on("direct", "three words here")
    arguments = ["--folder", str(tmp_path), "--out", str(tmp_path / "out"), "--n", "0"]
    code, out, err = await command("--data", "fanoutqa", "--variant", "gate", *arguments, server=server)
    assert code == 0, err
    code, out, err = await command("--data", "longbench_write", "--variant", "sequential", *arguments, server=server)
    assert code == 0, err
    done = cells(tmp_path / "out")
    gate, texts = done["fanoutqa gate"].rows, done["longbench_write sequential"].rows
    assert len(gate) == 15 and len(texts) == 14
    assert {(row.shape.parts_wanted, row.shape.widest_wanted) for row in gate if row.shape} == {(3, 2)}
    assert {tuple(row.stages) for row in gate} == {("assess",)} and {tuple(row.stages) for row in texts} == {
        ("direct",)
    }
    assert {(row.score, row.words, row.words_wanted, row.answer) for row in texts} == {(None, 3, 10, "")}
    assert "| fanoutqa | gate | 15 | 3.0, " in out and "| longbench_write | sequential | 14 | 10 | 3 |" in out
