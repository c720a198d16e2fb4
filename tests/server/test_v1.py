"""OpenAI's API: `apr serve`, asked by the openai client and by LangChain's."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI

from graphs import chat, graph
from tests.support.command import apr
from tests.support.server import HANG, Fault, ModelServer, Reply, model_server, outline, review
from tests.support.services.served import Served, apr_serve

pytest.importorskip("uvicorn", reason="`apr serve` needs the extra `serve`")
pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "What is one? What is two?"
LISTED = "Work these out.\n1. Two and two?\n2. Three and four?"
DIRECT = "What is it?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(model: ModelServer) -> AsyncIterator[Served]:
    async with apr_serve(model) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def client(served: Served) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=served.url, api_key=served.key) as client:
        yield client


@pytest.fixture(autouse=True)
def script(model: ModelServer) -> None:
    model.script.clear()
    model.asked.clear()
    model.on("Two and two?", "Result: 4").on("Three and four?", "Result: 7")


def about(model: ModelServer, question: str) -> None:
    """Script the roles that see no question."""
    model.on("assess", {TEXT: outline("1", "2"), LISTED: outline("1", "2", answer="list")}.get(question, outline()))
    model.on("review", review() if question == LISTED else review("It is all."))


def user(text: Any) -> list[Any]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("question", [TEXT, LISTED, DIRECT])
async def test_every_door_leads_to_the_same_answer(model: ModelServer, client: AsyncOpenAI, question: str) -> None:
    about(model, question)
    own = {"model": "openai:scripted", "base_url": model.url, "split": "if_independent"}
    solution = await graph.ainvoke({"question": question}, context=own)
    report = solution["report"]
    expected = (solution["answer"], "complete", solution["route"], report.calls, report.tokens.total)
    message = (await chat.ainvoke({"messages": user(question)}, context=own))["messages"][-1]
    figures = message.additional_kwargs["apr"]
    total = message.usage_metadata["total_tokens"]
    assert (message.text, figures["outcome"], figures["route"], figures["calls"], total) == expected
    for streamed in (True, False):
        text, thought, figures, usage = await complete(client, question, streamed)
        assert (text, figures["outcome"], figures["route"], figures["calls"], usage.total_tokens) == expected
        assert ("T2 answered: " in thought) == (question != DIRECT)
        text, thought, figures, usage = await respond(client, question, streamed)
        assert (text, figures["outcome"], figures["route"], figures["calls"], usage.total_tokens) == expected
        assert "Looking for independent parts" in thought
    assert len({request.last for request in model.calls("assess")}) == 1


async def complete(client: AsyncOpenAI, question: str, streamed: bool) -> tuple[str, str, Any, Any]:
    asked: Any = {"model": "adaptive", "messages": user(question), "temperature": 0}
    if not streamed:
        whole: Any = await client.chat.completions.create(**asked)
        said = whole.choices[0].message
        assert whole.choices[0].finish_reason == "stop"
        return said.content, said.reasoning_content, whole.apr, whole.usage
    text, thought, figures, usage = "", "", None, None
    asked |= {"stream": True, "stream_options": {"include_usage": True}}
    async for chunk in await client.chat.completions.create(**asked):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            thought += getattr(choice.delta, "reasoning_content", None) or ""
        figures = getattr(chunk, "apr", None) or figures
        usage = chunk.usage or usage
    return text, thought, figures, usage


async def respond(client: AsyncOpenAI, question: str, streamed: bool) -> tuple[str, str, Any, Any]:
    asked: Any = {"model": "adaptive", "input": question}
    if not streamed:
        whole: Any = await client.responses.create(**asked)
        return whole.output_text, whole.output[0].summary[0].text, whole.apr, whole.usage
    text, thought = "", ""
    async with client.responses.stream(**asked) as events:
        async for event in events:
            text += event.delta if event.type == "response.output_text.delta" else ""
            thought += event.delta if event.type == "response.reasoning_summary_text.delta" else ""
        final: Any = await events.get_final_response()
    assert final.output_text == text and final.output[0].summary[0].text == thought
    return text, thought, final.apr, final.usage


@pytest.mark.parametrize("responses", [False, True])
async def test_langchain_asks_it_as_it_asks_any_model(model: ModelServer, served: Served, responses: bool) -> None:
    about(model, TEXT)
    asking: Any = {"model": "adaptive", "base_url": served.url, "api_key": served.key, "use_responses_api": responses}
    llm = ChatOpenAI(**asking, stream_usage=True, max_retries=0, extra_body={"apr": {"max_parallel": 1}})
    whole = await llm.ainvoke(TEXT)
    pieces = [piece async for piece in llm.astream([("system", "Be brief."), ("user", TEXT)])]
    streamed = sum(pieces[1:], pieces[0])
    for message in (whole, streamed):
        assert message.text == "It is all."
        assert message.usage_metadata and message.usage_metadata["total_tokens"] == 60
    assert len([piece for piece in pieces if piece.text]) == 3
    assert "Be brief." in model.asked[-1].last and model.peak >= 1
    # The whole conversation goes back, with what LangChain keeps of the reply.
    again = await llm.ainvoke([("user", TEXT), whole, ("user", "Sure? Really?")])
    assert again.text and "3 earlier turn 1: What is one?" in model.calls("assess")[-1].last


async def test_a_direct_answer_begun_early_is_sent_once_it_is_certain_that_nothing_is_split(
    model: ModelServer, client: AsyncOpenAI
) -> None:
    early: Any = {"model": "adaptive", "stream": True, "extra_body": {"apr": {"head_start": "on"}}}
    texts = []
    for question, outlined in ((TEXT, outline("1", "2")), (DIRECT, outline())):
        model.on("assess", Reply(json.dumps(outlined), pace=0.1)).on("review", review("It is all."))
        model.on("direct", Reply("So it is. " * 20, pace=0.05))
        chunks = await client.chat.completions.create(messages=user(question), **early)
        texts.append([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])
    assert "".join(texts[0]) == "It is all." and model.calls("direct")[0].dropped
    assert "".join(texts[1]) == ("So it is. " * 20).strip() and len(texts[1]) > 20


async def test_a_file_and_settings_come_with_a_request(model: ModelServer, client: AsyncOpenAI) -> None:
    file = {"type": "file", "file": {"filename": "sea.txt", "file_data": "data:text/plain;base64,RGVlcC4="}}
    asked = user([{"type": "text", "text": "How is it?"}, file])
    await client.chat.completions.create(model="sequential", messages=asked, max_tokens=77)
    (direct,) = model.asked
    assert "<document sea.txt>\nDeep.\n</document>" in direct.last
    assert 77 in (direct.body.get("max_tokens"), direct.body.get("max_completion_tokens"))


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"model": "gpt-5"}, 404, "there is no model `gpt-5`; there are `adaptive`, `sequential`"),
    ({"messages": None}, 400, "`messages` is missing"),
    ({"messages": []}, 400, "no human message"),
    ({"messages": user([{"type": "image_url", "image_url": {"url": "x"}}])}, 400, "no images"),
    ({"messages": user("x" * 100_001)}, 400, "100,001 characters"),
    ({"tools": [{"type": "function"}]}, 400, "`tools` is not supported"),
    ({"n": 2}, 400, "`n` is not supported"),
    ({"response_format": {"type": "json_object"}}, 400, "answers are texts"),
    ({"apr": {"max_paralel": 2}}, 400, "did you mean `max_parallel`"),
    ({"apr": {"max_parallel": 99}}, 400, "max_parallel"),
    ({"apr": {"base_url": "http://127.0.0.1:9/v1"}}, 400, "not a request's to choose"),
    ({"apr": {"oversight": "plan"}}, 400, "nobody can be asked"),
    ({"apr": 7}, 400, "must be an object"),
    ({"temperature": 9}, 400, "temperature"),
]


@pytest.mark.parametrize(("fields", "status", "why"), REFUSED, ids=[why for *_, why in REFUSED])
async def test_what_cannot_be_answered_is_refused_in_openais_words(
    model: ModelServer, client: AsyncOpenAI, fields: dict[str, Any], status: int, why: str
) -> None:
    body = {"model": "adaptive", "messages": user(TEXT), "stream": True} | fields
    with pytest.raises(openai.APIStatusError) as refused:
        await client.post("/chat/completions", body=body, cast_to=object)
    said: Any = refused.value.body
    assert (refused.value.status_code, said["type"]) == (status, "invalid_request_error") and why in said["message"]
    assert not model.asked


async def test_nobody_asks_without_the_key(model: ModelServer, served: Served, client: AsyncOpenAI) -> None:
    assert [found.id async for found in client.models.list()] == ["adaptive", "sequential"]
    assert len(served.key) >= 32
    for key in ("wrong", served.key[:-1]):
        with pytest.raises(openai.AuthenticationError, match="a valid token is needed"):
            await client.with_options(api_key=key).chat.completions.create(model="adaptive", messages=user("?"))
    with pytest.raises(openai.NotFoundError, match="there is nothing here"):
        await client.get("/files", cast_to=object)
    assert not model.asked


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_client_that_goes_away_ends_the_run(model: ModelServer, client: AsyncOpenAI, streamed: bool) -> None:
    model.on("assess", outline("1", "2")).on("What is one?", HANG).on("What is two?", HANG)
    asked: Any = {"model": "adaptive", "messages": user(TEXT), "stream": streamed}
    task = asyncio.create_task(read(client, asked))
    await model.wait_for(2, "solve")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await model.wait_until_idle()
    assert [request.dropped for request in model.calls("solve")] == [True, True]
    assert not model.calls("review")


async def read(client: AsyncOpenAI, asked: Any) -> None:
    reply = await client.chat.completions.create(**asked)
    if asked["stream"]:
        async for _ in reply:
            pass


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_run_without_an_answer_is_an_error_that_is_not_paid_twice(
    model: ModelServer, client: AsyncOpenAI, streamed: bool
) -> None:
    model.on("direct", Fault(400))
    with pytest.raises(openai.APIError, match="no answer: direct: "):
        await read(client, {"model": "sequential", "messages": user(DIRECT), "stream": streamed})
    assert len(model.asked) == 1
    async with client.responses.stream(model="sequential", input=DIRECT) as events:
        kinds = [event.type async for event in events]
    assert kinds[-1] == "response.failed"


async def test_what_is_missing_is_said_and_what_is_withdrawn_too(model: ModelServer, client: AsyncOpenAI) -> None:
    about(model, LISTED)
    model.on("Three and four?", "Result: 8", "Result: 7").on("review", review("", "T2: it is 7"), review())
    text, *_ = await complete(client, LISTED, streamed=True)
    assert text == "1. 4\n2. 8\n\n[withdrawn: sent back: T2: it is 7]\n\n1. 4\n2. 7"
    assert (await complete(client, LISTED, streamed=False))[0] == "1. 4\n2. 7"
    model.on("direct", Reply("It is cut", finish_reason="length")).on("assess", outline())
    for streamed in (True, False):
        text, _, figures, _ = await complete(client, DIRECT, streamed)
        assert text.startswith("It is cut\n\n[Incomplete: ") and figures["outcome"] == "partial"


async def test_tokens_of_ones_own_are_not_printed(model: ModelServer) -> None:
    async with apr_serve(model, APR_TOKENS="ann:0123456789-of-ann") as served:
        assert served.key == ""
        async with AsyncOpenAI(base_url=served.url, api_key="0123456789-of-ann") as ann:
            assert (await ann.models.retrieve("adaptive")).id == "adaptive"


async def test_what_is_wrong_is_said_before_anything_is_served(model: ModelServer, served: Served) -> None:
    port = served.url.rpartition(":")[2].partition("/")[0]
    for arguments, more, why in [
        (["--port", port], {}, "Address already in use"),
        ([], {"APR_MAX_PARALLEL": "99"}, "max_parallel"),
        ([], {"APR_TOKENS": "ann:short"}, "the least is 16"),
        (["--host", "0.0.0.0"], {}, "APR_TOKENS must say who may ask it"),
        (["--host", "192.0.2.1"], {"APR_TOKENS": "ann:0123456789-of-ann"}, "--host 192.0.2.1"),
    ]:
        status, _, err = await apr(model, "serve", *arguments, **more)
        assert status == 2 and why in err
    status, out, _ = await apr(model, "serve", "--help")
    assert status == 0 and "APR_TOKENS" in out and "extra_body" in out
