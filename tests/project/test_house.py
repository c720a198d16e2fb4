"""The shape of the project: import directions, the two commands of the README, the settings table, public names."""

import ast
import asyncio
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from nodes.settings import Settings
from tests.support.command import apr, environment
from tests.support.server import ModelServer

PROJECT = Path(__file__).parents[2]


def test_imports_run_one_way_and_only_one_place_talks_to_models() -> None:
    checker = Path(sys.executable).parent / "lint-imports"
    ended = subprocess.run([checker, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


MAX_FILES = 16
"""In a folder, of Python."""
MAX_LINES = 300
MAX_FUNCTION_LINES = 60


def test_folders_files_and_functions_stay_small() -> None:
    files = [
        path for folder in ("graphs", "nodes", "prompts", "evals", "tests") for path in (PROJECT / folder).rglob("*.py")
    ]
    assert len(files) > 400
    folders = Counter(str(path.parent.relative_to(PROJECT)) for path in files)
    assert {folder: count for folder, count in folders.items() if count > MAX_FILES} == {}
    texts = {str(path.relative_to(PROJECT)): path.read_text(encoding="utf-8") for path in files}
    assert {path: text.count("\n") for path, text in texts.items() if text.count("\n") > MAX_LINES} == {}
    functions = [
        (path, found.name, (found.end_lineno or found.lineno) - found.lineno + 1)
        for path, text in texts.items()
        for found in ast.walk(ast.parse(text))
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [function for function in functions if function[2] > MAX_FUNCTION_LINES] == []


def settings_table() -> str:
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        shown = (
            {True: "on", False: "off"}[default]
            if isinstance(default, bool)
            else f"{default:g}"
            if isinstance(default, int | float)
            else "see meaning"
            if name == "model"
            else f"`{default}`"
            if default
            else "none"
        )
        rows.append(f"| `{name}` | {shown} | `APR_{name.upper()}` | {field.description} |")
    return "\n".join(rows)


def test_a_page_lists_every_setting_as_it_is() -> None:
    assert settings_table() in (PROJECT / "graphs/README.md").read_text(encoding="utf-8")


def test_the_readme_opens_with_two_commands() -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2 and all(re.sub(r'"[^"]*"', "", block).count("\n") == 1 for block in blocks)
    assert "apr " in blocks[0] and "pytest" in blocks[1]


FIRST = [
    "from graphs import graph",
    "from graphs import sequential",
    "from graphs import answer",
    "from graphs.answer import Options",
    "from graphs.streams.answer import AnswerStream",
    "import graphs, graphs.answer, graphs.sequential",
]
OUR_NAMES = """
import aiohttp, langchain_core.tools, langchain_openai, langgraph.graph, langsmith.run_trees, openai, pydantic_settings
import os, sys
for first in sys.argv[1:]:
    assert not any(module.partition(".")[0] in ("graphs", "nodes", "prompts") for module in sys.modules)
    if os.fork():
        assert os.wait()[1] == 0, first
        continue
    exec(first)
    import graphs
    from graphs import *
    print(graph.name, sequential.name, callable(answer), graphs.answer is answer, callable(stream_answer))
    break
"""


@pytest.mark.parametrize("first", [FIRST[::3], pytest.param(FIRST, marks=pytest.mark.full)], ids=["some", "all"])
def test_the_public_names_are_what_they_say_whatever_is_imported_first(first: list[str]) -> None:
    # One process imports what is others', each fork of it what is ours.
    program = [sys.executable, "-c", OUR_NAMES, *first]
    out = subprocess.run(program, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert out.stdout == "adaptive sequential True True True\n" * len(first)


@pytest.mark.parametrize("file", ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_what_contributors_are_led_to_is_there(file: str) -> None:
    text = (PROJECT / file).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    named = re.findall(r"`((?:\.ci|\.github|graphs|nodes|prompts|evals|tests)/[\w./]*)`", text)
    assert [path for path in {*links, *named} if not (PROJECT / path).exists()] == []
    assert links or named


def test_commits_and_ci_run_what_make_check_runs() -> None:
    checks = set(re.findall(r"-m (ruff format|ruff check|mypy)", (PROJECT / ".pre-commit-config.yaml").read_text()))
    for file in ("Makefile", ".ci/run"):
        assert set(re.findall(r"-m (ruff format|ruff check|mypy)", (PROJECT / file).read_text())) == checks
    assert len(checks) == 3


def test_make_dev_sends_nobody_the_tools_own_analytics() -> None:
    told = subprocess.run(["make", "--dry-run", "dev"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "langgraph dev" in told.stdout and "LANGGRAPH_CLI_NO_ANALYTICS=1" in told.stdout


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--max-parallel", "99", "Why?"], ["report", "there-is-none.json"], ["runs", "--store", "STORE"]],
    ids=["help", "bad usage", "report", "runs"],
)
async def test_what_asks_no_model_loads_no_model_client(
    server: ModelServer, arguments: list[str], tmp_path: Path
) -> None:
    store = str(tmp_path / "runs.sqlite")
    assert (await apr(server, "Why so?", "--store", store))[0] == 0
    code = (
        "import atexit, sys\n"
        "heavy = {'openai', 'langchain_openai', 'graphs.adaptive', 'mcp', 'uvicorn'}\n"
        "loaded = lambda: heavy & set(sys.modules)\n"
        "atexit.register(lambda: print('LOADED', sorted(loaded())))\n"
        "from graphs.cli.main import main\nmain()"
    )
    given = [store if argument == "STORE" else argument for argument in arguments]
    program = [sys.executable, "-c", code, *given]
    ended = await asyncio.to_thread(subprocess.run, program, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.stdout.rstrip().endswith("LOADED []"), ended.stdout + ended.stderr
    assert "runs" not in arguments or "complete  Why so?" in ended.stdout


async def test_a_run_in_one_process_loads_nothing_of_several_and_nothing_native(server: ModelServer) -> None:
    # The settings know the fields of native threads, and plans know of branches.
    code = (
        "import atexit, sys\n"
        "others = {'temporalio', 'graphs.temporal.graph', 'redis', 'dspy', 'mcp'}\n"
        "native = ('native', 'trajectory', 'branch', 'pass_once', 'compare', 'continuing', 'template')\n"
        "known = {'nodes.planning.branches', 'nodes.shared.knobs.native'}\n"
        "ours = lambda: {name for name in sys.modules if name.startswith(('graphs.', 'nodes.'))} - known\n"
        "loaded = lambda: others & set(sys.modules) | {name for name in ours() if any(one in name for one in native)}\n"
        "atexit.register(lambda: print('LOADED', sorted(loaded())))\n"
        "from graphs.cli.main import main\nmain()"
    )
    program = (sys.executable, "-c", code, "Why so?")
    out = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*program, cwd=PROJECT, env=environment(server), stdout=out)
    assert (await process.communicate())[0].decode().endswith("\nLOADED []\n") and server.calls("direct")


def test_what_all_share_loads_no_client_and_no_framework() -> None:
    heavy = {"openai", "aiohttp", "httpx2", "langchain_core", "langgraph"}
    code = f"import nodes.state, sys; print({heavy} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert out.stdout == "set()\n"
