"""The key stands in no byte that a run leaves, wherever a server writes it and however it breaks: stores, logs, traces.

Also over HTTP and at the command line. `test_every_fault` and `test_barriers` look after every other fault.
"""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.faults.test_barriers import GARBAGE, raw_server
from tests.support.command import apr
from tests.support.kept import KEY, Kept, bytes_of, forms, keeping, said_in
from tests.support.server import Events, Fault, ModelServer, Reply, Step, Tool, completion, outline
from tests.support.services.studio import dev_server, open_http

PARTS = ["What is one?", "What is two?"]
QUESTION = "Tell me all."
SLASHED = KEY.replace("/", r"\/")
LIMITS = {"max_rounds": 0, "request_timeout": 2, "thread_timeout": 2}


def chat(**changed: Any) -> Fault:
    return Fault(body=json.dumps(completion(Reply("Yes."), "Yes.") | changed))


def chunks(text: str, field: str = "content") -> Events:
    """A stream of single characters."""
    said = [{"choices": [{"index": 0, "delta": {field: char}, "finish_reason": None}]} for char in text]
    return Events([*said, {"choices": [{"index": 0, "delta": {"content": "."}, "finish_reason": "stop"}]}, "[DONE]"])


REPEATED: dict[str, Step] = {
    "in the answer": f"Result: {KEY}",
    "in the answer, character by character": chunks(f"Result: It is {KEY}, or {KEY[:9]}"),
    "in what it thought": Reply("Result: x", reasoning=KEY),
    "in what it thought, character by character": chunks(KEY, "reasoning_content"),
    "in the reason of the end": Reply("Result: x", finish_reason=KEY),
    "in a cut answer": Reply(f"I {KEY}", finish_reason="length"),
    "in a refusal": Reply(refusal=f"No, {KEY}"),
    "as the model": chat(model=KEY),
    "as a count": chat(usage={"prompt_tokens": KEY}),
    "in a tool's call": Tool({"x": KEY}),
    "in an object that does not fit": {"parts": [KEY], "redo": [KEY], "conflicts": KEY},
    "in a header": Fault(429, None, {"Retry-After": KEY}),
    "in a redirect": Fault(302, "", {"Location": f"http://127.0.0.1:9/{KEY}"}),
    "in every field of an error": Fault(400, json.dumps({"error": {"message": KEY, "code": KEY, "type": KEY}})),
    "with its slashes escaped": Fault(400, json.dumps({"error": {"message": KEY}}).replace("/", r"\/")),
    "on a page": Fault(502, f"<h1>{KEY}</h1>", content_type="text/html"),
    "where an excerpt ends": Fault(400, "x" * 270 + KEY),
    "many times over": Fault(200, KEY * 5),
    "in an event": Events([{"error": {"message": KEY}}]),
    "in an event that is none": Events([f"{{not {KEY}"]),
}


@pytest.fixture
async def kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Kept]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("APR_STORE", str(tmp_path / "runs.sqlite"))
    monkeypatch.setenv("APR_CACHE_FILE", str(tmp_path / "threads.sqlite"))
    caplog.set_level(logging.DEBUG)
    async with keeping(tmp_path) as kept:
        yield kept


# A split run, in which a thread and the review repeat it, and one whose only call does: each way in turns.
ROLES = {"split": (PARTS[0], "review"), "assess": ("assess",), "direct": ("direct",)}


@pytest.mark.parametrize(
    ("roles", "repeated", "streaming"),
    [
        pytest.param(
            *(roles, repeated, streaming),
            id=f"{name}-{repeated}-{'streamed' if streaming else 'whole'}",
            marks=pytest.mark.full if (number + turn + streaming) % 2 else [],
        )
        for turn, (name, roles) in enumerate(ROLES.items())
        for number, repeated in enumerate(REPEATED)
        for streaming in (False, True)
    ],
)
async def test_a_server_that_repeats_the_key_has_it_left_out(
    *,
    kept: Kept,
    server: ModelServer,
    caplog: pytest.LogCaptureFixture,
    roles: tuple[str, ...],
    repeated: str,
    streaming: bool,
) -> None:
    server.on("assess", outline() if "direct" in roles else outline(*PARTS))
    for role in roles:
        server.on(role, REPEATED[repeated])
    solution = await kept.run(QUESTION, {"model": "openai:x", "base_url": server.url, **LIMITS}, streaming=streaming)
    assert isinstance(solution, dict) and any(bool(one.body.get("stream")) is streaming for one in server.asked)
    assert {one.headers["Authorization"] for one in server.asked} == {f"Bearer {KEY}"}
    assert all(server.about(role) for role in roles)
    searched = await kept.without(KEY, said_in(caplog.records))
    assert QUESTION.encode() in searched["what was shown"] and QUESTION.encode() in searched["the traces"]


