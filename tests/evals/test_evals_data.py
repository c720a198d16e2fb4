"""The data of the evaluations: our sets, others', their halves and draws."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.item import HALVES, half_of
from evals.items import OURS, DataError, load_items, names, sample


@pytest.mark.parametrize("name", OURS)
def test_our_datasets_have_twenty_checkable_items_or_more(name: str) -> None:
    items = load_items(name)
    assert len(items) >= 20 and len({item.id for item in items}) == len(items)
    assert len({item.model_dump_json(exclude={"id"}) for item in items}) == len(items)
    checked = {"results": "results", "structure": "steps", "branches": "steps"}.get(name, "answers")
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
