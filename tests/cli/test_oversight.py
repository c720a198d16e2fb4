"""A person approves, edits or rejects answers, in words that are understood or asked for again; and all over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Command
from langgraph_sdk import get_client

from graphs import graph
from nodes.llm.replies.errors import ConfigurationError
from tests.support.server import ModelServer, review
from tests.support.services.studio import dev_server
from tests.support.subjects.oversight import CONFIG, PARTS, QUESTION, Overseen, asked


@pytest.mark.parametrize(
    "said",
    ["approve", "Approved", "accept", True, {"action": "accept"}, {"type": "approve"}, [{"type": "accept"}]]
    + [{"decisions": [{"type": "approve"}]}],
)
async def test_a_clear_synonym_is_understood(split: ModelServer, context: dict[str, Any], said: Any) -> None:
    run = Overseen(context, "both")
    waits = await run.start()
    assert waits["outcome"] == "running"
    assert asked(await run.graph.ainvoke(Command(resume=said), CONFIG, context=run.context))["stage"] == "answer"
    solution = await run.graph.ainvoke(Command(resume=said), CONFIG, context=run.context)
    assert (solution["outcome"], [done.action for done in solution["decisions"]]) == ("complete", ["approve"] * 2)


@pytest.mark.parametrize(
    "said",
    ["maybe", 7, [], ["approve", "reject"], {"decisions": []}, {"decisions": [{"type": "approve"}] * 2}, {"x": 1}, ""]
    + [False, "no", "reject", {"decisions": [{"type": "reject"}]}, "edit", {"action": "edit", "edits": "all"}],
)
async def test_what_is_not_understood_is_asked_again_with_the_reason(
    split: ModelServer, context: dict[str, Any], said: Any
) -> None:
    run = Overseen(context, "both")
    await run.start()
    again = asked(await run.graph.ainvoke(Command(resume=said), CONFIG, context=run.context))
    assert again["stage"] == "plan" and again["problem"] and not split.calls("solve")
    assert asked(await run.reply(action="approve"))["stage"] == "answer"
    again = asked(await run.graph.ainvoke(Command(resume=said), CONFIG, context=run.context))
    assert again["stage"] == "answer" and again["problem"]


async def test_an_answer_is_approved_or_edited(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "answer")
    shown = asked(await run.start())
    assert (shown["stage"], shown["answer"], len(shown["threads"])) == ("answer", "All of it.", 3)
    assert (await run.reply(action="approve"))["answer"] == "All of it."
    await run.start()
    assert "`answer` is empty" in asked(await run.reply(action="edit"))["problem"]
    solution = await run.reply(action="edit", answer="Better so.")
    assert (solution["answer"], solution["outcome"]) == ("Better so.", "complete")


async def test_threads_are_sent_back_by_name_with_a_note(split: ModelServer, context: dict[str, Any]) -> None:
    split.on(PARTS[1], "Result: 2", "Result: two")
    run = Overseen(context, "answer")
    await run.start()
    again = asked(await run.reply(action="send_back", thread_ids=["T7"], note="?"))
    assert again["problem"] == "there is no thread `T7`; there are T1, T2, T3"
    split.on("review", review("With words."))
    shown = asked(await run.reply(action="send_back", thread_ids=["T2"], note="In words, please."))
    assert shown["answer"] == "With words." and [len(split.about(part)) for part in PARTS] == [1, 2, 1]
    assert "In words, please." in split.about(PARTS[1])[1].last
    solution = await run.reply(action="approve")
    assert solution["threads"][1].answer == "two" and solution["outcome"] == "complete"
    assert solution["decisions"][0].thread_ids == ["T7"] or solution["decisions"][0].action == "send_back"


async def test_a_direct_answer_is_approved_too(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", "Because.")
    run = Overseen(context, "both")
    assert asked(await run.start())["answer"] == "Because."
    assert "this answer has none" in asked(await run.reply(action="send_back", thread_ids=["T1"]))["problem"]
    assert (await run.reply(action="approve"))["answer"] == "Because."


async def test_both_are_asked_in_turn(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "both")
    stages = [asked(await run.start())["stage"], asked(await run.reply(action="approve"))["stage"]]
    assert stages == ["plan", "answer"]
    assert (await run.reply(action="approve"))["outcome"] == "complete"


async def test_a_persons_time_is_not_the_runs(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen({**context, "deadline": 5}, "both")
    await run.start()
    await asyncio.sleep(5)  # longer than the whole run may take
    assert asked(await run.reply(action="approve"))["stage"] == "answer"
    solution = await run.reply(action="approve")
    assert solution["outcome"] == "complete" and solution["report"].wall_s < 5


async def test_without_a_checkpointer_it_is_refused_before_any_call(
    server: ModelServer, context: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="needs a checkpointer"):
        await graph.ainvoke(QUESTION, context={**context, "oversight": "plan"})
    assert not server.asked


@pytest.fixture
async def studio(split: ModelServer, tmp_path: Path) -> AsyncIterator[Any]:
    pytest.importorskip("langgraph_api", reason="`langgraph dev` needs the `dev` extra")
    async with dev_server(tmp_path, APR_MODEL="openai:scripted", APR_BASE_URL=split.url) as url:
        client = get_client(url=url, api_key=None)
        yield client
        await client.aclose()


async def test_plans_and_answers_are_approved_over_http(studio: Any, split: ModelServer) -> None:
    thread = (await studio.threads.create())["thread_id"]
    both = {"oversight": "both"}
    values = await studio.runs.wait(thread, "adaptive", input=QUESTION, context=both)
    (waiting,) = values["__interrupt__"]
    assert waiting["value"]["stage"] == "plan" and not split.calls("solve")
    assert waiting["response_schema"]["properties"]["action"]["enum"] == ["approve", "edit", "reject"]

    async def reply(**said: Any) -> Any:
        command = {"resume": {waiting["id"]: said}}
        return await studio.runs.wait(thread, "adaptive", command=command, context=both, raise_error=False)

    values = await reply(action="edit", edits=[{"op": "drop", "thread_ids": ["T9"]}])
    (waiting,) = values["__interrupt__"]
    assert "there is no thread `T9`" in waiting["value"]["problem"]
    values = await reply(action="reject", note="Another way.")
    (waiting,) = values["__interrupt__"]
    assert waiting["value"]["stage"] == "plan" and len(split.calls("decompose")) == 1
    values = await reply(action="edit", edits=[{"op": "drop", "thread_ids": ["T3"]}])
    (waiting,) = values["__interrupt__"]
    assert waiting["value"]["stage"] == "answer" and len(split.calls("solve")) == 2
    values = await reply(action="send_back", thread_ids=["T1"], note="Again.")
    (waiting,) = values["__interrupt__"]
    assert len(split.calls("solve")) == 3
    answered = waiting["id"]
    values = await reply(action="approve")
    assert values["outcome"] == "complete" and len(values["threads"]) == 2
    # A second reply to the same interrupt changes nothing.
    before = len(split.asked)
    late = {"resume": {answered: {"action": "edit", "answer": "Mine!"}}}
    await studio.runs.wait(thread, "adaptive", command=late, context=both, raise_error=False)
    state = await studio.threads.get_state(thread)
    assert state["values"]["answer"] == "All of it." and len(split.asked) == before
