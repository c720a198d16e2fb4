"""What no store can hold, wherever it is given: halves of characters, NUL, numbers without bounds, depths without end.

LangGraph stores what it is given before the first node sees it.
"""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command
from pydantic import BaseModel, ValidationError

from graphs import build_graph
from nodes.settings import Settings
from nodes.shared.cleaning import storable
from tests.support.server import ModelServer, model_server, outline, plan
from tests.support.services.postgres import Postgres
from tests.support.services.studio import dev_server, open_http

PARTS = ["What is one?", "What is two?"]
QUESTION = " ".join(PARTS)
DEEP: list[Any] = []
for _ in range(3_000):
    DEEP = [DEEP]
TEXTS = {"NUL": "a\0b", "half a character": "a\ud83d b", "the other half": "\ude00", "escape": "\x1b[2Ja"}
NUMBERS = {"beyond 64 bits": 2**70, "far beyond": -(10**5_000), "no number": float("nan"), "endless": float("inf")}
ODD: dict[str, Any] = {**TEXTS, **NUMBERS, "deep": DEEP}


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def saver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """A checkpointer of the user's own."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield InMemorySaver()
        elif request.param == "sqlite":
            yield await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(tmp_path / "own.sqlite")))
        else:
            from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

            database: Postgres = request.getfixturevalue("database")
            kept = await stack.enter_async_context(AsyncPostgresSaver.from_conn_string(database.url))
            await kept.setup()
            yield kept


@pytest.fixture
def split(server: ModelServer) -> ModelServer:
    return server.on("assess", outline(*PARTS)).on("decompose", plan(*PARTS))


def thread(request: pytest.FixtureRequest) -> Any:
    return {"configurable": {"thread_id": request.node.name.encode("ascii", "replace").decode()}}


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        yield from texts_in(dict(value))
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for text in texts_in(pair))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in texts_in(item))


async def all_is_storable(saver: Any, config: Any) -> None:
    """Check what a store gives back of a thread: the input as it was taken in, and every state since."""
    kept = [one async for one in saver.alist(config)]
    texts = {text for one in kept for text in texts_in([one.checkpoint, one.pending_writes, dict(one.metadata)])}
    assert kept and QUESTION in "".join(texts)
    assert [text for text in texts if storable(text) != text] == []


@pytest.mark.parametrize("odd", ODD)
async def test_input_that_no_store_can_hold_is_kept_all_the_same(
    saver: Any, split: ModelServer, context: dict[str, Any], request: pytest.FixtureRequest, odd: str
) -> None:
    graph, config, value = build_graph(checkpointer=saver), thread(request), ODD[odd]
    text = value if odd in TEXTS else ""
    documents = [{"id": f"{text}a", "title": text, "text": f"{text}c", "strange": value}]
    given = {"question": QUESTION + text, "documents": documents, "instructions": text, "strange": value, f"{text}s": 1}
    solution = await graph.ainvoke(given, config, context=context)
    assert (solution["outcome"], solution["question"]) == ("complete", QUESTION + storable(text))
    assert (await graph.aget_state(config)).values["documents"][0]["text"] == f"{storable(text)}c"
    await all_is_storable(saver, config)


@pytest.mark.parametrize("odd", ODD)
async def test_what_a_person_replies_is_kept_or_refused_in_words(
    saver: Any, split: ModelServer, context: dict[str, Any], request: pytest.FixtureRequest, odd: str
) -> None:
    graph, config = build_graph(checkpointer=saver), thread(request)
    await graph.ainvoke({"question": QUESTION}, config, context={**context, "oversight": "plan"})
    reply: Any = Command(resume={"action": "reject", "note": ODD[odd], "strange": ODD[odd]})
    if odd == "deep":
        with pytest.raises(ValueError, match="more than 100 deep"):
            await graph.ainvoke(reply, config)
    else:
        await graph.ainvoke(reply, config)
    solution = await graph.ainvoke(Command(resume="approve"), config)
    assert solution["outcome"] == "complete"
    await all_is_storable(saver, config)


@pytest.mark.parametrize("odd", TEXTS)
async def test_what_is_written_into_a_state_is_kept(
    saver: Any, split: ModelServer, context: dict[str, Any], request: pytest.FixtureRequest, odd: str
) -> None:
    graph, config = build_graph(checkpointer=saver), thread(request)
    await graph.aupdate_state(config, {"question": QUESTION + TEXTS[odd]}, as_node="__start__")
    solution = await graph.ainvoke(None, config, context=context)
    assert (solution["outcome"], solution["question"]) == ("complete", QUESTION + storable(TEXTS[odd]))
    await graph.aupdate_state(config, {"answer": TEXTS[odd], "threads": solution["threads"]})
    assert (await graph.aget_state(config)).values["answer"] == storable(TEXTS[odd])
    await all_is_storable(saver, config)


@pytest.mark.parametrize("odd", [*NUMBERS, "deep"])
async def test_what_is_refused_leaves_nothing_behind(
    saver: Any, split: ModelServer, context: dict[str, Any], request: pytest.FixtureRequest, odd: str
) -> None:
    graph, config = build_graph(checkpointer=saver), thread(request)
    for wrong in ({"question": ODD[odd]}, {"documents": [{"id": ODD[odd], "text": "x"}]}, {"instructions": ODD[odd]}):
        with pytest.raises(ValidationError):
            await graph.ainvoke({"question": QUESTION} | wrong, config, context=context)
        with pytest.raises(ValidationError):
            graph.invoke({"question": QUESTION} | wrong, config, context=context)
        assert [one async for one in saver.alist(config)] == [] and not split.asked
    assert (await graph.ainvoke({"question": QUESTION}, config, context=context))["outcome"] == "complete"
    for name in ("question", "answer", "calls", "results", "plan"):
        with pytest.raises(ValueError):
            await graph.aupdate_state(config, {name: [ODD[odd]]})
    for nothing in (None, float("nan")):
        with pytest.raises(ValueError, match="`question` cannot be emptied"):
            await graph.aupdate_state(config, {"question": nothing})
    assert (await graph.aget_state(config)).values["question"] == QUESTION


@pytest.mark.parametrize("odd", TEXTS)
def test_a_models_name_is_one_that_can_be_written(odd: str) -> None:
    with pytest.raises(ValidationError, match="control characters, or others that cannot be shown"):
        Settings(model=f"openai:{TEXTS[odd]}")


# Over HTTP


@asynccontextmanager
async def server_over_http(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with model_server() as model:
        model.on("assess", outline(*PARTS)).on("decompose", plan(*PARTS))
        served = dev_server(folder, APR_MODEL="openai:scripted", APR_BASE_URL=model.url)
        async with served as url, open_http(url) as client:
            yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    pytest.importorskip("langgraph_api", reason="`langgraph dev` needs the `dev` extra")
    async with server_over_http(tmp_path_factory.mktemp("storable")) as client:
        yield client


ESCAPED = {"NUL": r"\u0000", "half a character": r"\ud83d"}
GIVEN = {
    "question": '{"input": {"question": "Why?%"}}',
    "document": '{"input": {"question": "Why?", "documents": [{"id": "a%", "text": "b%"}]}}',
    "another field": '{"input": {"question": "Why?", "strange%": "%"}}',
    "metadata": '{"input": {"question": "Why?"}, "metadata": {"a%": "b%"}}',
    "tags": '{"input": {"question": "Why?"}, "config": {"tags": ["%"], "configurable": {"who": "%"}}}',
    "model": '{"input": {"question": "Why?"}, "context": {"model": "openai:%"}}',
    "reply": '{"command": {"resume": {"action": "approve", "note": "%", "strange%": "%"}}}',
    "state": '{"values": {"question": "Why?%", "note": "%"}, "as_node": "__start__"}',
}


async def still_answers(http: httpx.AsyncClient, thread: str) -> None:
    """Check that a thread can be read in every way, and stands in the list of all."""
    for path in ("", "/state", "/history", "/runs"):
        answer = await http.get(f"/threads/{thread}{path}")
        assert answer.status_code == 200 and r"\u0000" not in answer.text, (path, answer.text)
    listed = await http.post("/threads/search", json={"limit": 1_000})
    assert listed.status_code == 200 and thread in {one["thread_id"] for one in listed.json()}
    assert (await http.get(f"/report/{thread}")).status_code in (200, 409)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("where", GIVEN)
@pytest.mark.parametrize("odd", ESCAPED)
async def test_a_thread_answers_whatever_it_was_sent(http: httpx.AsyncClient, odd: str, where: str) -> None:
    thread = (await http.post("/threads", json={"metadata": {"graph_id": "adaptive"}})).json()["thread_id"]
    ask = {"assistant_id": "adaptive", "input": {"question": "Why?"}}
    if where == "reply":
        await http.post(f"/threads/{thread}/runs/wait", json={**ask, "context": {"oversight": "plan"}})
    body = ('{"assistant_id": "adaptive", ' + GIVEN[where][1:]).replace("%", ESCAPED[odd])
    path = f"/threads/{thread}/" + ("state" if where == "state" else "runs/wait")
    answer = await http.post(path, content=body, headers={"Content-Type": "application/json"})
    refused = "half" in odd or where == "model"
    assert answer.status_code == (422 if refused else 200) and "Traceback" not in answer.text, answer.text
    assert refused or "__error__" not in answer.text
    await still_answers(http, thread)
    again = await http.post(f"/threads/{thread}/runs/wait", json=ask)
    assert again.json()["outcome"] == "complete", again.text


@pytest.mark.asyncio(loop_scope="module")
async def test_a_state_takes_what_was_read_from_it_and_refuses_what_does_not_fit(http: httpx.AsyncClient) -> None:
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    ask = {"assistant_id": "adaptive", "input": {"question": "Why?"}}
    await http.post(f"/threads/{thread}/runs/wait", json=ask)
    read = (await http.get(f"/threads/{thread}/state")).json()["values"]
    assert read["calls"] and read["results"]
    wrote = await http.post(f"/threads/{thread}/state", json={"values": read})
    assert wrote.status_code == 200, wrote.text
    for name in sorted(read):
        wrote = await http.post(f"/threads/{thread}/state", json={"values": {name: [{"a": {"b": sys.maxsize}}]}})
        assert wrote.status_code in (400, 422), (name, wrote.text)
    await still_answers(http, thread)
