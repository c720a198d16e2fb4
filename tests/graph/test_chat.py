"""The conversation: messages in and out, files, follow-up questions, and what is refused without a call."""

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from graphs import build_chat, chat, graph
from nodes.conversation.content import read_content
from nodes.conversation.turns import MAX_TURNS, MAX_TURNS_CHARACTERS, read_conversation
from nodes.llm.replies.errors import ConfigurationError
from tests.support.server import Fault, ModelServer, Reply, outline, review

TEXT = "What is one? What is two?"
LISTED = "Work these out.\n1. Two and two?\n2. Three and four?"
DIRECT = "What is it?"


def script(server: ModelServer, question: str) -> None:
    """Have the server split a question as its form asks for; the same for all who ask it."""
    server.on("assess", {TEXT: outline("1", "2"), LISTED: outline("1", "2", answer="list")}.get(question, outline()))
    server.on("Two and two?", "Result: 4").on("Three and four?", "Result: 7")
    server.on("review", review() if question == LISTED else review("It is all."))


def said(text: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [*more.get("before", ()), HumanMessage(text)]}


@pytest.mark.parametrize("question", [TEXT, LISTED, DIRECT])
async def test_a_turn_is_what_the_question_is_to_the_graph(
    server: ModelServer, context: dict[str, Any], question: str
) -> None:
    script(server, question)
    solution = await graph.ainvoke({"question": question}, context=context)
    asked = [(request.role, request.last) for request in server.asked]
    result = await chat.ainvoke(said(question), context=context)
    reply = result["messages"][-1]
    figures, report = reply.additional_kwargs["apr"], solution["report"]
    assert [(request.role, request.last) for request in server.asked[len(asked) :]] == asked
    assert (reply.text, figures["outcome"], figures["route"]) == (solution["answer"], "complete", solution["route"])
    assert (figures["calls"], reply.usage_metadata["total_tokens"]) == (report.calls, report.tokens.total)
    assert [thread["answer"] for thread in figures["threads"]] == [thread.answer for thread in solution["threads"]]
    assert set(result) == {"messages"}


@pytest.mark.parametrize("inside", [False, True])
async def test_only_the_answer_is_heard_word_by_word(
    server: ModelServer, context: dict[str, Any], inside: bool
) -> None:
    script(server, TEXT)
    # As in a supervisor, or in a chat page, which hears all graphs within.
    bound = chat.with_config(context=context)
    outer: Any = StateGraph(MessagesState).add_node("chat", bound).add_edge(START, "chat").add_edge("chat", END)
    asked = outer.compile() if inside else bound
    pieces: list[Any] = []
    told: list[Any] = []
    async for _, mode, event in asked.astream(said(TEXT), stream_mode=["messages", "custom"], subgraphs=True):
        (pieces if mode == "messages" else told).append(event[0] if mode == "messages" else event)
    assert [piece.text for piece in pieces if piece.text] == ["It", " is", " all."]
    assert len({piece.id for piece in pieces}) == 1
    assert pieces[-1].usage_metadata["total_tokens"] == 60
    assert {event["thread_id"] for event in told if event.get("status") == "answered"} == {"T1", "T2"}


