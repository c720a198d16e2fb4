"""`langgraph dev`, driven over HTTP as LangGraph Studio does: no key, no network, no --allow-blocking."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import StreamMode
from openai import AsyncOpenAI, PermissionDeniedError

from graphs import AnswerPiece, AnswerReset, ThinkingPiece, read_answer
from nodes.state import Solution
from tests.support.server import HANG, STALL, WORDS, ModelServer, Reply, model_server, outline, review
from tests.support.services.studio import dev_server, open_http
from tests.support.subjects.native import WHOLE, script

pytest.importorskip("langgraph_api", reason="`langgraph dev` needs the `dev` extra")

QUESTION = {"question": "What is the capital of France? What is 12 * 7? Who wrote Hamlet?"}
PARTS = ["What is the capital of France?", "What is 12 * 7?", "Who wrote Hamlet?"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as server:
        script(server.on("assess", outline(*PARTS)))
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LangGraphClient]:
    folder = tmp_path_factory.mktemp("studio")
    async with dev_server(folder, True, APR_MODEL="openai:scripted", APR_BASE_URL=model.url) as url:
        client = get_client(url=url, api_key=None)
        yield client
        await client.aclose()


async def test_every_graph_runs(studio: LangGraphClient) -> None:
    adaptive: Any = await studio.runs.wait(None, "adaptive", input=QUESTION)
    assert (adaptive["outcome"], adaptive["route"]) == ("complete", "parallel")
    assert [thread["status"] for thread in adaptive["threads"]] == ["answered"] * 3
    assert set(adaptive) >= {"answer", "stop_reason", "assessment", "plan", "contradictions", "report"}
    for name, *ended in (("sequential", "complete", "direct", ""), ("native", "complete", "parallel", WHOLE)):
        run: Any = await studio.runs.wait(None, name, input=QUESTION)
        assert [run["outcome"], run["route"], run["trajectory"]] == ended


async def test_a_second_question_on_the_same_thread_starts_over(studio: LangGraphClient, model: ModelServer) -> None:
    thread = await studio.threads.create()
    first: Any = await studio.runs.wait(thread["thread_id"], "adaptive", input=QUESTION)
    second: Any = await studio.runs.wait(thread["thread_id"], "adaptive", input={"question": "And again?"})
    assert first["report"]["calls"] == second["report"]["calls"] == 5
    assert [result["rounds"] for result in second["threads"]] == [1, 1, 1]


async def test_a_run_streams_each_thread(studio: LangGraphClient) -> None:
    stream = studio.runs.stream(None, "adaptive", input=QUESTION, stream_mode=["custom"])
    events = [part.data async for part in stream if part.event == "custom"]
    ended = [event for event in events if event.get("status") == "answered"]
    assert sorted(event["thread_id"] for event in ended) == ["T1", "T2", "T3"]
    assert sorted(event["n_done"] for event in ended) == [1, 2, 3]


async def test_the_answer_grows_over_http(studio: LangGraphClient, model: ModelServer) -> None:
    listed = {"question": "Work these out.\n1. Two and two?\n2. Three and four?"}
    model.on("assess", outline("1", "2", answer="list"), outline("1", "2", answer="list"), outline(*PARTS))
    model.on("Two and two?", Reply("Result: 4", reasoning="Four, I think.")).on("Three and four?", "Result: 7")
    model.on("review", review("", "T2: it is 8"), review(), review("It is all."))
    seen = []
    thought: list[ThinkingPiece] = []
    for question in (listed, QUESTION):
        modes: list[StreamMode] = ["messages-tuple", "updates", "custom", "values"]
        stream = studio.runs.stream(None, "adaptive", input=question, stream_mode=modes)
        seen.append([event async for event in read_answer(stream, on_thinking=thought.append)])
    model.on("assess", outline(*PARTS))
    model.script.pop("review")
    (*of_list, solution), (*of_text, last) = seen
    at = of_list.index(AnswerReset("sent back: T2: it is 8"))
    for pieces in (of_list[:at], of_list[at + 1 :]):
        assert "".join(piece.text for piece in pieces if isinstance(piece, AnswerPiece)) == "1. 4\n2. 7"
    assert isinstance(solution, Solution) and (solution.answer, solution.outcome) == ("1. 4\n2. 7", "complete")
    assert "".join(piece.text for piece in thought) == "Four, I think."
    assert {(piece.stage, piece.thread_id) for piece in thought} == {("solve", "T1")}
    assert of_text == [AnswerPiece(text) for text in ("It", " is", " all.")]
    assert isinstance(last, Solution) and last.answer == "It is all."
    assert all(request.body["stream"] for request in model.asked[-5:])


async def test_one_thread_of_a_run_is_stopped(studio: LangGraphClient, model: ModelServer) -> None:
    model.on(PARTS[1], STALL)
    id = (await studio.threads.create())["thread_id"]
    solution: Any = None
    modes: list[StreamMode] = ["messages-tuple", "custom", "values"]
    # Its words may come before its turn, where it began while the outline was written.
    awaited, said = {"running", WORDS.split(" ", 2)[-1]}, ""
    try:
        async for part in studio.runs.stream(id, "adaptive", input=QUESTION, stream_mode=modes):
            if part.event == "values":
                solution = part.data
            elif part.event == "messages":
                awaited.discard(part.data[0]["content"])
            elif part.event == "custom" and part.data.get("thread_id") == "T2":
                awaited.discard(part.data["status"])
            if not awaited and not said:
                said = (await post(studio, f"/threads/{id}/stop/T2")).text
    finally:
        model.script.pop(PARTS[1])
    stopped = solution["threads"][1]
    assert said == f"{id}: T2 stops\n"
    assert (solution["outcome"], stopped["error"], stopped["text"]) == ("partial", "stopped by a person", WORDS.strip())
    foreign = await post(studio, f"/threads/{id}/stop/T2", Origin="https://elsewhere.example")
    assert foreign.status_code == 403


async def test_a_conversation_is_had_by_chat_pages_other_agents_and_openais_clients(studio: LangGraphClient) -> None:
    base, question = str(studio.http.client.base_url), QUESTION["question"]
    solution: Any = await studio.runs.wait(None, "adaptive", input=QUESTION)
    expected = (solution["answer"], solution["outcome"], solution["report"]["calls"])
    # As a chat page asks: of all graphs within, only the answer is heard.
    id = (await studio.threads.create())["thread_id"]
    pieces: list[Any] = []
    said: Any = {"messages": [{"type": "human", "content": question}]}
    modes: list[StreamMode] = ["messages-tuple", "values"]
    async for part in studio.runs.stream(id, "chat", input=said, stream_mode=modes, stream_subgraphs=True):
        if part.event.startswith("messages"):
            pieces.append(part.data[0])
        elif part.event == "values":
            values: Any = part.data
    reply = values["messages"][-1]
    figures = reply["additional_kwargs"]["apr"]
    assert (reply["content"], figures["outcome"], figures["calls"]) == expected
    assert "".join(piece["content"] for piece in pieces) == reply["content"]
    assert {piece["id"] for piece in pieces} == {reply["id"]} and len(pieces) > 2
    async with open_http(base) as http:
        assert PARTS[0] in (await http.get(f"/report/{id}")).text
        image = {"messages": [{"type": "human", "content": [{"type": "image", "url": "x"}]}]}
        refused = await http.post("/runs/wait", json={"assistant_id": "chat", "input": image})
        assert refused.status_code == 422 and "no images" in refused.text
        assistants = {found["graph_id"]: found["assistant_id"] for found in await studio.assistants.search()}
        message = {"role": "user", "messageId": "1", "parts": [{"kind": "text", "text": question}]}
        asked = {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": message}}
        task = (await http.post(f"/a2a/{assistants['chat']}", json=asked)).json()["result"]
    assert [part["text"] for artifact in task["artifacts"] for part in artifact["parts"]] == [expected[0]]
    async with AsyncOpenAI(base_url=f"{base.rstrip('/')}/v1", api_key="none") as client:
        asking: Any = {"model": "adaptive", "messages": [{"role": "user", "content": question}]}
        whole: Any = await client.chat.completions.create(**asking)
        assert (whole.choices[0].message.content, whole.apr["outcome"], whole.apr["calls"]) == expected
        streamed = [chunk async for chunk in await client.chat.completions.create(**asking, stream=True)]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == expected[0]
        foreign = client.with_options(default_headers={"Origin": "https://elsewhere.example"})
        with pytest.raises(PermissionDeniedError, match="may not use this server"):
            await foreign.models.list()


async def post(studio: LangGraphClient, path: str, **headers: str) -> httpx.Response:
    async with open_http(str(studio.http.client.base_url)) as client:
        return await client.post(path, headers=headers)


async def test_settings_show_as_a_form_with_bounds(studio: LangGraphClient) -> None:
    assistants = {found["graph_id"]: found["assistant_id"] for found in await studio.assistants.search()}
    schemas: Any = await studio.assistants.get_schemas(assistants["adaptive"])
    fields = schemas["context_schema"]["properties"]
    assert all(field.get("description") for field in fields.values())
    assert (fields["max_parallel"]["minimum"], fields["max_parallel"]["maximum"]) == (1, 64)
    assert set(schemas["input_schema"]["properties"]) == {"question", "documents", "instructions"}
    assert schemas["input_schema"]["required"] == ["question"]
    assert "outcome" in schemas["output_schema"]["properties"]


async def test_the_drawing_is_true(studio: LangGraphClient) -> None:
    drawn: Any = await studio.assistants.get_graph("adaptive")
    edges = {(edge["source"], edge["target"]) for edge in drawn["edges"]}
    assert edges == {
        ("__start__", "assess"),
        ("assess", "decompose"),
        ("assess", "direct"),
        ("decompose", "solve"),
        ("decompose", "direct"),
        ("decompose", "approve_plan"),
        ("approve_plan", "solve"),
        ("approve_plan", "decompose"),
        ("approve_plan", "direct"),
        ("solve", "review"),
        ("review", "solve"),
        ("review", "direct"),
        ("review", "__end__"),
        ("review", "baseline"),
        ("review", "refine"),
        ("review", "approve_answer"),
        ("direct", "approve_answer"),
        ("approve_answer", "solve"),
        ("approve_answer", "baseline"),
        ("approve_answer", "__end__"),
        ("refine", "solve"),
        ("refine", "direct"),
        ("direct", "baseline"),
        ("direct", "__end__"),
        ("baseline", "__end__"),
    }


async def test_a_finished_thread_has_its_page(studio: LangGraphClient) -> None:
    thread = await studio.threads.create()
    id = thread["thread_id"]
    before = await page_of(studio, id)
    assert before.status_code == 409 and "no run of this thread has finished" in before.text
    await studio.runs.wait(id, "adaptive", input=QUESTION)
    shown = await page_of(studio, id)
    assert shown.status_code == 200 and shown.headers["content-type"] == "text/html; charset=utf-8"
    assert shown.text.startswith("<!doctype html>") and all(part in shown.text for part in PARTS)
    assert "default-src 'none'" in shown.headers["content-security-policy"]


async def test_the_page_of_a_running_thread_is_not_ready(studio: LangGraphClient, model: ModelServer) -> None:
    thread = await studio.threads.create()
    model.on("review", HANG)
    run = await studio.runs.create(thread["thread_id"], "adaptive", input=QUESTION)
    try:
        await model.wait_for(len(model.calls("review")) + 1, "review")
        shown = await page_of(studio, thread["thread_id"])
        assert shown.status_code == 409 and "still running" in shown.text
    finally:
        await studio.runs.cancel(thread["thread_id"], run["run_id"], wait=True)
        model.script.pop("review")


@pytest.mark.parametrize(("id", "status"), [("nobody", 422), ("8a0d5b6e-0000-4000-8000-000000000000", 404)])
async def test_there_is_no_page_of_an_unknown_thread(studio: LangGraphClient, id: str, status: int) -> None:
    shown = await page_of(studio, id)
    assert shown.status_code == status and shown.text.startswith(f"{id}: no ")


async def page_of(studio: LangGraphClient, id: str) -> httpx.Response:
    """Open a thread's page as a browser does."""
    async with open_http(str(studio.http.client.base_url)) as browser:
        return await browser.get(f"/report/{id}")


