"""Where the thread cache is kept: files, several processes, a Redis server; and what their faults cost."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.cache.sqlite import SqliteCache

from graphs import build_graph, graph
from tests.support.command import apr
from tests.support.server import ModelServer
from tests.support.services.redis_server import redis_server
from tests.support.subjects.cache import calls_of_a_second_run, run, there
from tests.support.subjects.poison import Poison


async def test_a_poisoned_value_runs_nothing_and_is_asked_anew(
    server: ModelServer, cached: dict[str, Any], file: Path, tmp_path: Path
) -> None:
    poison = Poison(tmp_path / "run")
    SqliteCache(path=str(tmp_path / "plain")).serde.loads_typed(poison.values[1])
    assert poison.mark.is_dir(), "the poison would do nothing anyway"
    poison.mark.rmdir()
    await run(cached)
    own = build_graph(cache=SqliteCache(path=str(tmp_path / "own")))
    await run(cached, own)
    for value in poison.values:
        for place, used in ((file, graph), (tmp_path / "own", own)):
            with closing(sqlite3.connect(place)) as content:
                content.execute("UPDATE cache SET encoding = ?, val = ?", value)
                content.commit()
            before = len(server.calls("solve"))
            assert (await run(cached, used))["outcome"] == "complete"
            assert len(server.calls("solve")) == before + 3 and not there(poison.mark), value


@pytest.fixture
def damaged(file: Path) -> Path:
    file.parent.mkdir()
    file.write_bytes(b"not a database, " * 1000)
    return file


@pytest.fixture
def locked(file: Path) -> Iterator[Path]:
    file.parent.mkdir()
    SqliteCache(path=str(file))
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield file


@pytest.mark.parametrize(
    ("kind", "said"),
    [("damaged", ["cannot be used: file is not a database"]), ("locked", ["locked", "asked anew"])],
)
async def test_a_file_that_cannot_be_used_costs_a_warning(
    server: ModelServer,
    cached: dict[str, Any],
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    said: list[str],
) -> None:
    path = request.getfixturevalue(kind)
    with caplog.at_level(logging.WARNING):
        solution = await run(cached)
    assert solution["outcome"] == "complete" and len(server.calls("solve")) == 3
    assert all(words in caplog.text for words in [*said, str(path)])


async def test_four_processes_share_one_file(server: ModelServer, cached: dict[str, Any]) -> None:
    for _ in range(2):
        ended = await asyncio.gather(*(apr(server, "What? Where? Why?", "--cache") for _ in range(4)))
        assert [(status, out) for status, out, _ in ended] == [(0, "All of it.\n")] * 4
        assert not any("cannot be" in err for _, _, err in ended)
    assert all("3 threads (3 cached)" in err for _, _, err in ended)


async def test_the_command_tells_what_is_kept_and_removes_it(
    server: ModelServer, cached: dict[str, Any], file: Path
) -> None:
    assert (await apr(server, "cache", "stats"))[1].startswith("0 results, 0 bytes")
    assert (await apr(server, "cache", "clear"))[1] == "0 results removed\n" and not there(file)
    await run(cached)
    status, out, _ = await apr(server, "cache", "stats")
    assert status == 0 and out.startswith("3 results, ") and out.endswith(f"in {file}\n")
    assert (await apr(server, "cache", "clear"))[1] == "3 results removed\n"
    assert (await apr(server, "cache", "stats"))[1].startswith("0 results")


async def test_the_command_says_what_to_do_about_a_damaged_file(server: ModelServer, damaged: Path) -> None:
    for command in ("stats", "clear"):
        status, _, err = await apr(server, "cache", command)
        assert status == 2 and "remove the file to start anew" in err and "Traceback" not in err


@pytest.fixture
def redis_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Redis server, where the machine has its program."""
    pytest.importorskip("redis")
    try:
        with redis_server() as server:
            monkeypatch.setenv("APR_REDIS_URL", server.url)
            yield server.url
    except LookupError as missing:
        pytest.skip(str(missing))


async def test_redis_holds_the_cache_when_its_address_is_given(
    server: ModelServer, cached: dict[str, Any], redis_url: str, file: Path
) -> None:
    assert await calls_of_a_second_run(server, run(cached), run(cached)) == 0
    assert not there(file)
    status, out, err = await apr(server, "cache", "stats")
    assert status == 0 and out.startswith("3 results, ") and "secret-word" not in out, err
    assert (await apr(server, "cache", "clear"))[1] == "3 results removed\n"
    assert (await apr(server, "cache", "stats"))[1].startswith("0 results")


async def test_a_poisoned_redis_server_runs_nothing(
    server: ModelServer, cached: dict[str, Any], redis_url: str, tmp_path: Path
) -> None:
    import redis

    await run(cached)
    poison = Poison(tmp_path / "run")
    with closing(redis.Redis.from_url(redis_url)) as there_:
        for encoding, value in poison.values:
            keys = list(there_.scan_iter("apr:*"))
            assert len(keys) == 3
            for key in keys:
                there_.set(key, encoding.encode() + b":" + value)
            before = len(server.calls("solve"))
            assert (await run(cached))["outcome"] == "complete"
            assert len(server.calls("solve")) == before + 3 and not there(poison.mark)


async def test_a_redis_server_that_is_down_costs_a_warning(
    server: ModelServer, cached: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("redis")
    monkeypatch.setenv("APR_REDIS_URL", "redis://:secret-word@127.0.0.1:9/0")
    with caplog.at_level(logging.WARNING):
        solution = await run(cached)
    assert solution["outcome"] == "complete" and len(server.calls("solve")) == 3
    assert "127.0.0.1:9/0 cannot be read" in caplog.text and "secret-word" not in caplog.text


async def test_values_that_a_redis_server_refuses_to_give_cost_a_warning(
    server: ModelServer, cached: dict[str, Any], redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    import redis

    await run(cached)
    with closing(redis.Redis.from_url(redis_url)) as there_:
        there_.acl_setuser("default", enabled=True, commands=["-mget"])
    with caplog.at_level(logging.WARNING):
        assert (await run(cached))["outcome"] == "complete"
    assert len(server.calls("solve")) == 6 and "cannot be read, threads are asked anew" in caplog.text
