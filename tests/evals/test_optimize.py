"""Prompts that learn, on a scripted server. Needs the extra `optimize`."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from evals.item import HALVES
from evals.items import load_items
from evals.optimize.tasks import TASKS
from nodes.judging.verdicts import Review
from nodes.planning.outline import Outline
from prompts import FOLDER, load, load_families
from tests.support.server import ModelServer, outline, review
from tests.support.subjects.evaluations import command

ACCEPTED = review("All of it.")
optimize = partial(command, module="evals.optimize", OPENAI_API_KEY="none")


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "prompts", ignore=shutil.ignore_patterns("__pycache__", "*.py")))


def small(prompts: Path) -> list[str]:
    return ["--calls", "10", "--items", "4", "--held-out", "6", "--most-examples", "3", "--prompts", str(prompts)]


async def test_what_is_found_becomes_a_version_and_the_default_only_if_better(
    server: ModelServer, prompts: Path
) -> None:
    pytest.importorskip("dspy")
    before = load_families(prompts)["review"]
    server.on("review", ACCEPTED)
    code, out, err = await optimize("review", "--optimizer", "bootstrap", *small(prompts), server=server)
    assert code == 0, err
    number = max(before.versions) + 1
    assert f"review@{number}" in out and "is not better, so the default stays" in out
    family = load_families(prompts)["review"]
    assert family.default == before.default and number in family.versions
    own = {item.question for item in load_items("results", half="tuning")}
    assert all(given["question"] in own for given, _ in family.versions[number].examples)

    # Right from the seventh reply on: what is found is better than what there was.
    server.on("review", *["no JSON"] * 60, ACCEPTED)
    code, out, err = await optimize("review", "--optimizer", "bootstrap", *small(prompts), server=server)
    assert code == 0 and "is the default now" in out, err
    assert load_families(prompts)["review"].default == number + 1
    text = (prompts / f"judging/review@{number + 1}.md").read_text(encoding="utf-8")
    assert "held_out:" in text and "before: 0.0" in text and "optimizer: dspy" in text


@pytest.mark.parametrize("optimizer", ["mipro", "gepa"])
async def test_the_optimisers_of_instructions_run(server: ModelServer, prompts: Path, optimizer: str) -> None:
    pytest.importorskip("dspy")
    pytest.importorskip("optuna")
    server.on("review", ACCEPTED)
    server.on("program", "[[ ## proposed_instruction ## ]]\n```\nYou check results.\n```\n[[ ## completed ## ]]")
    code, out, err = await optimize("review", "--optimizer", optimizer, *small(prompts), server=server)
    assert code == 0, err
    label = Path(out.splitlines()[-1]).stem
    assert load(label, prompts).name == "review" and "after, on 6 held-out items" in out


async def test_outlines_are_learnt_from_lines_and_scored_by_what_can_run_at_once(
    server: ModelServer, prompts: Path
) -> None:
    pytest.importorskip("dspy")
    server.on("assess", outline("Who was it?", "Where was #1 born?"))
    code, out, err = await optimize("assess", *small(prompts), server=server)
    # Of six items half have parts; a chain that is always seen is right for the other half, if longer than need be.
    assert code == 0 and "assess@" in out and out.count("0.495 (138 tokens one after another)") == 2, out + err
    examples = load(Path(out.splitlines()[-1]).stem, prompts).examples
    told = [json.loads(wanted) for _, wanted in examples]
    assert told and all(set(reply) == {"asks", "parts", "answer"} for reply in told)
    assert not any("#1" in part for reply in told for part in reply["parts"])


@pytest.mark.parametrize("name", TASKS)
def test_what_the_items_tell_is_right_by_the_score(name: str) -> None:
    task = TASKS[name]
    items = [item for half in HALVES for item in task.examples(half)]
    assert {task.judge(item, task.shape.model_validate_json(task.wanted(item))).points for item in items} == {1.0}


def test_a_right_outline_is_worth_more_the_fewer_tokens_come_one_after_another() -> None:
    task = TASKS["assess"]
    item = next(item for item in load_items("structure") if item.parallel and len(item.steps) == 3)
    known = json.loads(task.wanted(item))
    wanted = known["parts"]
    wordy = [f"Find out with great care, and leave out nothing: {step}" for step in item.steps]
    waiting = [*item.steps[:2], f"After #1: {item.steps[2]}"]
    replies = [wanted, wordy, waiting, item.steps[:1]]
    judged = [task.judge(item, Outline.model_validate({**known, "parts": parts})) for parts in replies]
    best, *worse, wrong = judged
    assert best.points == 1.0 and wrong.points == 0.0 and all(0.8 < one.points < 1.0 for one in worse)
    assert all(one.path > best.path and f"where {best.path:.0f} suffice" in one.words for one in worse)


def test_a_review_that_writes_more_than_it_has_to_is_worth_less() -> None:
    task = TASKS["review"]
    item = next(item for item in load_items("results") if item.wrong)
    wanted = Review.model_validate_json(task.wanted(item))
    longer = wanted.model_copy(update={"redo": [f"{line} {'It is wrong. ' * 50}" for line in wanted.redo]})
    best, worse = task.judge(item, wanted), task.judge(item, longer)
    assert best.points == 1.0 and 0.8 < worse.points < 1.0 and worse.path > best.path


def test_the_items_of_a_list_are_named_by_number() -> None:
    listed = next(item for item in load_items("structure") if "\n2. " in item.question)
    assert json.loads(TASKS["assess"].wanted(listed)) == {"asks": "list", "parts": ["1", "2", "3"], "answer": "list"}


def test_an_example_of_a_chain_or_a_story_has_no_parts() -> None:
    whole = [item for item in load_items("structure") if not item.parallel]
    told = [json.loads(TASKS["assess"].wanted(item)) for item in whole]
    assert {reply["asks"] for reply in told} == {"chain", "story"} and not any(reply["parts"] for reply in told)
    assert not [item for item in whole if item.asks not in ("", "story")]


def test_an_example_is_one_that_the_prompt_is_asked() -> None:
    shown = TASKS["assess"].examples("tuning")
    assert shown and not any("\n" in item.question for item in shown)
    assert any("\n" in item.question for item in load_items("structure", half="tuning"))


async def test_what_is_wrong_is_said(server: ModelServer, prompts: Path) -> None:
    wrong: dict[str, list[str]] = {
        "there is no prompt `decompose` to optimise; there are assess, review": ["decompose"],
        "--optimizer magic: there is none": ["review", "--optimizer", "magic"],
    }
    for said, arguments in wrong.items():
        code, _, err = await optimize(*arguments, *small(prompts), server=server)
        assert code == 2 and said in err and "Traceback" not in err