@pytest.fixture(autouse=True)
def _splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast a busy machine was in an earlier turn does not decide what is split."""
    monkeypatch.setenv("APR_SPLIT", "if_independent")


async def test_a_direct_answer_begun_early_is_no_message_where_the_question_is_split(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server, TEXT)
    server.on("assess", Reply(json.dumps(outline("1", "2")), pace=0.1))
    server.on("direct", Reply("So it is. " * 200, pace=0.05))
    streamed = chat.astream(said(TEXT), context={**context, "head_start": "on"}, stream_mode="messages")
    heard = [message async for message, _ in streamed]
    assert server.calls("direct")[0].dropped and len({message.id for message in heard}) == 1
    assert "".join(message.text for message in heard) == "It is all."


async def test_what_is_withdrawn_is_no_message_of_the_conversation(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server, LISTED)
    server.on("Three and four?", "Result: 8", "Result: 7").on("review", review("", "T2: it is 7"), review())
    pieces: dict[str, str] = {}
    async for mode, event in chat.astream(said(LISTED), context=context, stream_mode=["messages", "values"]):
        if mode == "messages":
            pieces[event[0].id] = pieces.get(event[0].id, "") + event[0].text
        else:
            values = event
    assert list(pieces.values()) == ["1. 4\n2. 8", "1. 4\n2. 7"]
    assert [(message.type, message.text) for message in values["messages"]] == [
        ("human", LISTED),
        ("ai", "1. 4\n2. 7"),
    ]
    assert values["messages"][-1].id == list(pieces)[-1]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_follow_up_names_earlier_turns_by_number(
    server: ModelServer, context: dict[str, Any], kept: bool
) -> None:
    script(server, TEXT)
    conversation = build_chat(checkpointer=InMemorySaver()) if kept else chat
    config: Any = {"configurable": {"thread_id": "1"}}
    first = await conversation.ainvoke(said(TEXT), config, context=context)
    for number in range(3):
        before = [] if kept else first["messages"]
        first = await conversation.ainvoke(said(f"Filler {number}", before=before), config, context=context)
    server.on("assess", outline("1 3", "2: How deep is the sea?"))
    follow_up = "Is that so? How deep is it?"
    await conversation.ainvoke(said(follow_up, before=[] if kept else first["messages"]), config, context=context)
    planner, (thread, other) = server.calls("assess")[-1].last, server.calls("solve")[-2:]
    if "Is that so?" not in thread.last:
        thread, other = other, thread
    assert "3 earlier turn 1: What is one? What is two?" in planner
    assert "It is all." not in planner and "It is all." not in other.last
    assert "Answered: It is all." in thread.last and "T1 (What is one?): answer to What is one?" in thread.last
    assert "Filler" not in thread.last


async def test_a_thread_reads_of_earlier_turns_what_it_may_lean_on(
    server: ModelServer, context: dict[str, Any]
) -> None:
    before = [HumanMessage("Who is Ada?"), AIMessage("Her."), HumanMessage("Who is Ben?"), AIMessage("Him.")]
    # The user's own words may lean on the last turn; the model's stand alone.
    server.on("assess", outline("1", "How tall is a giraffe?", "2 3"))
    await chat.ainvoke(said("How old is he? And she?", before=before), context=context)
    read = {
        request.key: [word for word in ("Her.", "Him.") if word in request.last] for request in server.calls("solve")
    }
    assert read == {"How old is he?": ["Him."], "How tall is a giraffe?": [], "And she?": ["Her."]}


async def test_a_direct_answer_knows_what_was_said_and_what_the_rules_are(
    server: ModelServer, context: dict[str, Any]
) -> None:
    before = [
        SystemMessage("Be brief."),
        HumanMessage("Who is Ada?"),
        AIMessage("", tool_calls=[{"name": "transfer", "args": {}, "id": "1"}]),
        ToolMessage("Transferred.", tool_call_id="1"),
        AIMessage([{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "A mathematician."}]),
    ]
    await chat.ainvoke(said("When did she live?", before=before), context=context)
    (asked,) = server.calls("direct") or server.calls("solve")
    assert "Be brief." in asked.last and "Asked: Who is Ada?\n\nAnswered: A mathematician." in asked.last
    assert asked.last.endswith("When did she live?") and "Transferred" not in asked.last and "Hm." not in asked.last


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FILES: list[dict[str, Any]] = [
    {"type": "text-plain", "text": "The sea is deep.", "title": "sea.txt"},
    {"type": "text-plain", "base64": encoded("The sea is deep."), "extras": {"filename": "sea.txt"}},
    {"type": "file", "base64": encoded("The sea is deep."), "mime_type": "text/plain", "filename": "sea.txt"},
    {"type": "file", "source_type": "base64", "data": encoded("The sea is deep."), "metadata": {"name": "sea.txt"}},
    {"type": "text", "source_type": "text", "text": "The sea is deep.", "metadata": {"title": "sea.txt"}},
    {"type": "file", "file": {"filename": "sea.txt", "file_data": encoded("The sea is deep.")}},
    {"type": "input_file", "filename": "sea.txt", "file_data": f"data:text/plain;base64,{encoded('The sea is deep.')}"},
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file["type"])
async def test_files_are_documents(server: ModelServer, context: dict[str, Any], file: dict[str, Any]) -> None:
    asked = [{"type": "text", "text": "How is the sea?"}, file]
    result = await chat.ainvoke(said(asked), context=context)
    assert "<document sea.txt>\nThe sea is deep.\n</document>" in server.asked[-1].last
    await chat.ainvoke(said("Really?", before=result["messages"]), context=context)
    assert "<document sea.txt>\nThe sea is deep.\n</document>" in server.asked[-1].last


PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0").decode()
REFUSED: list[tuple[Any, str]] = [
    ([], "no human message"),
    ([AIMessage("Hello.")], "no human message"),
    ([HumanMessage("  \n")], "has no text"),
    ([HumanMessage([FILES[0]])], "has no text"),
    ([HumanMessage([{"type": "text", "text": "What?"}, {"type": "image", "base64": PIXEL}])], "`image`.*no images"),
    ([("user", [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}])], "`image_url`"),
    ([HumanMessage([{"type": "audio", "base64": PIXEL}])], "`audio`"),
    ([HumanMessage(["?", {"type": "file", "base64": PIXEL, "filename": "a.png"}])], "`a.png` is a binary file"),
    ([HumanMessage(["?", {"type": "file", "url": "https://example.com/a.txt"}])], "nothing is fetched"),
    ([HumanMessage(["?", {"type": "file", "file": {"file_id": "file-1"}}])], "nothing is fetched"),
    ([HumanMessage(["?", {"type": "file", "base64": "?!"}])], "no base64"),
    ([HumanMessage("x" * 100_001)], "100,001 characters"),
    ([{"role": "nobody", "content": "?"}], "no messages"),
    ([7], "no messages"),
]


@pytest.mark.parametrize(("messages", "why"), REFUSED, ids=[why for _, why in REFUSED])
async def test_what_cannot_be_read_is_refused_in_words(
    server: ModelServer, context: dict[str, Any], messages: Any, why: str
) -> None:
    kept, config = build_chat(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    with pytest.raises(ValueError, match=f"(?s)messages.*{why}|{why}"):
        await kept.ainvoke({"messages": messages}, config, context=context)
    stored = (await kept.aget_state(config)).values.get("messages", [])
    assert not server.asked and not [message for message in stored if message.type == "human"]
    # Nothing of it stands in the way of the next question.
    assert (await kept.ainvoke(said("And now?"), config, context=context))["messages"][-1].type == "ai"


async def test_a_person_is_asked_within_a_conversation(server: ModelServer, context: dict[str, Any]) -> None:
    script(server, TEXT)
    kept, config = build_chat(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    waits = await kept.ainvoke(said(TEXT), config, context=context | {"oversight": "both"})
    assert waits["__interrupt__"][0].value["stage"] == "plan" and len(server.asked) == 1
    waits = await kept.ainvoke(Command(resume="approve"), config)
    assert waits["__interrupt__"][0].value["stage"] == "answer"
    result = await kept.ainvoke(Command(resume={"action": "edit", "answer": "Mine."}), config)
    assert [message.text for message in result["messages"]] == [TEXT, "Mine."]
    assert len(server.asked) == 4
    with pytest.raises(ConfigurationError, match="needs a checkpointer"):
        await chat.ainvoke(said(TEXT), context=context | {"oversight": "plan"})


async def test_what_is_missing_is_said_in_the_message(server: ModelServer, context: dict[str, Any]) -> None:
    script(server, TEXT)
    server.on("What is two?", Fault(400))
    reply = (await chat.ainvoke(said(TEXT), context=context | {"max_rounds": 0}))["messages"][-1]
    assert reply.text.startswith("It is all.\n\n[Incomplete: 1 of 2 threads have no answer")
    assert reply.additional_kwargs["apr"]["outcome"] == "partial"
    server.on("assess", Fault(400)).on("direct", Fault(400))
    reply = (await chat.ainvoke(said(TEXT), context=context))["messages"][-1]
    assert reply.text.startswith("[No answer: ") and reply.additional_kwargs["apr"]["outcome"] == "failed"


async def test_a_reply_that_was_cut_is_shown_and_said_to_be(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", Reply("It is cut", finish_reason="length"))
    reply = (await chat.ainvoke(said(DIRECT), context=context))["messages"][-1]
    assert reply.text.startswith("It is cut\n\n[Incomplete: ")


async def test_it_works_without_an_event_loop_of_ones_own(server: ModelServer, context: dict[str, Any]) -> None:
    script(server, TEXT)
    result = await asyncio.to_thread(chat.invoke, said(TEXT), context=context)
    assert result["messages"][-1].text == "It is all."
    pieces = await asyncio.to_thread(lambda: list(chat.stream(said(TEXT), context=context, stream_mode="messages")))
    assert [piece.text for piece, _ in pieces if piece.text] == ["It", " is", " all."]
    assert chat.get_graph(xray=True).nodes.keys() >= {"listen", "adaptive:assess", "adaptive:solve"}
    with pytest.raises(ValueError, match="no human message"):
        chat.invoke({"messages": []})


def test_long_conversations_are_read_from_their_end() -> None:
    turns = [message for n in range(MAX_TURNS + 5) for message in (HumanMessage(f"Q{n}"), AIMessage(f"A{n}"))]
    problem = read_conversation([*turns, HumanMessage("Now?")])
    assert [document.id for document in problem.documents] == [f"earlier turn {n}" for n in range(6, MAX_TURNS + 6)]
    long = AIMessage("x" * MAX_TURNS_CHARACTERS)
    problem = read_conversation([HumanMessage("Old?"), AIMessage("A"), HumanMessage("Long?"), long, HumanMessage("?")])
    assert [document.id for document in problem.documents] == ["earlier turn 2"]
    files = [
        HumanMessage(["?", FILES[0]]),
        HumanMessage(["?", FILES[1]]),
        HumanMessage(["?", {**FILES[0], "text": "No."}]),
    ]
    assert [document.id for document in read_conversation(files).documents][:2] == ["sea.txt", "sea.txt (2)"]


JSON = st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=2) | st.dictionaries(st.text(), st.text())
KINDS = st.sampled_from(["text", "file", "input_file", "text-plain", "image", "reasoning", "?"])
BLOCKS = st.text() | st.fixed_dictionaries({}, optional={"type": KINDS, "text": JSON, "file": JSON, "data": st.text()})


@settings(max_examples=50)
@given(st.lists(BLOCKS, max_size=4))
def test_whatever_a_message_holds_is_read_or_refused(blocks: list[Any]) -> None:
    content = read_content(blocks)
    assert len(content.files) + len(content.refused) <= len(blocks)
    assert isinstance(content.text, str) and all(isinstance(file.text, str) for file in content.files)
