"""A person approves, edits or rejects plans and answers: from Python, over HTTP, and in a terminal."""

import asyncio
import os
import pty
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from langgraph_sdk import get_client

from graphs import build_graph, graph
from nodes.input.segments import split_input
from nodes.llm.replies.errors import ConfigurationError
from nodes.planning.edits import Edit, EditError, apply_edits
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.reporting import estimate as outlook
from tests.support.command import Process, apr, environment, launch
from tests.support.server import ModelServer, outline, plan, review
from tests.support.studio import dev_server

PARTS = ["What is one?", "What is two?", "What is three?"]
QUESTION = {"question": " ".join(PARTS)}
CONFIG: Any = {"configurable": {"thread_id": "1"}}


@pytest.fixture
def split(server: ModelServer) -> ModelServer:
    return server.on("assess", outline("1", "2", "3")).on("decompose", plan("1", "2", "3"))


class Overseen:
    """A run that waits for a person."""

    def __init__(self, context: dict[str, Any], oversight: str) -> None:
        self.graph = build_graph(checkpointer=InMemorySaver())
        self.context = {**context, "oversight": oversight}

    async def start(self) -> Any:
        return await self.graph.ainvoke(QUESTION, CONFIG, context=self.context)

    async def reply(self, **said: Any) -> Any:
        return await self.graph.ainvoke(Command(resume=said), CONFIG, context=self.context)


def asked(values: Any) -> Any:
    (waiting,) = values["__interrupt__"]
    return waiting.value


async def test_no_thread_is_called_before_the_plan_is_approved(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "plan")
    shown = asked(await run.start())
    assert not split.calls("solve") and shown["stage"] == "plan" and shown["problem"] == ""
    assert [thread["subquestion"] for thread in shown["plan"]["threads"]] == PARTS
    assert (shown["estimate"]["threads"], shown["estimate"]["calls"]) == (3, 4)
    assert 0 < shown["estimate"]["tokens"]["low"] <= shown["estimate"]["tokens"]["high"]
    solution = await run.reply(action="approve")
    assert (solution["outcome"], len(split.calls("solve"))) == ("complete", 3)
    assert [(done.stage, done.action) for done in solution["decisions"]] == [("plan", "approve")]


async def test_parts_that_share_a_thread_are_expected_to_take_a_call_each(
    split: ModelServer, context: dict[str, Any]
) -> None:
    run = Overseen({**context, "max_threads": 2}, "plan")
    shown = asked(await run.start())
    assert (shown["estimate"]["threads"], shown["estimate"]["calls"]) == (2, 4)
    await run.reply(action="approve")
    assert len(split.calls("solve")) == 3


async def test_an_edited_plan_is_run_as_edited(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "plan")
    await run.start()
    edits = [
        {"op": "drop", "thread_ids": ["T3"]},
        {"op": "reword", "thread_ids": ["T1"], "subquestion": "What is the first?"},
        {"op": "add", "subquestion": "What is four?", "sources": [2, 1, 2]},
        {"op": "sources", "thread_ids": ["T2"], "sources": [3]},
        {"op": "parallelism", "parallelism": 2},
    ]
    solution = await run.reply(action="edit", edits=edits)
    assert [request.key for request in split.calls("solve")] == ["What is the first?", "What is two?", "What is four?"]
    assert PARTS[2] in split.about("What is two?")[0].last
    assert solution["plan"].parallelism == 2 and solution["plan"].threads[2].sources == [1, 2]
    assert len(solution["decisions"][0].edits) == 5


@pytest.mark.parametrize(
    ("edit", "asked_for", "read"),
    [
        ({"op": "reword", "subquestion": "What are both?"}, "What are both?", "What is one?"),
    ],
)
async def test_a_thread_that_parts_share_is_run_as_edited(
    split: ModelServer, context: dict[str, Any], edit: dict[str, Any], asked_for: str, read: str
) -> None:
    run = Overseen({**context, "max_threads": 2}, "plan")
    await run.start()
    solution = await run.reply(action="edit", edits=[{"thread_ids": ["T1"], **edit}])
    first, last = split.calls("solve")
    assert (first.key, last.key) == (asked_for, PARTS[2]) and read in first.last
    assert solution["threads"][0].subquestion == asked_for and solution["threads"][0].answers == []


async def test_threads_can_be_merged(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "plan")
    await run.start()
    solution = await run.reply(action="edit", edits=[{"op": "merge", "thread_ids": ["T1", "T3"]}])
    assert [thread.id for thread in solution["threads"]] == ["T1", "T2"]
    assert solution["threads"][0].subquestion == f"{PARTS[0]}\n{PARTS[2]}"


