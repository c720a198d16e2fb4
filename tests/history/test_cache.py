"""The thread cache: what is asked again, what is not, and what its faults cost."""

import asyncio
import json
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langgraph.cache.base import BaseCache
from langgraph.cache.memory import InMemoryCache
from langgraph.cache.sqlite import SqliteCache

from graphs import build_graph, graph
from nodes.settings import Settings
from nodes.threads.cache import key_of
from nodes.threads.cache_store import NAMESPACE
from tests.support.command import apr
from tests.support.server import Fault, ModelServer, Reply, outline, review

PARTS = ["What does a.py do?", "What does b.py do?", "What does c.py do?"]
QUESTION = "What do these files do?"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache file of the test's own."""
    path = tmp_path / "kept" / "threads.sqlite"
    monkeypatch.setenv("APR_CACHE_FILE", str(path))
    return path


@pytest.fixture
def cached(server: ModelServer, context: dict[str, Any], file: Path) -> dict[str, Any]:
    """Settings with the cache; three threads read a document each."""
    server.on("assess", outline(*(f"{number}: {part}" for number, part in enumerate(PARTS, 2))))
    return {**context, "cache": True}


def documents(**changed: str) -> list[dict[str, str]]:
    return [{"id": f"{name}.py", "text": changed.get(name, f"text of {name}")} for name in "abc"]


def there(file: Path) -> bool:
    return file.exists()


async def run(context: dict[str, Any], use: Any = graph, **more: Any) -> Any:
    return await use.ainvoke({"question": QUESTION, "documents": documents(), **more}, context=context)


async def calls_of_a_second_run(server: ModelServer, first: Any, second: Any) -> int:
    await first
    before = len(server.calls("solve"))
    await second
    return len(server.calls("solve")) - before


async def test_what_was_asked_before_is_not_asked_again(server: ModelServer, cached: dict[str, Any]) -> None:
    first = await run(cached)
    second = await run(cached)
    assert len(server.calls("solve")) == 3
    assert (first["report"].cached, second["report"].cached) == (0, 3)
    for old, new in zip(first["threads"], second["threads"], strict=True):
        assert (old.cached, new.cached, new.usage.total, new.attempts) == (False, True, 0, 0)
        assert (new.answer, new.text, new.model) == (old.answer, old.text, old.model)
    assert second["outcome"] == "complete" and second["report"].calls == first["report"].calls - 3


async def test_nothing_is_kept_unless_asked_for(server: ModelServer, cached: dict[str, Any], file: Path) -> None:
    off = {**cached, "cache": False}
    assert await calls_of_a_second_run(server, run(off), run(off)) == 3 and not there(file)


async def test_one_changed_source_is_asked_of_its_thread_alone(server: ModelServer, cached: dict[str, Any]) -> None:
    assert await calls_of_a_second_run(server, run(cached), run(cached, documents=documents(b="other"))) == 1
    assert "other" in server.calls("solve")[-1].last