async def test_what_only_begins_like_the_key_is_told_whole(kept: Kept, server: ModelServer) -> None:
    said = f"It is {KEY[:20]}! Or {KEY[:9]}"
    server.on("direct", chunks(said))
    solution = await kept.run(QUESTION, {"model": "openai:x", "base_url": server.url}, streaming=True)
    assert solution["answer"] == f"{said}." and server.calls("direct")[0].body["stream"] is True


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("what", ["probe", "reply"])
async def test_whatever_answers_the_key_is_left_nowhere(
    kept: Kept, caplog: pytest.LogCaptureFixture, garbage: str, what: str
) -> None:
    async with raw_server(**{what: GARBAGE[garbage]}) as url:
        limits = {} if what == "probe" else LIMITS
        solution = await kept.run(QUESTION, {"model": "openai:x", "base_url": url, **limits})
    assert solution["outcome"] == ("complete" if what == "probe" else "failed")
    await kept.without(KEY, said_in(caplog.records))


ECHO = json.dumps({"error": {"message": f"wrong: Authorization: Bearer {KEY}, {SLASHED}", "code": KEY}})
FAULTS: list[Step] = [Fault(401, ECHO), Fault(500, ECHO), Fault(200, KEY * 5), Fault(400, ECHO), f"Result: {KEY}"]


async def test_the_command_leaves_the_key_nowhere(server: ModelServer, tmp_path: Path) -> None:
    server.on("assess", outline(*PARTS))
    left = {"APR_STORE": str(tmp_path / "runs.sqlite"), "APR_CACHE_FILE": str(tmp_path / "threads.sqlite")}
    left |= {"APR_REQUEST_TIMEOUT": "2", "APR_THREAD_TIMEOUT": "2"}
    shown = ""
    for step in FAULTS:
        for role in (PARTS[0], "direct"):
            server.on(role, step)
            report = str(tmp_path / "run.html")
            options = ("--cache", "--report", report, "--json")
            status, out, err = await apr(server, QUESTION, *options, OPENAI_API_KEY=KEY, **left)
            assert status in (0, 1, 3) and "Traceback" not in err, err
            shown += out + err
    found = {**await asyncio.to_thread(bytes_of, tmp_path), "shown": shown.encode()}
    assert not [place for place, content in found.items() for form in forms(KEY) if form in content]
    assert QUESTION.encode() in found[report] and QUESTION.encode() in found[f"rows of {left['APR_STORE']}"]


async def test_the_server_leaves_the_key_nowhere(server: ModelServer, tmp_path: Path) -> None:
    pytest.importorskip("langgraph_api", reason="`langgraph dev` needs the `dev` extra")
    server.on("assess", outline(*PARTS))
    own = {"APR_MODEL": "openai:x", "APR_BASE_URL": server.url, "OPENAI_API_KEY": KEY, "APR_REQUEST_TIMEOUT": "2"}
    shown: list[str] = []
    async with dev_server(tmp_path, **own) as url, open_http(url) as http:
        for step in FAULTS:
            server.on("direct", step).on(PARTS[0], step)
            thread = (await http.post("/threads", json={})).json()["thread_id"]
            ask = {"assistant_id": "adaptive", "input": {"question": QUESTION}}
            answers = [await http.post(f"/threads/{thread}/runs/wait", json=ask)]
            answers += [await http.get(f"/threads/{thread}{path}") for path in ("", "/state", "/history", "/runs")]
            answers += [await http.get(f"/report/{thread}"), await http.post("/threads/search", json={})]
            assert {answer.status_code for answer in answers} == {200}
            shown += [answer.text for answer in answers]
    kept = {place: content for place, content in bytes_of(tmp_path).items() if "/.langgraph_api/" in place}
    found = {**kept, "shown": "\n".join(shown).encode()}
    assert kept and QUESTION.encode() in found["shown"]
    places = {place for place, content in found.items() for form in forms(KEY) if form in content}
    assert not places, places


def test_every_form_of_the_key_would_be_found() -> None:
    for written in (KEY, quote(KEY, safe=""), SLASHED, base64.b64encode(f"Bearer {KEY}".encode()).decode()):
        assert any(form in f"xx{written}xx".encode() for form in forms(KEY)), written
