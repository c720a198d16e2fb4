"""What `apr` is told beside its options: `--set`, the user's file of variables, folders and patterns."""

from pathlib import Path

import pytest

from tests.support.command import apr, apr_in
from tests.support.server import ModelServer, outline, review

PARTS = ["What is one?", "What is two?"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A file of variables of the user's own."""
    return tmp_path / "config.env"


async def settings_of(server: ModelServer, home: Path, *arguments: str, **more: str) -> str:
    status, out, err = await apr(server, "Hi.", "--json", *arguments, APR_CONFIG=str(home), **more)
    assert status == 0, err
    return out


VARIABLES = "APR_MAX_THREADS=3\nAPR_MAX_ROUNDS=4  # few\n# a remark\nAPR_DEADLINE=\n"


@pytest.fixture
def told(home: Path) -> Path:
    """The same with some variables in it."""
    home.write_text(VARIABLES, encoding="utf-8")
    return home


async def test_an_option_beats_the_environment_which_beats_the_file_which_beats_the_default(
    server: ModelServer, told: Path
) -> None:
    out = await settings_of(server, told, "--set", "max_parallel=5", APR_MAX_ROUNDS="6", APR_MAX_PARALLEL="7")
    for expected in ('"max_threads": 3', '"max_rounds": 6', '"max_parallel": 5', '"deadline": null'):
        assert expected in out, expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "max_rounds"], "write it as name=value"),
        (["--set", "max_round=3"], "did you mean `max_rounds`"),
        (["--set", "max_rounds=99"], "max_rounds"),
        (["--set", "max_rounds=1", "--set", "APR_MAX_ROUNDS=2"], "set twice"),
        (["--set", "model=local", "--model", "local"], "an option sets it, too"),
    ],
)
async def test_what_cannot_be_set_is_refused_before_any_call(
    server: ModelServer, tmp_path: Path, arguments: list[str], said: str
) -> None:
    status, _, err = await apr(server, "Hi.", *arguments)
    assert status == 2 and said in err and not server.asked


async def test_a_run_that_may_cost_so_much_needs_the_price_of_its_model(server: ModelServer, told: Path) -> None:
    for limit in (["--max-cost", "0.5"], ["--set", "max_cost=0.5"]):
        status, out, err = await apr(server, "Hi.", *limit)
        assert (status, out) == (2, "") and "`max_cost` needs the price of every model" in err and "`prices`" in err
    assert not server.asked
    price = 'prices={"openai:scripted": {"input": 1, "output": 2}}'
    out = await settings_of(server, told, "--max-cost", "0.5", "--set", price)
    assert '"max_cost": 0.5' in out and '"source": "the setting `prices`"' in out
    status, _, err = await apr(server, "Hi.", "--max-cost", "0")
    assert status == 2 and "max_cost" in err and "greater than 0" in err


async def test_a_file_that_is_named_and_not_there_is_told(server: ModelServer, home: Path) -> None:
    status, _, err = await apr(server, "Hi.", APR_CONFIG=str(home))
    assert status == 2 and f"APR_CONFIG: {home}: no such file" in err and not server.asked


async def test_a_file_of_the_working_folder_sets_what_a_request_may_choose(
    server: ModelServer, told: Path, tmp_path: Path
) -> None:
    theirs = "APR_BASE_URL=http://127.0.0.1:9/v1\nAPR_API_KEY_ENV=SOME_PASSWORD\nOPENAI_BASE_URL=http://127.0.0.1:9\n"
    ours = "APR_MAX_ROUNDS=9\nAPR_MAX_THREADS=8\nAPR_STORE=none\n"
    (tmp_path / ".env").write_text(theirs + ours, encoding="utf-8")
    status, out, err = await apr_in(tmp_path, server, "Hi.", "--json", APR_CONFIG=str(told), APR_MAX_THREADS="5")
    assert status == 0 and '"max_rounds": 9' in out and '"max_threads": 5' in out and server.asked
    # The environment names a server, which beats all files; of the rest, what leads elsewhere is told.
    assert ".env: APR_API_KEY_ENV is not taken from the working folder" in err and "APR_BASE_URL is" not in err
    assert "not kept" not in err and (await apr_in(tmp_path, server, "runs"))[1]
    status, _, err = await apr_in(
        tmp_path, server, "Hi.", APR_BASE_URL="", OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-mine-0123456789"
    )
    assert status == 0 and ".env: APR_BASE_URL is not taken from the working folder" in err
    (tmp_path / ".env").write_text("APR_MAX_ROUND=2\n", encoding="utf-8")
    status, _, err = await apr_in(tmp_path, server, "Hi.")
    assert status == 2 and "did you mean `APR_MAX_ROUNDS`?" in err


async def test_folders_and_patterns_are_files(server: ModelServer, tmp_path: Path) -> None:
    for name, text in (("a.py", "one"), ("sub/b.py", "two"), ("c.txt", "three"), (".hidden/key", "secret")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "d.bin").write_bytes(b"\0\1\2")
    server.on("assess", outline("2: What is it?", "3: What is it?")).on("review", review("All."))
    status, _, err = await apr(server, "What are they?", "--file", str(tmp_path))
    documents = server.calls("assess")[0].last
    assert status == 0 and "1 of its files are no texts and are left out" in err
    assert all(str(tmp_path / name) in documents for name in ("a.py", "sub/b.py", "c.txt"))
    assert "key" not in documents and "d.bin" not in documents
    await apr(server, "What are they?", "--file", str(tmp_path / "**" / "*.py"))
    documents = server.calls("assess")[1].last
    assert "a.py" in documents and "b.py" in documents and "c.txt" not in documents
    status, _, err = await apr(server, "What are they?", "--file", str(tmp_path / "*.md"))
    assert status == 2 and "matches no file" in err
