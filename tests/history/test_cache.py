"""The thread cache: what is asked again, and what is not."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.cache.base import BaseCache
from langgraph.cache.memory import InMemoryCache
from langgraph.cache.sqlite import SqliteCache

from graphs import build_graph
from nodes.settings import Settings
from nodes.threads.cache import key_of
from nodes.threads.cache_store import NAMESPACE
from tests.support.server import Fault, ModelServer, Reply, review
from tests.support.subjects.cache import PARTS, calls_of_a_second_run, documents, run, there


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