async def test_an_invalid_edit_is_refused_with_its_reason_and_asked_again(
    split: ModelServer, context: dict[str, Any]
) -> None:
    run = Overseen(context, "plan")
    await run.start()
    again = asked(await run.reply(action="edit", edits=[{"op": "drop", "thread_ids": ["T9"]}]))
    assert again["problem"] == "edit 1 (drop): there is no thread `T9`; there are T1, T2, T3"
    assert "`edits` is empty" in asked(await run.reply(action="edit"))["problem"]
    assert "`note` is empty" in asked(await run.reply(action="reject"))["problem"]
    assert "`action` is one of `approve`, `edit`, `reject`" in asked(await run.reply(action="maybe"))["problem"]
    assert not split.calls("solve") and (await run.reply(action="approve"))["outcome"] == "complete"


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


async def test_a_rejection_with_a_message_is_one_with_a_note(split: ModelServer, context: dict[str, Any]) -> None:
    run = Overseen(context, "plan")
    await run.start()
    again = asked(await run.reply(decisions=[{"type": "reject", "message": "Shorter."}]))
    assert again["stage"] == "plan" and "Shorter." in split.calls("decompose")[-1].last


async def test_a_rejected_plan_is_made_anew_with_the_note(split: ModelServer, context: dict[str, Any]) -> None:
    other = ["What is half of it?", "And the rest?"]
    split.on("decompose", plan(*other))
    run = Overseen(context, "plan")
    await run.start()
    shown = asked(await run.reply(action="reject", note="Two threads will do."))
    assert [thread["subquestion"] for thread in shown["plan"]["threads"]] == other
    (anew,) = split.calls("decompose")
    assert "Their words:\nTwo threads will do." in anew.last
    assert "A person rejected these parts:\n- What is one?" in anew.last
    solution = await run.reply(action="approve")
    assert len(split.calls("solve")) == 2 and [done.action for done in solution["decisions"]] == ["reject", "approve"]


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
    run = Overseen({**context, "deadline": 2}, "both")
    await run.start()
    await asyncio.sleep(2)
    assert asked(await run.reply(action="approve"))["stage"] == "answer"
    solution = await run.reply(action="approve")
    assert solution["outcome"] == "complete" and solution["report"].wall_s < 2


async def test_without_a_checkpointer_it_is_refused_before_any_call(
    server: ModelServer, context: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="needs a checkpointer"):
        await graph.ainvoke(QUESTION, context={**context, "oversight": "plan"})
    assert not server.asked


SEGMENTS = split_input(" ".join(PARTS))
PLAN = ThreadPlan(
    shared_context="",
    parallelism=3,
    threads=[ThreadSpec(id=f"T{n}", sources=[n], subquestion=part) for n, part in enumerate(PARTS, 1)],
)
EDITS = st.builds(
    Edit,
    op=st.sampled_from(["drop", "reword", "add", "merge", "sources", "parallelism"]),
    thread_ids=st.lists(st.sampled_from(["T1", "T2", "T3", "T4", "T9"]), max_size=3),
    subquestion=st.sampled_from(["", " ", "What?"]),
    sources=st.lists(st.integers(0, 5), max_size=3),
    parallelism=st.one_of(st.none(), st.integers(-1, 9)),
)


@given(st.lists(EDITS, max_size=5))
def test_whatever_is_edited_a_plan_can_be_run_or_the_edit_is_refused(edits: Sequence[Edit]) -> None:
    try:
        changed = apply_edits(PLAN, edits, SEGMENTS, max_threads=4)
    except EditError as error:
        assert str(error)
        return
    ids = [thread.id for thread in changed.threads]
    assert 2 <= len(ids) <= 4 and len(set(ids)) == len(ids) and 1 <= changed.parallelism <= len(ids)
    for thread in changed.threads:
        assert thread.subquestion.strip() and set(thread.sources) <= {1, 2, 3}
        assert thread.sources == sorted(set(thread.sources))


async def test_the_estimate_comes_near_what_is_used(server: ModelServer, context: dict[str, Any]) -> None:
    from evals.items import load_items

    outlook.forget()
    ratios = []
    items = [item for name in ("compound", "plans", "documents", "code_review") for item in load_items(name)][:90:4]
    for item in items[:22]:
        ratios.append(await estimated(server, context, item))
    # The first two have nothing to learn from.
    assert len(ratios) == 22 and all(0.7 <= ratio <= 1.3 for ratio in ratios[2:]), ratios


