"""Prompts that learn, on a scripted server. Needs the extra `optimize`."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from evals.item import HALVES
from evals.items import load_items
from evals.optimize.tasks import TASKS
from prompts import FOLDER, load, load_families
from tests.support.server import ModelServer, outline, review

PROJECT = Path(__file__).parents[2]
ACCEPTED = review("All of it.")


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "prompts", ignore=shutil.ignore_patterns("__pycache__", "*.py")))


async def command(*arguments: str, server: ModelServer) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "evals.optimize", *arguments, "--model", "openai:scripted", "--base-url", server.url),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"OPENAI_API_KEY": "none"},
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def small(prompts: Path) -> list[str]:
    return ["--calls", "10", "--items", "4", "--held-out", "6", "--most-examples", "3", "--prompts", str(prompts)]


async def test_what_is_found_becomes_a_version_and_the_default_only_if_better(
    server: ModelServer, prompts: Path
) -> None:
    pytest.importorskip("dspy")
    before = load_families(prompts)["review"]
    server.on("review", ACCEPTED)
    code, out, err = await command("review", "--optimizer", "bootstrap", *small(prompts), server=server)
    assert code == 0, err
    number = max(before.versions) + 1
    assert f"review@{number}" in out and "is not better, so the default stays" in out
    family = load_families(prompts)["review"]
    assert family.default == before.default and number in family.versions
    own = {item.question for item in load_items("results", half="tuning")}
    assert all(given["question"] in own for given, _ in family.versions[number].examples)

    # Right from the seventh reply on: what is found is better than what there was.
    server.on("review", *["no JSON"] * 60, ACCEPTED)
    code, out, err = await command("review", "--optimizer", "bootstrap", *small(prompts), server=server)
    assert code == 0 and "is the default now" in out, err
    assert load_families(prompts)["review"].default == number + 1
    text = (prompts / f"review@{number + 1}.md").read_text(encoding="utf-8")
    assert "held_out:" in text and "before: 0.0" in text and "optimizer: dspy" in text


@pytest.mark.parametrize("optimizer", ["mipro", "gepa"])
async def test_the_optimisers_of_instructions_run(server: ModelServer, prompts: Path, optimizer: str) -> None:
    pytest.importorskip("dspy")
    pytest.importorskip("optuna")
    server.on("review", ACCEPTED)
    server.on("program", "[[ ## proposed_instruction ## ]]\n```\nYou check results.\n```\n[[ ## completed ## ]]")
    code, out, err = await command("review", "--optimizer", optimizer, *small(prompts), server=server)
    assert code == 0, err
    label = Path(out.splitlines()[-1]).stem
    assert load(label, prompts).name == "review" and "after, on 6 held-out items" in out


async def test_outlines_are_learnt_from_lines_and_scored_by_what_can_run_at_once(
    server: ModelServer, prompts: Path
) -> None:
    pytest.importorskip("dspy")
    server.on("assess", outline("Who was it?", "Where was #1 born?"))
    code, out, err = await command("assess", *small(prompts), server=server)
    # Of six items half have parts; a chain that is always seen is right for the other half.
    assert code == 0 and "assess@" in out and "0.500 before, 0.500 after" in out, err
    examples = load(Path(out.splitlines()[-1]).stem, prompts).examples
    told = [json.loads(wanted) for _, wanted in examples]
    assert told and all(set(reply) == {"parts", "answer"} for reply in told)


@pytest.mark.parametrize("name", TASKS)
def test_what_the_items_tell_is_right_by_the_score(name: str) -> None:
    task = TASKS[name]
    items = [item for half in HALVES for item in task.examples(half)]
    assert {task.score(item, task.shape.model_validate_json(task.wanted(item)))[0] for item in items} == {1.0}


def test_the_items_of_a_list_are_named_by_number() -> None:
    (listed,) = [item for item in load_items("structure") if "\n2. " in item.question]
    assert json.loads(TASKS["assess"].wanted(listed)) == {"unnamed": "", "parts": ["1", "2", "3"], "answer": "list"}


async def test_what_is_wrong_is_said(server: ModelServer, prompts: Path) -> None:
    wrong: dict[str, list[str]] = {
        "there is no prompt `decompose` to optimise; there are assess, review": ["decompose"],
        "--optimizer magic: there is none": ["review", "--optimizer", "magic"],
    }
    for said, arguments in wrong.items():
        code, _, err = await command(*arguments, *small(prompts), server=server)
        assert code == 2 and said in err and "Traceback" not in err
