"""What is installed: the workflow with all its files, marked as typed, and nothing beside it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGES = ("graphs", "nodes", "prompts")
BUILD = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # From a copy, so that nothing is left here; what an earlier build left here is not in it.
    source = tmp_path_factory.mktemp("source")
    for folder in (*PACKAGES, "evals", "tests"):
        shutil.copytree(PROJECT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / file, source)
    built = subprocess.run([sys.executable, "-c", BUILD], cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return source / built.stdout.splitlines()[-1]


def test_the_wheel_holds_every_file_of_the_workflow_and_no_other(wheel: Path) -> None:
    there = {
        str(path.relative_to(PROJECT).as_posix())
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    held = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == there
    for package in PACKAGES:
        assert f"{package}/py.typed" in held
    for kind in (".md", ".json", ".jsonl", ".j2", ".css"):
        assert any(name.endswith(kind) for name in held)


def test_what_is_installed_needs_nothing_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    ZipFile(wheel).extractall(tmp_path / "installed")
    code = (
        "import graphs, nodes, prompts\n"
        "from graphs.page.page import page\n"
        "from nodes.state import Solution\n"
        "print(len({package.__path__[0].rsplit('installed', 1)[0] for package in (graphs, nodes, prompts)}))\n"
        "print(graphs.graph.name, len(prompts.PROMPTS), page(Solution(answer='It is there.')).count('It is there.'))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.splitlines()
    assert first == "1" and second.startswith("adaptive ") and not second.endswith(" 0")
