"""What the report, its page and the command show of votes and searches."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from graphs import build_graph
from graphs.page.page import page
from graphs.page.solving import STEP_PX, draw
from nodes.state import Solution
from nodes.threads.solving import Solving, TreeNode, Votes
from tests.support.command import apr
from tests.support.server import ModelServer, outline, review
from tests.support.subjects.solvers import ASKED, rate, solve, solve_parts, step


async def test_the_page_shows_votes_and_the_tree_as_a_picture(server: ModelServer, context: dict[str, Any]) -> None:
    server.on(ASKED, "Result: <b>12</b>")
    solution = await solve_parts(server, context, ASKED, "How long is it?", solver="vote", samples=3)
    html = page(solution)
    assert "<td>&lt;b&gt;12&lt;/b&gt;</td>" in html and " · vote" in html
    server.on("step", step("Guess <i>.", "8"), step("Square.", "9")).on("lesson", {"lesson": "Do not guess."})
    settings: dict[str, Any] = {"solver": "tree", "tree_width": 1}
    solution = await solve(server, context, on=build_graph(checker=lambda _, result: result == "9"), **settings)
    html = page(solution)
    svg = ElementTree.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])
    assert len(svg.findall("line")) == 2 and [text.text for text in svg.iter("text")] == ["0", "1", "2"]
    assert [group.get("class") for group in svg.findall("g")] == ["open", "low", "high"]
    assert "Guess &lt;i&gt;." in html and "Do not guess." in html and "the checker accepted the result" in html


async def test_the_command_prints_how_each_thread_was_worked_out(server: ModelServer, tmp_path: Path) -> None:
    server.on("assess", outline(ASKED, "How long is it?")).on("review", review("All of it."))
    told = ["--json", "--store", str(tmp_path / "runs.sqlite")]
    status, out, _ = await apr(server, "Both?", *told, APR_SOLVER="vote", APR_SAMPLES="2")
    run = json.loads(out)
    assert status == 0 and run["report"]["solving"]["T1"][0]["votes"] == [{"answer": f"answer to {ASKED}", "count": 2}]
    assert run["threads"][0]["solver"] == "vote" and run["report"]["settings"]["samples"] == 2


async def test_a_large_tree_leaves_the_page_small(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("step", step("So.", "9")).on("rate", rate(10))
    solution = await solve(server, context, solver="tree")
    node = TreeNode(parent=0, text="<&>" * 60, answer="x" * 200)
    large = Solving(solver="tree", tree=[TreeNode(), *[node] * 999], votes=[Votes(answer="y" * 200, count=1)] * 64)
    report = solution.report.model_copy(update={"solving": {f"T{number}": [large] for number in range(64)}})
    html = page(solution.model_copy(update={"report": report.model_copy(update={"solving": {"direct": [large] * 9}})}))
    assert len(html.encode()) < 1_000_000 and "more nodes are in the JSON" in html
    assert Solution.model_validate_json(solution.model_dump_json()) == solution


@given(st.lists(st.integers(0, 1_000), max_size=60))
def test_no_two_nodes_of_a_picture_stand_on_each_other(parents: list[int]) -> None:
    tree = [TreeNode(), *(TreeNode(parent=parent % (place + 1)) for place, parent in enumerate(parents))]
    picture = draw(tree)
    spots = {(dot.x, dot.y) for dot in picture.dots}
    assert len(spots) == len(tree) and len(picture.lines) == len(tree) - 1
    rows: dict[float, list[float]] = {}
    for x, y in sorted(spots):
        rows.setdefault(y, []).append(x)
    assert all(after - before >= STEP_PX for row in rows.values() for before, after in zip(row, row[1:], strict=False))
