"""The cheaper model for easy threads: who is asked what, what goes back, and what is told of it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from graphs import graph
from graphs.page.page import page
from nodes.state import Solution
from tests.support.command import apr
from tests.support.server import HANG, Fault, ModelServer, Reply, model_server, outline, review

PARTS = [f"What is {number}?" for number in ("one", "two", "three")]
WORDS = ["easy", "hard", "easy"]
PRICES = {"openai:scripted": {"input": 2.0, "output": 20.0}, "openai:small": {"input": 1.0, "output": 10.0}}
THREAD_USD = 0.0019
"""What a thread costs at the cheaper model: 900 tokens read and 100 written; at the other, twice as much."""
KEYS = {"OPENAI_API_KEY": "planted-openai-0123456789", "SMALL_KEY": "planted-small-0123456789"}


@pytest.fixture
async def other() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


def split(server: ModelServer, words: list[str] | None = WORDS, parts: list[str] = PARTS) -> None:
    server.on("assess", outline(*parts) | ({} if words is None else {"difficulty": words}))
    for part in parts:
        server.on(part, Reply(f"Result: answer to {part}", prompt_tokens=900, completion_tokens=100))


async def ask(context: dict[str, Any], **settings: Any) -> Solution:
    chosen = {**context, "easy_model": "openai:small", **settings}
    return Solution.model_validate(await graph.ainvoke({"question": "Tell me all."}, context=chosen))


def models(server: ModelServer, parts: list[str] = PARTS) -> list[list[str]]:
    """Name the models that each part was asked of, in turn."""
    return [[request.body["model"] for request in server.about(part)] for part in parts]


async def test_each_thread_goes_to_the_model_of_its_word(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    solution = await ask(context, prices=PRICES)
    assert models(server) == [["small"], ["scripted"], ["small"]]
    assert {request.body["model"] for request in server.asked if request.role != "solve"} == {"scripted"}
    assert "`difficulty`: One word for each part in turn: `easy`" in server.calls("assess")[0].last
    assert [thread.model for thread in solution.threads] == ["openai:small", "openai:scripted", "openai:small"]
    easy = solution.report.easy
    assert easy and easy.asked == {"openai:small": 2, "openai:scripted": 1} and easy.sent_back == 0
    assert easy.saved_usd == pytest.approx(2 * THREAD_USD)
    assert "2 to openai:small; saved $0.0038" in page(solution)


async def test_what_the_reviewer_sends_back_goes_to_the_stronger_one(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server)
    server.on("review", review("", "T1: wrong"), review("All of it."))
    solution = await ask(context, prices=PRICES)
    assert models(server) == [["small", "scripted"], ["scripted"], ["small"]]
    assert "A reviewer sent this back" in server.about(PARTS[0])[1].last and solution.outcome == "complete"
    easy = solution.report.easy
    assert easy and (easy.threads, easy.sent_back, easy.asked["openai:small"]) == (2, 1, 2)
    # One is saved, and the other was paid for in vain.
    assert easy.saved_usd == pytest.approx(0.0)


async def test_without_the_setting_nothing_goes_over_the_wire_that_did_not(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server)
    solution = await ask(context, easy_model=None)
    assert models(server) == [["scripted"]] * 3 and solution.report.easy is None
    (plain,) = server.calls("assess")
    server.asked.clear()
    await ask(context)
    (worded,) = server.calls("assess")
    assert "difficulty" not in str(plain.body) and worded.last.startswith(plain.last)
    schema = "response_format", "json_schema", "schema", "properties"
    fields = [list(_reach(request.body, schema)) for request in (plain, worded)]
    assert fields == [["asks", "parts", "answer"], ["asks", "parts", "answer", "difficulty"]]


def _reach(body: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        body = body[name]
    return body


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (None, ["scripted"] * 3),
        ([], ["scripted"] * 3),
        (["easy"], ["small", "scripted", "scripted"]),
        (["easy"] * 5, ["small"] * 3),
    ],
    ids=str,
)
async def test_a_part_without_a_word_is_not_easy(
    server: ModelServer, context: dict[str, Any], words: list[str] | None, asked: list[str]
) -> None:
    split(server, words)
    solution = await ask(context)
    assert models(server) == [[model] for model in asked] and solution.outcome == "complete"
    assert solution.report.easy and solution.report.easy.saved_usd == (None if "small" in asked else 0)


async def test_it_has_a_server_and_a_key_of_its_own(
    server: ModelServer, other: ModelServer, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    split(server)
    split(other)
    solution = await ask(context, easy_base_url=other.url, easy_api_key_env="SMALL_KEY")
    assert solution.outcome == "complete"
    assert {request.key for request in other.asked} == {PARTS[0], PARTS[2]} and len(other.asked) == 2
    for one, key in ((server, KEYS["OPENAI_API_KEY"]), (other, KEYS["SMALL_KEY"])):
        assert {request.headers["Authorization"] for request in one.asked} == {f"Bearer {key}"}


@pytest.mark.parametrize("max_rounds", [1, 0])
async def test_a_cheaper_model_that_is_out_of_order_costs_no_answer(
    server: ModelServer, other: ModelServer, context: dict[str, Any], max_rounds: int
) -> None:
    split(server, ["easy"] * 3)
    other.on("solve", Fault(status=401))
    solution = await ask(context, easy_base_url=other.url, max_rounds=max_rounds)
    if max_rounds:
        assert solution.outcome == "complete" and models(server) == [["scripted"]] * 3
        assert solution.report.easy and solution.report.easy.sent_back == 3
    else:
        # No thread has an answer, so the whole question is asked of the model that works.
        assert len(server.calls("direct")) == 1 and solution.answer


async def test_of_parts_that_share_a_thread_each_goes_by_its_own_word(
    server: ModelServer, context: dict[str, Any]
) -> None:
    parts = [*PARTS, "What is four?"]
    split(server, [*WORDS, "hard"], parts)
    await ask(context, max_threads=2)
    assert models(server, parts) == [["small"], ["scripted"], ["small"], ["scripted"]]


async def test_a_solver_and_a_model_may_both_be_left_to_the_outline(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server)
    server.on("assess", outline(*PARTS) | {"difficulty": WORDS, "solvers": ["chain", "chain", "vote"]})
    await ask(context, solver="auto", samples=2)
    assert models(server) == [["small"], ["scripted"], ["small"] * 2]
    assert all(f"`{name}`: One word" in server.calls("assess")[0].last for name in ("solvers", "difficulty"))


async def test_its_results_are_reused_only_where_it_is_asked(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    for model, cached in [("openai:small", 0), ("openai:small", 3), (None, 1), ("openai:tiny", 1)]:
        solution = await ask(context, cache=True, easy_model=model)
        assert solution.report.cached == cached, model


async def test_the_copy_of_a_late_thread_is_asked_of_the_same_model(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server)
    server.on(PARTS[0], HANG, Reply("Result: at last"))
    await ask(context, hedge=1)
    assert models(server)[0] == ["small", "small"]


async def test_the_command_tells_where_threads_went(server: ModelServer, tmp_path: Path) -> None:
    split(server)
    priced = f"prices={json.dumps(PRICES)}"
    arguments = ["Tell me all.", "--set", "easy_model=openai:small", "--set", priced]
    status, _, err = await apr(server, *arguments, "--report", str(tmp_path / "run.html"))
    assert status == 0 and "\neasy threads: 1 to openai:scripted, 2 to openai:small; saved $0.0038\n" in err