@pytest.mark.parametrize(
    ("input", "context", "said"),
    [
        ({"question": " "}, {}, "`question` is blank"),
        ({"question": 1}, {}, "question: "),
        (QUESTION, {"max_parallel": 0}, "greater than or equal to 1"),
        (QUESTION, {"max_thread": 2}, "did you mean `max_threads`? unknown setting `max_thread`"),
    ],
)
async def test_bad_input_is_refused_with_its_reason(
    studio: LangGraphClient, model: ModelServer, input: Any, context: Any, said: str
) -> None:
    before = len(model.asked)
    with pytest.raises(httpx.HTTPStatusError) as refused:
        await studio.runs.wait(None, "adaptive", input=input, context=context)
    answer = refused.value.response
    assert answer.status_code == 422 and said in answer.json()["detail"] and "pydantic" not in answer.text
    assert len(model.asked) == before


async def test_a_cancelled_run_closes_its_requests(studio: LangGraphClient, model: ModelServer) -> None:
    model.on(PARTS[0], HANG)
    before = len(model.about(PARTS[0]))
    thread = await studio.threads.create()
    run = await studio.runs.create(thread["thread_id"], "adaptive", input=QUESTION)
    async with model.arrived:
        await model.arrived.wait_for(lambda: len(model.about(PARTS[0])) > before)
    await studio.runs.cancel(thread["thread_id"], run["run_id"], wait=True)
    async with asyncio.timeout(10):
        await model.wait_until_idle()
    assert model.about(PARTS[0])[-1].dropped
    model.script.pop(PARTS[0])


async def test_a_run_goes_on_with_what_it_began_with_and_without_the_time_between(
    studio: LangGraphClient, model: ModelServer
) -> None:
    thread = (await studio.threads.create())["thread_id"]
    began: dict[str, Any] = {"deadline": 6, "max_parallel": 2, "model": "openai:began"}
    model.on("review", HANG)
    run = await studio.runs.create(thread, "adaptive", input=QUESTION, context=began)
    await model.wait_for(len(model.calls("review")) + 1, "review")
    await studio.runs.cancel(thread, run["run_id"], wait=True)
    model.script.pop("review")
    await asyncio.sleep(6)  # longer than the whole run may take
    state: Any = await studio.threads.get_state(thread)
    assert state["values"]["outcome"] == "running"
    solution: Any = await studio.runs.wait(thread, "adaptive", input=None)
    assert solution["outcome"] == "complete", solution["stop_reason"]
    used = solution["report"]["settings"]
    assert (used["deadline"], used["max_parallel"], used["model"]) == (6, 2, "openai:began")
    assert solution["report"]["wall_s"] < 6 and model.asked[-1].body["model"] == "began"