async def estimated(server: ModelServer, context: dict[str, Any], item: Any) -> float:
    """Return what was expected of a run's threads and review, as a multiple of what they used."""
    parts = [f"What of {words[0] if words else 'it'}?" for words in item.answers]
    server.script.clear()
    server.on("assess", outline(*(f"1: {part}" for part in parts)))
    server.realistic = True
    run = Overseen(context, "plan")
    run_config: Any = {"configurable": {"thread_id": item.id}}
    problem = {"question": item.question, "documents": item.documents}
    shown = asked(await run.graph.ainvoke(problem, run_config, context=run.context))
    done = await run.graph.ainvoke(Command(resume={"action": "approve"}), run_config, context=run.context)
    used = sum(call.usage.total for call in done["calls"] if call.stage in ("solve", "review"))
    likely: Any = shown["estimate"]["tokens"]["likely"]
    return float(likely / used)


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


class Terminal:
    """The command in a terminal of its own, typed into and read from."""

    def __init__(self, process: Process, screen: int) -> None:
        self.process, self.screen, self.seen = process, screen, ""

    async def until(self, words: str) -> str:
        """Read until some words have come; returns what came since the last ones."""
        async with asyncio.timeout(60):
            while words not in self.seen:
                self.seen += (await self._read()).decode(errors="replace")
        told, _, self.seen = self.seen.partition(words)
        return told

    async def _read(self) -> bytes:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.screen, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self.screen)
        return os.read(self.screen, 4096)

    async def type(self, line: str) -> None:
        """Type a line when asked."""
        await self.until("help> ")
        os.write(self.screen, f"{line}\n".encode())


async def in_terminal(server: ModelServer, *arguments: str) -> Terminal:
    screen, terminal = pty.openpty()
    process = await launch(
        *arguments, env=environment(server, TERM="dumb", COLUMNS="120"), stdin=terminal, stderr=terminal
    )
    os.close(terminal)
    return Terminal(process, screen)


async def test_a_terminal_is_a_dialogue(split: ModelServer) -> None:
    split.on(PARTS[0], "Result: 1", "Result: one")
    terminal = await in_terminal(split, QUESTION["question"], "--oversight", "both")
    assert "tokens" in await terminal.until("expected, a guess):")
    await terminal.type("help")
    await terminal.until("merge T1 T2 [T3 …]")
    await terminal.type("drop T9")
    await terminal.until("That cannot be: edit 1 (drop): there is no thread `T9`")
    await terminal.type("sing T1")
    await terminal.until("`sing T1` is none of these")
    await terminal.type("drop T3")
    await terminal.type("undo")
    await terminal.until("3 threads")
    await terminal.type("merge T2 T3")
    await terminal.type("reword T2 What are both?")
    await terminal.type("add What is four? reads 1 2")
    await terminal.type("sources T1 1 3")
    await terminal.type("parallel 2")
    await terminal.until("3 threads, 2 at once")
    assert not split.calls("solve")
    await terminal.type("approve")
    await terminal.until("The answer (complete), before it is used:")
    assert {request.key for request in split.calls("solve")} == {"What is one?", "What are both?", "What is four?"}
    await terminal.type("send T1 In words.")
    await terminal.until("before it is used:")
    await terminal.type("edit Mine, then.")
    out = await terminal.process.stdout.read() if terminal.process.stdout else b""
    assert (await terminal.process.wait(), out.decode()) == (0, "Mine, then.\n")
    assert "In words." in split.about(PARTS[0])[1].last


async def test_who_quits_can_resume(split: ModelServer) -> None:
    terminal = await in_terminal(split, QUESTION["question"], "--oversight", "plan")
    await terminal.type("reject Shorter.")
    await terminal.type("quit")
    told = await terminal.until("goes on")
    found = re.search(r"apr resume ([0-9a-f]{16}) ", told)
    assert found and await terminal.process.wait() == 143 and not split.calls("solve")
    again = await in_terminal(split, "resume", found[1])
    await again.type("approve")
    out = await again.process.stdout.read() if again.process.stdout else b""
    assert (await again.process.wait(), out.decode()) == (0, "All of it.\n") and len(split.calls("assess")) == 1


async def test_estimates_rest_on_runs_that_were_kept(split: ModelServer) -> None:
    for _ in range(2):
        assert (await apr(split, QUESTION["question"]))[0] == 0
    terminal = await in_terminal(split, QUESTION["question"], "--oversight", "plan")
    told = await terminal.until("calls of earlier runs):")
    assert told.endswith("expected, from 8 ") and " s expected" in told
    await terminal.type("quit")
    assert await terminal.process.wait() == 143


async def test_without_a_terminal_nobody_is_asked(server: ModelServer) -> None:
    status, _, err = await apr(server, "Why?", "--oversight", "plan")
    assert status == 2 and "asks in a terminal, and standard input is none" in err and not server.asked
