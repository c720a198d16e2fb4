"""`apr report` and `apr … --report`, run as a user runs them."""

import json
import os
from pathlib import Path

import pytest

from nodes.state import Solution
from tests.cli.test_cli import QUESTION, Apr, apr, split
from tests.support.server import Fault, ModelServer

__all__ = ["apr"]


async def test_a_run_writes_its_page(server: ModelServer, apr: Apr, tmp_path: Path) -> None:
    split(server)
    target = tmp_path / "run.html"
    target.write_text("an older one")
    ended = await apr(QUESTION, "--report", str(target))
    assert (ended.status, ended.out) == (0, "All of it.\n")
    assert ended.err.splitlines()[-1] == f"report: {target}"
    assert target.read_text().startswith("<!doctype html>") and "Who wrote Hamlet?" in target.read_text()
    assert os.listdir(tmp_path) == ["run.html"]


async def test_a_failed_run_has_a_page_too(server: ModelServer, apr: Apr, tmp_path: Path) -> None:
    server.on("assess", Fault(status=401))
    ended = await apr(QUESTION, "--report", str(tmp_path / "run.html"))
    assert ended.status == 1 and "There is no answer." in (tmp_path / "run.html").read_text()


async def test_the_page_of_a_printed_run_is_the_same(server: ModelServer, apr: Apr, tmp_path: Path) -> None:
    split(server)
    first, saved = tmp_path / "first.html", tmp_path / "saved.json"
    ended = await apr(QUESTION, "--json", "--report", str(first))
    saved.write_text(ended.out)
    again = await apr("report", str(saved))
    assert (again.status, again.out) == (0, "") and again.err == f"report: {tmp_path / 'saved.html'}\n"
    assert (tmp_path / "saved.html").read_text() == first.read_text()
    piped = await apr("report", "-", stdin=ended.out.encode())
    assert piped.out == first.read_text() and piped.err == ""


async def test_two_runs_can_be_written_side_by_side(apr: Apr, tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / f"{name}.json").write_text(Solution(question="?", answer=f"The {name} one.").model_dump_json())
    ended = await apr("report", str(tmp_path / "new.json"), str(tmp_path / "old.json"))
    html = (tmp_path / "new.html").read_text()
    assert ended.status == 0 and "Beside another run" in html and "The old one." in html
    missing = await apr("report", str(tmp_path / "new.json"), "nowhere.json")
    assert missing.status == 2 and "nowhere.json: no such file" in missing.err
    twice = await apr("report", "-", "-", stdin=b"{}")
    assert twice.status == 2 and "holds one run" in twice.err


async def test_a_saved_run_has_a_page_by_its_id(server: ModelServer, apr: Apr, tmp_path: Path) -> None:
    store = str(tmp_path / "runs.sqlite")
    split(server)
    first = await apr(QUESTION, "--store", store, "--report", str(tmp_path / "first.html"))
    await apr("And the sea?", "--store", store)
    latest, earliest = [line[:16] for line in (await apr("runs", "--store", store)).out.splitlines()]
    # Of two random ids, hardly ever more than a few characters are the same.
    ended = await apr("report", earliest[:12].upper(), "--store", store, folder=tmp_path)
    assert (first.status, ended.status, ended.err) == (0, 0, f"report: {earliest}.html\n")
    assert (tmp_path / f"{earliest}.html").read_text() == (tmp_path / "first.html").read_text()
    both = await apr("report", latest, earliest, "--output", "-", APR_STORE=store)
    assert "Beside another run" in both.out and "And the sea?" in both.out and "All of it." in both.out
    (tmp_path / "old.json").write_text(Solution(question="?", answer="The old one.").model_dump_json())
    mixed = await apr("report", "old.json", latest, "--store", store, folder=tmp_path)
    assert mixed.status == 0 and "And the sea?" in (tmp_path / "old.html").read_text()


async def test_what_is_neither_a_file_nor_a_saved_run_is_said_so(apr: Apr, tmp_path: Path) -> None:
    store = str(tmp_path / "runs.sqlite")
    for name, place, said in [
        ("beef", store, "beef: no such file, and there is no run `beef`; apr runs lists them"),
        ("beef", "none", "beef: no such file, and no runs are saved"),
        ("my-run", store, "my-run: no such file, and no id of a saved run"),
    ]:
        ended = await apr("report", name, "--store", place)
        assert (ended.status, ended.out) == (2, "") and ended.err.startswith(f"apr: {said}")
    (tmp_path / "new.json").write_text(Solution(question="?", answer="New.").model_dump_json())
    other = await apr("report", str(tmp_path / "new.json"), "beef", "--store", store)
    assert other.status == 2 and "beef: no such file" in other.err and not (tmp_path / "new.html").exists()


async def test_a_run_can_be_kept_as_json(server: ModelServer, apr: Apr, tmp_path: Path) -> None:
    split(server)
    await apr(QUESTION, "--report", str(tmp_path / "run.json"))
    kept = Solution.model_validate_json((tmp_path / "run.json").read_text())
    assert kept.question == QUESTION and len(kept.calls) == kept.report.calls == 5


@pytest.mark.parametrize("where", ["missing/run.html", "."])
async def test_a_place_that_cannot_be_written_is_refused_before_any_call(
    server: ModelServer, apr: Apr, tmp_path: Path, where: str
) -> None:
    ended = await apr(QUESTION, "--report", str(tmp_path / where))
    assert (ended.status, ended.out) == (2, "") and ended.err.startswith("apr: --report ")
    assert "folder" in ended.err and server.asked == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nonsense", "Invalid JSON"),
        ("[]", "should be an object"),
        (json.dumps({"question": "?", "threads": [{"id": "T1"}]}), "threads.0.subquestion: Field required"),
        (json.dumps({"something": "else"}), "neither a question nor an answer"),
    ],
)
async def test_what_is_no_run_is_refused_with_its_reason(apr: Apr, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "run.json").write_text(content)
    ended = await apr("report", str(tmp_path / "run.json"))
    assert ended.status == 2 and said in ended.err and "run.json" in ended.err
    assert not (tmp_path / "run.html").exists()


async def test_a_missing_run_is_said_with_how_to_make_one(apr: Apr) -> None:
    for name in ("nowhere.json", ".", ""):
        ended = await apr("report", name)
        assert ended.status == 2 and ended.err.startswith("apr: ") and ended.out == ""
    assert "--json > nowhere.json" in (await apr("report", "nowhere.json")).err


async def test_help_teaches_both_commands(apr: Apr) -> None:
    assert "apr report" in (await apr("--help")).out
    told = (await apr("report", "--help")).out
    assert "apr report run.json" in told and "--output" in told
