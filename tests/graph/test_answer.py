"""The function beside the graph: one question, one typed answer."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, assert_type, get_type_hints

import pytest
from langgraph.graph import END, START, StateGraph
from pydantic import ValidationError
from typing_extensions import TypedDict

from graphs import answer, answer_sync, graph
from graphs.answer import DocumentLike, Options
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.state import Document, Solution
from nodes.threads.results import ThreadResult
from tests.support.forked import fork
from tests.support.server import HANG, Fault, ModelServer, outline

PROJECT = Path(__file__).parents[2]
PARTS = ["What is one?", "What is two?"]
QUESTION = " ".join(PARTS)
WAKE = "import signal\nsignal.signal(signal.SIGALRM, lambda *_: None)\nsignal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)\n"
"""A thread that only just begins to wait for a lock does not notice a signal before the next."""


@pytest.fixture
def split(server: ModelServer) -> ModelServer:
    return server.on("assess", outline(*PARTS))


async def test_a_question_comes_back_as_a_typed_solution(split: ModelServer) -> None:
    solution = await answer(QUESTION, model="openai:scripted", base_url=split.url, max_parallel=1)
    assert_type(solution, Solution)
    assert_type(solution.threads, list[ThreadResult])
    assert (solution.outcome, solution.route, solution.answer) == ("complete", "parallel", "All of it.")
    assert [(thread.id, thread.status) for thread in solution.threads] == [("T1", "answered"), ("T2", "answered")]
    assert solution.report.calls == len(solution.calls) == len(split.asked) == 4
    assert solution.report.peak_parallel == 1
    assert (
        solution["answer"] == solution.answer and Solution.model_validate_json(solution.model_dump_json()) == solution
    )


async def test_it_is_what_the_graph_returns(split: ModelServer, context: Any) -> None:
    solution, values = await answer(QUESTION, **context), await graph.ainvoke({"question": QUESTION}, context=context)
    assert set(values) == set(Solution.model_fields)
    for name in ("question", "answer", "outcome", "route", "assessment", "plan", "sources", "reviews"):
        assert getattr(solution, name) == values[name]


async def test_documents_are_given_in_whatever_form_is_at_hand(
    server: ModelServer, context: Any, tmp_path: Path
) -> None:
    file = tmp_path / "größe.txt"
    file.write_bytes("from a file: Größe".encode("utf-16"))
    given: list[DocumentLike] = [
        Document(id="a", text="from a document", title="The first"),
        {"id": "b", "text": "from its fields"},
        ("c", "from a pair"),
        file,
    ]
    server.on("direct", "Four.")
    solution = await answer("How many?", documents=iter(given), instructions="Be brief.", **context)
    prompt = server.calls("direct")[0].prompt
    assert solution.answer == "Four." and "Be brief." in prompt and f"{file}" in prompt and "The first" in prompt
    for text in ("from a document", "from its fields", "from a pair", "from a file: Größe"):
        assert text in prompt


@pytest.mark.parametrize(
    ("documents", "error", "said"),
    [
        ("text", TypeError, "a list of documents.*this is str"),
        ({"id": "a", "text": "b"}, TypeError, "this is str"),
        ([b"ab"], TypeError, "this is bytes"),
        ([("a", "b", "c")], TypeError, "this is tuple"),
        ([None], TypeError, "this is NoneType"),
        ([{"id": "a"}], ValidationError, "text"),
        ([("a", " ")], ValidationError, "'a' is empty"),
        ([("a", "b"), {"id": "a", "text": "c"}], ValidationError, "'a' occurs twice"),
        ([Path("/no/such/file")], FileNotFoundError, "/no/such/file"),
        ([PROJECT], IsADirectoryError, str(PROJECT)),
        ([Path(sys.executable)], ValueError, "is a binary file"),
    ],
)
async def test_what_is_no_document_is_refused_before_any_call(
    server: ModelServer, context: Any, documents: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        await answer("x", documents=documents, **context)
    assert server.asked == []


@pytest.mark.parametrize(
    "wrong", [{"max_thread": 2}, {"temprature": 0, "_env_file": "x"}, {"max_threads": 1}, {"model": "gpt"}]
)
async def test_settings_are_refused_as_in_a_context(server: ModelServer, context: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as as_context:
        await graph.ainvoke({"question": "x"}, context={**context, **wrong})
    with pytest.raises(ValidationError) as as_argument:
        await answer("x", **{**context, **wrong})
    assert str(as_argument.value) == str(as_context.value) and server.asked == []


async def test_type_checkers_know_the_settings(server: ModelServer) -> None:
    hints = get_type_hints(Settings)
    assert get_type_hints(Options) == {name: hints[name] for name in Settings.model_fields}
    with pytest.raises(ValidationError, match="did you mean `max_threads`"):
        await answer("x", model="openai:scripted", max_thread=2)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="if_faster"):
        await answer("x", model="openai:scripted", split="sometimes")  # type: ignore[arg-type]
    assert server.asked == []


async def test_the_environment_counts_where_nothing_is_passed(
    split: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APR_MODEL", "openai:environment")
    monkeypatch.setenv("APR_BASE_URL", split.url)
    assert (await answer(QUESTION)).outcome == (await answer(QUESTION, model="openai:passed")).outcome == "complete"
    assert {request.body["model"] for request in split.asked[:4]} == {"environment"}
    assert {request.body["model"] for request in split.asked[4:]} == {"passed"}


async def test_a_model_that_fails_raises_nothing(server: ModelServer, context: Any) -> None:
    server.on("direct", Fault(status=400))
    solution = await answer("x", **context)
    assert (solution.outcome, solution.answer) == ("failed", "") and "HTTP 400" in solution.stop_reason


async def test_what_waits_for_a_person_is_asked_of_a_graph_that_can_wait(server: ModelServer, context: Any) -> None:
    with pytest.raises(ConfigurationError, match="needs a checkpointer"):
        await answer("x", oversight="plan", **context)
    assert server.asked == []


class Outer(TypedDict, total=False):
    question: str
    answer: str


@pytest.mark.parametrize("theirs", [None, {"model": "anthropic:claude", "tenant": "a"}], ids=str)
async def test_a_node_of_another_graph_may_ask(split: ModelServer, context: Any, theirs: Any) -> None:
    async def ask(state: Outer) -> Outer:
        return {"answer": (await answer(state["question"], **context)).answer}

    async def slip(state: Outer) -> Outer:
        return {"answer": (await answer(state["question"], **context, max_thread=2)).answer}  # type: ignore[call-arg]

    def outer(node: Any) -> Any:
        return StateGraph(Outer).add_node("ask", node).add_edge(START, "ask").add_edge("ask", END).compile()

    assert (await outer(ask).ainvoke({"question": QUESTION}, context=theirs))["answer"] == "All of it."
    assert {request.body["model"] for request in split.asked} == {"scripted"}
    with pytest.raises(ValidationError, match="max_thread"):
        await outer(slip).ainvoke({"question": QUESTION}, context=theirs)


async def test_threads_without_an_event_loop_may_ask(split: ModelServer, context: Any) -> None:
    asked = [asyncio.to_thread(answer_sync, QUESTION, **context) for _ in range(3)]
    assert [solution.outcome for solution in await asyncio.gather(*asked)] == ["complete"] * 3


@pytest.mark.parametrize(
    "waits",
    [
        "answer_sync(QUESTION, **CONTEXT)",
        "graph.invoke({'question': QUESTION}, context=CONTEXT)",
        "list(graph.stream({'question': QUESTION}, context=CONTEXT, stream_mode='updates'))",
        "graph.batch([{'question': QUESTION}] * 2, context=CONTEXT)",
        "build_graph(checkpointer=InMemorySaver()).invoke({'question': QUESTION}, AS, context=CONTEXT)",
    ],
)
async def test_interrupting_who_waits_closes_what_is_open(split: ModelServer, context: Any, waits: str) -> None:
    for part in PARTS:
        split.on(part, HANG)
    code = WAKE + (
        "from langgraph.checkpoint.memory import InMemorySaver\n"
        "from graphs import answer_sync, build_graph, graph\n"
        f"QUESTION, CONTEXT, AS = {QUESTION!r}, {context!r}, {{'configurable': {{'thread_id': '1'}}}}\n"
        f"try:\n    {waits}\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
        "input()\n"
    )
    program = await fork("-c", code=code, env=os.environ)
    assert program.stdin and program.stdout
    await split.wait_for(2, "solve")
    program.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(program.stdout.readline(), 60) == b"interrupted\n"
    # The program goes on; only its requests have ended.
    async with split.arrived:
        await asyncio.wait_for(split.arrived.wait_for(lambda: split.open == 0), 20)
    assert program.returncode is None
    program.stdin.write(b"\n")
    assert await program.wait() == 0


async def test_interrupting_ends_what_was_between_two_steps(split: ModelServer, context: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = WAKE + (
        "import os, time\n"
        "from langchain_core.callbacks import BaseCallbackHandler\n"
        "from graphs import graph\n"
        "class Wait(BaseCallbackHandler):\n"
        "    def on_chain_start(self, serialized, inputs, *, name='', **more):\n"
        "        if name == 'decompose':\n"
        "            print('waits', flush=True)\n"
        f"            while not os.path.exists({str(go)!r}):\n"
        "                time.sleep(0.01)\n"
        f"try:\n    graph.batch([{{'question': {QUESTION!r}}}] * 2, {{'callbacks': [Wait()]}}, context={context!r})\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
    )
    for part in PARTS:
        split.on(part, HANG)
    program = await fork("-c", code=code, env=os.environ)
    assert program.stdout
    assert [await asyncio.wait_for(program.stdout.readline(), 60) for _ in range(2)] == [b"waits\n"] * 2
    program.send_signal(signal.SIGINT)
    go.touch()
    assert await asyncio.wait_for(program.stdout.readline(), 60) == b"interrupted\n"
    assert await program.wait() == 0
    await split.wait_until_idle()