@pytest.mark.parametrize(
    "changed", [{"model": "openai:another"}, {"temperature": 0.5}, {"max_tokens": 99}, {"solve_model": "openai:third"}]
)
async def test_another_way_of_asking_is_another_question(
    server: ModelServer, cached: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert await calls_of_a_second_run(server, run(cached), run({**cached, **changed})) == 3


async def test_other_instructions_are_another_question(server: ModelServer, cached: dict[str, Any]) -> None:
    assert await calls_of_a_second_run(server, run(cached), run(cached, instructions="Be brief.")) == 3


def test_another_version_of_the_prompt_is_another_question(context: dict[str, Any]) -> None:
    settings = Settings(**context)
    one, other = (key_of([], settings, prompt) for prompt in ("solve@1", "solve@2"))
    assert one != other and one == key_of([], settings, "solve@1")


async def test_equal_threads_at_once_make_one_call(server: ModelServer, cached: dict[str, Any]) -> None:
    server.on(PARTS[0], Reply("Result: once", delay=2.0))
    solutions = await asyncio.gather(*(run(cached) for _ in range(16)))
    assert len(server.about(PARTS[0])) == 1
    answers = [solution["threads"][0] for solution in solutions]
    assert {thread.answer for thread in answers} == {"once"} and sum(thread.cached for thread in answers) == 15


async def test_when_the_one_who_asks_fails_the_next_one_asks(server: ModelServer, cached: dict[str, Any]) -> None:
    server.on(PARTS[0], Fault(status=400), Reply("Result: then", delay=0.5))
    solutions = await asyncio.gather(*(run({**cached, "max_rounds": 0}) for _ in range(4)))
    assert len(server.about(PARTS[0])) == 2
    assert sorted(solution["threads"][0].status for solution in solutions) == ["answered"] * 3 + ["failed"]


@pytest.mark.parametrize(
    "poor", [Fault(status=400), Reply("Half of", finish_reason="length"), Reply("Result: 1", finish_reason="length")]
)
async def test_what_failed_or_was_cut_is_not_kept(server: ModelServer, cached: dict[str, Any], poor: Any) -> None:
    server.on(PARTS[0], poor)
    once = {**cached, "max_rounds": 0}
    assert await calls_of_a_second_run(server, run(once), run(once)) == 1


async def test_what_was_refuted_is_neither_kept_nor_read_back(server: ModelServer, cached: dict[str, Any]) -> None:
    server.on(PARTS[0], "Result: wrong", "Result: right")
    server.on("review", review("", "T1: no"), review("Good."))
    first = await run(cached)
    assert [request.last.count("sent this back") for request in server.about(PARTS[0])] == [0, 1]
    assert first["threads"][0].answer == "right" and not first["threads"][0].cached
    second = await run(cached)
    assert second["threads"][0].answer == "right" and second["report"].cached == 3
    server.on("review", review("", "T1: no"))
    refuted = await run({**cached, "temperature": 1, "max_rounds": 0})
    assert refuted["threads"][0].status == "refuted"
    assert await calls_of_a_second_run(server, run(cached), run({**cached, "temperature": 1, "max_rounds": 0})) == 1


async def test_a_graph_takes_a_cache_of_ones_own(server: ModelServer, cached: dict[str, Any], file: Path) -> None:
    own = build_graph(cache=InMemoryCache())
    off = {**cached, "cache": False}
    assert await calls_of_a_second_run(server, run(off, own), run(off, own)) == 0
    assert not there(file)


async def test_results_are_kept_as_long_as_said(server: ModelServer, cached: dict[str, Any], file: Path) -> None:
    await run({**cached, "cache_ttl": 3600})
    with closing(sqlite3.connect(file)) as content:
        assert content.execute("SELECT count(*) FROM cache WHERE expiry IS NOT NULL").fetchone() == (3,)
        content.execute("UPDATE cache SET expiry = 1")
        content.commit()
    assert await calls_of_a_second_run(server, run({**cached, "temperature": 1}), run(cached)) == 3


async def test_an_entry_of_another_version_is_asked_anew(
    server: ModelServer, cached: dict[str, Any], file: Path
) -> None:
    first = await run(cached)
    key = (NAMESPACE, first["threads"][0].cache_key)
    kept: BaseCache[Any] = SqliteCache(path=str(file))
    await kept.aset({key: ({"result": "of long ago"}, None)})
    assert await calls_of_a_second_run(server, run(cached, documents=documents(b="x")), run(cached)) == 0
    assert len(server.about(PARTS[0])) == 2


class Poison:
    """A value that a msgpack extension turns into a call of a function, when LangGraph's own serializer reads it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark
        self.values = [
            ("msgpack", self._call(0, ("pathlib", "Path.touch", str(mark)))),
            ("msgpack", self._call(0, ("os", "mkdir", str(mark)))),
            ("msgpack", self._call(1, ("os", "makedirs", [str(mark)]))),
            ("msgpack", self._call(2, ("os", "makedirs", {"name": str(mark)}))),
            ("msgpack", self._call(4, ("os", "mkdir", {"path": str(mark)}))),
            ("msgpack", self._call(5, ("os", "makedirs", {"name": str(mark)}, "model_validate"))),
            ("json", json.dumps({"lc": 2, "type": "constructor", "id": ["os", "mkdir"], "args": [str(mark)]}).encode()),
            ("pickle", f"cos\nmkdir\n(V{mark}\ntR.".encode()),
            ("plain-json", b"[" * 100_000),
            ("plain-json", b'{"answer": 1}'),
            ("", b""),
        ]

    @staticmethod
    def _call(code: int, said: Any) -> bytes:
        return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(said)))


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
    fakeredis = pytest.importorskip("fakeredis", reason="a Redis server for tests needs the `dev` extra")
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    url = f"redis://:secret-word@127.0.0.1:{server.server_address[1]}/0"
    monkeypatch.setenv("APR_REDIS_URL", url)
    yield url
    server.shutdown()
    server.server_close()


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
