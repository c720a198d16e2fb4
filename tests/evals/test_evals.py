"""The evaluations: the command on a scripted server."""

import json
from pathlib import Path

import pytest

from evals.items import load_items
from evals.run.variants import REVIEWERS, VARIANTS
from tests.support.server import Fault, ModelServer, Reply, outline, plan
from tests.support.services.traces import TraceServer, trace_server
from tests.support.subjects.evaluations import cells, command, pairwise_rows


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
    assert len(done) == 2 * (len(VARIANTS) - len(REVIEWERS) - 1) + len(REVIEWERS)  # tools are for ParallelQA only
    ids = {name: [row.id for row in cell.rows] for name, cell in done.items()}
    assert all(len(items) == 3 for items in ids.values())
    assert len({tuple(sorted(items)) for name, items in ids.items() if name.startswith("compound")}) == 1
    adaptive, sampled = done["compound adaptive"], done["compound self-consistency"]
    assert adaptive.prompts and adaptive.settings["model"] == "openai:scripted" and adaptive.seed == 0
    # What is broken off at a time limit has no tokens that count.
    limits = ("thread_timeout", "request_timeout")
    assert {cell.settings[limit] for cell in done.values() for limit in limits} == {900}
    for row in sampled.rows:
        (beside,) = [other for other in adaptive.rows if other.id == row.id]
        assert row.samples == max(1, round(beside.total / 100)) and row.total == 100 * row.samples
    assert "| compound | adaptive | 3 |" in out and "needed documents given" in out
    assert all(f"| results | {name} | 3 |" in out for name in REVIEWERS)
    assert "compound · adaptive" in err and "3/3" in err
    assert "| openai:scripted | adaptive | sequential | 6 | 6 |" in out
    # Every subquestion is asked anew and of the other results, and then all results are read together.
    given = {item.id: len(item.results) for item in load_items("results")}
    asked = {name: {row.id: row.stages["review"].calls for row in done[f"results {name}"].rows} for name in REVIEWERS}
    assert asked["careful"] == {id: 2 * given[id] + 1 for id in asked["brief"]} and set(asked["brief"].values()) == {1}
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
