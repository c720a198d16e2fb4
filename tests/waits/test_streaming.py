"""The answer is shown while it is written, and what is shown is withdrawn with a mark, never changed silently."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from graphs import AnswerPiece, AnswerReset, answer, build_graph, read_answer, sequential, stream_answer
from graphs.streams.answer import ANSWER_MODES
from nodes.state import Solution
from tests.support.server import DROP, HANG, STALL, Fault, ModelServer, Reply, Step, Tool, outline, review

LISTED = "Work these out.\n1. Two and two?\n2. Three and four?"
PARTS = ["Two and two?", "Three and four?"]
WRITTEN = "They are 4\nand *7*, as “said”."


@pytest.fixture
def of_text(server: ModelServer) -> ModelServer:
    server.on("assess", outline("1", "2")).on("review", review(WRITTEN)).on("join", WRITTEN)
    return server.on(PARTS[0], "Result: 4").on(PARTS[1], "Result: 7")


@pytest.fixture
def of_list(of_text: ModelServer) -> ModelServer:
    return of_text.on("assess", outline("1", "2", answer="list")).on("review", review())


Stream = AsyncGenerator[AnswerPiece | AnswerReset | Solution, None]


async def watch(stream: Stream) -> tuple[list[AnswerPiece | AnswerReset], Solution]:
    """Follow a stream to its end; what is shown at last is the answer."""
    changes: list[AnswerPiece | AnswerReset] = []
    solution, shown = None, ""
    async for event in stream:
        assert solution is None
        if isinstance(event, Solution):
            solution = event
            continue
        changes.append(event)
        shown = shown + event.text if isinstance(event, AnswerPiece) else ""
    assert solution and shown == solution.answer
    return changes, solution


async def first_pieces(stream: Stream, text: str) -> None:
    """Wait until so much of the answer is shown, in pieces."""
    shown = ""
    while shown != text:
        event = await anext(stream)
        assert isinstance(event, AnswerPiece)
        shown += event.text
        assert text.startswith(shown)


def resets(changes: list[AnswerPiece | AnswerReset]) -> list[str]:
    return [change.why for change in changes if isinstance(change, AnswerReset)]


async def test_a_direct_answer_grows_word_by_word(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", "It is four, as [1] says. ")
    changes, solution = await watch(stream_answer("How many?", **context))
    pieces = ["It", " is", " four,", " as", " [1]", " says."]
    assert changes == [AnswerPiece(text) for text in pieces] and solution.outcome == "complete"
    assert server.calls("direct")[0].body["stream"] is True
    assert solution.report.tokens.total == sum(server.usage[kind] for kind in ("input", "output")) > 0
    whole = await answer("How many?", **context)
    assert whole.answer == solution.answer and not server.calls("direct")[1].body["stream"]


async def test_words_are_shown_before_there_are_more(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", STALL)
    async with aclosing(stream_answer("How many?", **context)) as stream:
        await first_pieces(stream, "Half of an")
        assert server.open == 1
    await server.wait_until_idle()
    assert server.calls("direct")[0].dropped


async def test_what_is_refused_is_refused_as_by_answer(server: ModelServer, context: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="did you mean `max_threads`"):
        await watch(stream_answer("x", **context, max_thread=2))  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="this is bytes"):
        await watch(stream_answer("x", documents=[b"a"], **context))  # type: ignore[list-item]
    assert server.asked == []


async def test_documents_and_instructions_count(server: ModelServer, context: dict[str, Any]) -> None:
    await watch(stream_answer("x", documents=[("a.txt", "From a pair.")], instructions="Be brief.", **context))
    assert "From a pair." in server.asked[-1].prompt and "Be brief." in server.asked[-1].prompt


async def test_a_joined_answer_grows(of_text: ModelServer, context: dict[str, Any]) -> None:
    changes, solution = await watch(stream_answer(LISTED, review="off", **context))
    assert not resets(changes) and len(changes) > 4 and solution.answer == WRITTEN
    assert of_text.calls("join")[0].body["stream"] is True and not of_text.calls("review")


@pytest.mark.parametrize("around", ["{}", "<think>\nSo be it.\n</think>\n```json\n{}\n```"])
async def test_of_a_review_the_answer_grows(of_text: ModelServer, context: dict[str, Any], around: str) -> None:
    of_text.on("review", around.replace("{}", '{"redo": [], "conflicts": [], "answer": "They are 4\\nand \\u00b97."}'))
    changes, solution = await watch(stream_answer(LISTED, **context))
    assert not resets(changes) and len(changes) > 3 and solution.answer == "They are 4\nand ¹7."
    assert of_text.calls("review")[0].body["stream"] is True and "response_format" in of_text.calls("review")[0].body


async def test_an_entry_of_a_list_is_shown_while_other_threads_work(
    of_list: ModelServer, context: dict[str, Any]
) -> None:
    of_list.on(PARTS[1], HANG)
    async with aclosing(stream_answer(LISTED, **context)) as stream:
        await first_pieces(stream, "1. 4")
        assert of_list.about(PARTS[1])[0].ended is None
    await of_list.wait_until_idle()


async def test_entries_are_shown_in_the_order_of_the_plan(of_list: ModelServer, context: dict[str, Any]) -> None:
    # The first thread is asked twice, so that it ends last.
    of_list.on(PARTS[0], Fault(status=503), "Result: 4:\n2 + 2").on("review", HANG)
    async with aclosing(stream_answer(LISTED, **context)) as stream:
        await first_pieces(stream, "1. 4:\n2 + 2\n\n2. 7")
    of_list.on("review", review())
    changes, solution = await watch(stream_answer(LISTED, **context))
    assert not resets(changes) and solution.answer == "1. 4:\n2 + 2\n\n2. 7"


async def test_an_entry_is_not_shown_before_one_that_is_missing(of_list: ModelServer, context: dict[str, Any]) -> None:
    of_list.on(PARTS[0], Reply("Half", finish_reason="length"))
    changes, solution = await watch(stream_answer(LISTED, max_rounds=0, **context))
    assert (changes, solution.outcome) == ([AnswerPiece("2. 7")], "partial")


async def test_a_thread_that_is_sent_back_withdraws_the_answer(of_list: ModelServer, context: dict[str, Any]) -> None:
    of_list.on(PARTS[1], "Result: 8", "Result: 7").on("review", review("", "T2: it is 7"), review())
    changes, solution = await watch(stream_answer(LISTED, **context))
    assert changes[2:4] == [AnswerReset("sent back: T2: it is 7"), AnswerPiece("1. 4")]
    assert len(resets(changes)) == 1 and solution.answer == "1. 4\n2. 7"


async def test_an_answer_written_before_its_faults_is_withdrawn(of_text: ModelServer, context: dict[str, Any]) -> None:
    of_text.on("review", '{"answer": "They are 4 and 8.", "redo": ["T2"], "conflicts": []}', review(WRITTEN))
    changes, solution = await watch(stream_answer(LISTED, **context))
    assert resets(changes) == ["sent back: T2: The result was judged wrong."] and solution.answer == WRITTEN


async def test_an_answer_instead_of_the_list_is_told(of_list: ModelServer, context: dict[str, Any]) -> None:
    of_list.on("review", review("Four and seven."))
    changes, _ = await watch(stream_answer(LISTED, **context))
    assert changes[2:] == [AnswerReset("the final answer is another one"), AnswerPiece("Four and seven.")]


@pytest.mark.parametrize("fallback", [None, "openai:other"])
async def test_a_reply_that_begins_anew_is_told(
    server: ModelServer, context: dict[str, Any], fallback: str | None
) -> None:
    faults: list[Step] = [DROP] if fallback is None else [DROP, Fault(status=400)]
    server.on("direct", *faults, "Half of it is two.")
    changes, solution = await watch(stream_answer("How many?", fallback_model=fallback, **context))
    assert resets(changes) == ["the answer is written anew"] and solution.answer == "Half of it is two."
    assert changes[0] == AnswerPiece("Half") and changes[3] == AnswerReset("the answer is written anew")
    assert server.asked[-1].body["model"] == ("other" if fallback else "scripted")


async def test_what_stays_of_a_reply_that_broke_off_is_not_told_again(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("direct", STALL)
    changes, solution = await watch(stream_answer("How many?", request_timeout=1, **context))
    assert changes == [AnswerPiece("Half"), AnswerPiece(" of"), AnswerPiece(" an")] and solution.outcome == "partial"


@pytest.mark.parametrize(
    ("reply", "withdrawn"),
    [
        (Reply("It is four.", reasoning="THOUGHT by THOUGHT"), []),
        (Reply("<think>\nTHOUGHT, [1] or <b>?\n</think>\n\nIt is four."), []),
        (Reply("[THINK] THOUGHT [/THINK]It is four."), []),
        (Reply("◁think▷ THOUGHT ◁/think▷It is four."), []),
        (Reply("It\n<think>\nTHOUGHT\n</think>\nis four."), []),
        # Some templates open the thoughts, so that nobody can know before they are closed.
        (Reply("So be it?\n</think>\nIt is four."), ["it was no part of the answer"]),
    ],
    ids=["apart", "tag", "brackets", "triangles", "between", "unopened"],
)
async def test_thoughts_are_no_part_of_it(
    server: ModelServer, context: dict[str, Any], reply: Reply, withdrawn: list[str]
) -> None:
    server.on("direct", reply)
    changes, solution = await watch(stream_answer("How many?", **context))
    assert resets(changes) == withdrawn and solution.answer.split() == ["It", "is", "four."]
    assert not any("THOUGHT" in change.text for change in changes if isinstance(change, AnswerPiece))
    assert len(changes) > 2


async def test_raw_channels_are_told_apart_when_all_has_come(server: ModelServer, context: dict[str, Any]) -> None:
    thought = "<|channel|>analysis<|message|>THOUGHT by THOUGHT<|end|>"
    server.on("direct", f"{thought}<|start|>assistant<|channel|>final<|message|>It is four.<|return|>")
    changes, _ = await watch(stream_answer("How many?", **context))
    assert changes == [AnswerPiece("It is four.")]


async def test_entries_about_documents_have_their_names(of_list: ModelServer, context: dict[str, Any]) -> None:
    files = [("b.py", "Text of b."), ("a.py", "Text of a.")]
    of_list.on("assess", outline("1 3", "2 3", answer="list")).on("b.py: Which bug is there?", "Result: a loop")
    of_list.on("a.py: Which bug is there?", HANG)
    async with aclosing(stream_answer("Which bug is there?", documents=files, **context)) as stream:
        await first_pieces(stream, "b.py: a loop")


async def test_a_result_that_may_run_again_is_not_shown_early(of_list: ModelServer, context: dict[str, Any]) -> None:
    babble = "four and so on " * 40
    of_list.on(PARTS[0], f"Result: {babble}").on(PARTS[1], Fault(status=503), "Result: 7")
    changes, solution = await watch(stream_answer(LISTED, max_rounds=0, **context))
    assert solution.threads[0].marks == ["repetitive"] and solution.outcome == "complete"
    assert changes == [AnswerPiece(f"1. {babble.strip()}\n2. 7")]


async def test_servers_without_schemas_or_streams_are_shown_what_there_is(
    of_text: ModelServer, context: dict[str, Any]
) -> None:
    of_text.refuses = {"response_format"}
    of_text.on("assess", Tool(outline("1", "2"))).on("review", Tool(review(WRITTEN)))
    changes, solution = await watch(stream_answer(LISTED, **context))
    assert not resets(changes) and solution.answer == WRITTEN


async def test_a_run_without_an_answer_shows_none(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", Fault(status=400))
    changes, solution = await watch(stream_answer("How many?", **context))
    assert (changes, solution.outcome) == ([], "failed")


async def test_the_baseline_is_no_part_of_the_answer(of_text: ModelServer, context: dict[str, Any]) -> None:
    of_text.refuses = {"response_format"}
    of_text.on("assess", Tool(outline("1", "2"))).on("review", Tool(review(WRITTEN))).on("direct", HANG, "Else.")
    async with aclosing(stream_answer(LISTED, baseline=True, **context)) as stream:
        # A tool call shows nothing early, and nobody waits for the baseline to see what it held.
        assert await anext(stream) == AnswerPiece(WRITTEN)
        more = asyncio.ensure_future(anext(stream))
        await of_text.wait_for(1, "direct")
        assert not more.done() and more.cancel()
        await asyncio.wait([more])
    changes, solution = await watch(stream_answer(LISTED, baseline=True, **context))
    assert changes == [AnswerPiece(WRITTEN)]
    assert solution.report.baseline and solution.report.baseline.answer == "Else."


async def test_the_sequential_graph_can_be_followed_too(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", "It is four.")
    events = sequential.astream({"question": "How many?"}, context=context, stream_mode=list(ANSWER_MODES))
    changes, solution = await watch(read_answer(events))
    assert changes == [AnswerPiece(text) for text in ("It", " is", " four.")] and solution.route == "direct"


async def test_what_a_person_changes_is_told(of_list: ModelServer, context: dict[str, Any]) -> None:
    overseen, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    asked = {**context, "oversight": "answer"}

    def go_on(given: Any) -> Stream:
        return read_answer(overseen.astream(given, config, context=asked, stream_mode=list(ANSWER_MODES)))

    changes, _ = await watch(go_on({"question": LISTED}))
    assert changes == [AnswerPiece("1. 4"), AnswerPiece("\n2. 7")]
    changes, solution = await watch(go_on(Command(resume={"action": "send_back", "thread_ids": ["T2"], "note": "No."})))
    assert changes == [AnswerPiece("1. 4"), AnswerPiece("\n2. 7")] and solution.report.rounds == 1
    changes, _ = await watch(go_on(Command(resume={"action": "edit", "answer": "Mine."})))
    assert changes == [AnswerPiece("Mine.")]
    # Another question on the same thread shows nothing of this one.
    of_list.on("assess", outline()).on("direct", "It is five.")
    changes, _ = await watch(go_on({"question": "And now?"}))
    assert changes[0] == AnswerPiece("It")


class Outer(TypedDict, total=False):
    question: str
    shown: list[str]


async def test_a_node_of_another_graph_may_listen(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", "It is four.")

    async def ask(state: Outer) -> Outer:
        changes, _ = await watch(stream_answer(state["question"], **context))
        return {"shown": [change.text for change in changes if isinstance(change, AnswerPiece)]}

    outer = StateGraph(Outer).add_node("ask", ask).add_edge(START, "ask").add_edge("ask", END).compile()
    assert (await outer.ainvoke({"question": "How many?"}))["shown"] == ["It", " is", " four."]
