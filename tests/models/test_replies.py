"""What a reply is, in every dialect: its counts, its pieces, its characters; no single fault ends a run."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import sequential
from nodes.llm.replies.wire import LARGEST_COUNT, Heard, count
from nodes.shared.cleaning import storable
from tests.support.server import Events, Fault, ModelServer, Reply, Step, completion, model_server, review
from tests.support.subjects.calls import PARTS, both_ways, in_turns
from tests.support.subjects.replies import ask, chunk, script, tokens


@pytest.mark.parametrize("model", ["openai:x", "deepseek:x"])
async def test_usage_in_every_chunk_is_counted_once(server: ModelServer, model: str) -> None:
    counted = [chunk(word, usage=tokens(500, number)) for number, word in enumerate(["It ", "is ", "so."], 1)]
    server.on("direct", Events([*counted, chunk("", "stop", usage=tokens(500, 50)), "[DONE]"]))
    solution = await ask(server, streaming=True, asked=sequential, model=model)
    used = solution["report"].tokens
    assert (solution["answer"], solution["outcome"]) == ("It is so.", "complete")
    assert (used.input, used.output, used.total) == (500, 50, 550)


@both_ways
@pytest.mark.parametrize(
    ("wild", "counted"),
    [(-5, 0), (2.9, 2), (2**70, LARGEST_COUNT), (1e300, LARGEST_COUNT), ("12", 0), (None, 0), (True, 0), ([1], 0)],
)
async def test_counts_that_are_none_are_kept_out(server: ModelServer, wild: Any, counted: int, streaming: bool) -> None:
    body = json.dumps(completion(Reply("Yes."), "Yes.") | {"usage": tokens(wild, 5)})
    server.on("direct", Fault(body=body))  # a whole reply, streaming asked for or not
    solution = await ask(server, streaming=streaming, asked=sequential)
    assert solution["outcome"] == "complete" and solution["report"].tokens.input == counted


@given(st.one_of(st.integers(), st.floats(), st.none(), st.text(), st.booleans()))
def test_every_count_can_be_stored(value: Any) -> None:
    assert 0 <= count(value) <= LARGEST_COUNT and type(count(value)) is int


# Streams


BLIPS = {
    "429 inside": {"error": {"message": "slow down", "code": 429}},
    "a code in words": {"error": {"message": "slow down", "code": "rate_limit_exceeded"}},
    "a status in words": {"error": {"message": "slow down", "status": "RESOURCE_EXHAUSTED"}},
    "a type in words": {"error": {"message": "busy", "type": "overloaded_error"}},
    "502 inside": {"error": {"message": "bad gateway", "code": 502}},
    "503 inside": {"error": {"message": "unavailable", "code": "503"}},
    "in a list": [{"error": {"message": "slow down", "code": 429, "status": "RESOURCE_EXHAUSTED"}}],
    "no code": {"error": {"message": "out of memory"}},
    "an error of text": {"error": "out of memory"},
    "bare": {"object": "error", "message": "engine died", "code": 50001},
    "an error in the choice": {"choices": [{"error": {"code": 502, "message": "upstream"}, "finish_reason": "error"}]},
    "null choices": {"choices": None},
    "no choices": {"choices": []},
    "no field of choices": {"id": "1"},
    "finish error": completion(Reply("Half", finish_reason="error"), "Half"),
}
KEYS = {"assess": "assess", "solve": PARTS[1], "review": "review", "direct": "direct"}
PAGE = Fault(body="<html><body>Bad gateway</body></html>", content_type="text/html")


@in_turns(
    "blip",
    {
        **{name: Fault(body=json.dumps(body)) for name, body in BLIPS.items()},
        **{f"{status}": Fault(status=status) for status in (429, 500, 502, 503, 504, 529)},
        "a web page": PAGE,
    },
)
async def test_one_blip_ends_no_run_at_any_stage(blip: Step, streaming: bool) -> None:
    async def meet(stage: str) -> None:
        async with model_server() as server:
            script(server, "direct" if stage == "direct" else "")
            sound = server.script[KEYS[stage]][0]
            server.on(KEYS[stage], blip, sound)
            solution = await ask(server, streaming=streaming)
            assert (solution["outcome"], solution["stop_reason"]) == ("complete", ""), stage
            assert len(server.about(KEYS[stage])) == solution["report"].retries + 1 == 2, stage

    await asyncio.gather(*map(meet, KEYS))


async def test_an_error_that_stays_is_told_by_its_own_words(server: ModelServer) -> None:
    server.on("direct", Fault(body=json.dumps(BLIPS["no code"])))
    solution = await ask(server, asked=sequential)
    assert solution["outcome"] == "failed" and "out of memory" in solution["stop_reason"]
    assert "base_url" not in solution["stop_reason"] and len(server.asked) == 4


MIDWAY = {
    "an error object": [chunk("Half of "), {"error": {"message": "gone", "code": 502}}],
    "an error in a choice": [chunk("Half of "), {"choices": [{"error": {"code": 502}, "finish_reason": "error"}]}],
    "finish error": [chunk("Half of "), chunk("", "error"), "[DONE]"],
    "openrouter": [
        chunk("Half of "),
        chunk("", "error", error={"code": "server_error", "message": "Provider disconnected"}, provider="any"),
        "[DONE]",
    ],
    "no JSON": [chunk("Half of "), "{not json"],
}


@pytest.mark.parametrize("events", MIDWAY.values(), ids=MIDWAY)
async def test_a_stream_that_fails_midway_is_asked_for_again(server: ModelServer, events: list[Any]) -> None:
    server.on("direct", Events(events), "Told at once.")
    solution = await ask(server, streaming=True, asked=sequential)
    assert (solution["answer"], solution["outcome"], len(server.asked)) == ("Told at once.", "complete", 2)


@pytest.mark.parametrize("events", MIDWAY.values(), ids=MIDWAY)
async def test_of_a_stream_that_always_fails_midway_the_text_is_shown(server: ModelServer, events: list[Any]) -> None:
    server.on("direct", Events(events))
    solution = await ask(server, streaming=True, asked=sequential)
    assert solution["outcome"] == "partial" and solution["answer"].startswith("Half of")
    assert solution["stop_reason"]


async def test_events_that_say_nothing_are_passed_over(server: ModelServer) -> None:
    nothing = ["null", "1", '""', {}, {"choices": None}, {"choices": [{"delta": None}]}, {"choices": []}]
    told = [chunk("Told "), *nothing, chunk("at once."), chunk("", "stop", usage=tokens(3, 2)), "[DONE]"]
    server.on("direct", Events([*nothing, *told]))
    solution = await ask(server, streaming=True, asked=sequential)
    assert (solution["answer"], solution["outcome"], len(server.asked)) == ("Told at once.", "complete", 1)


async def test_a_server_that_refuses_to_count_streams_all_the_same(server: ModelServer) -> None:
    server.refuses = {"stream_options"}
    server.on("direct", "Told at once.")
    solution = await ask(server, streaming=True, asked=sequential)
    assert (solution["answer"], solution["outcome"]) == ("Told at once.", "complete")


async def test_text_arrives_while_it_is_written(server: ModelServer) -> None:
    server.on("direct", "One two three.")
    context = {"model": "openai:scripted", "base_url": server.url}
    words = [
        message.text
        async for message, _ in sequential.astream({"question": "?"}, context=context, stream_mode="messages")
        if message.text
    ]
    assert words == ["One ", "two ", "three."] and server.asked[0].body["stream"] is True
    assert server.asked[0].body["stream_options"] == {"include_usage": True}


# Halves of characters

BROKEN = "a\ud83d b\0c \ud83d\ude00"
MENDED = "a\ufffd bc \U0001f600"


@both_ways
@pytest.mark.parametrize("model", ["openai:x", "deepseek:x"])
async def test_what_no_store_can_hold_is_mended(server: ModelServer, model: str, streaming: bool) -> None:
    script(server)
    server.on(PARTS[0], Reply(f"Result: {BROKEN}", reasoning=BROKEN))
    server.on("review", review(BROKEN))
    solution = await ask(server, streaming=streaming, model=model)
    assert (solution["threads"][0].answer, solution["answer"]) == (MENDED, MENDED)
    assert solution["threads"][0].reasoning == MENDED
    server.on("direct", Fault(status=400, body=json.dumps({"error": {"message": BROKEN}})))
    failed = await ask(server, streaming=streaming, model=model, asked=sequential)
    for kept in (solution, failed):
        written = "".join(map(str, kept.values()))
        assert "\0" not in written and written.encode()


async def test_a_character_in_two_chunks_arrives_whole(server: ModelServer) -> None:
    server.on("direct", Events([chunk("a\ud83d"), chunk("\ude00b"), chunk("", "stop"), "[DONE]"]))
    context = {"model": "openai:scripted", "base_url": server.url}
    words = [
        message.text
        async for message, _ in sequential.astream({"question": "?"}, context=context, stream_mode="messages")
        if message.text
    ]
    assert words == ["a", "\U0001f600b"]


# Random dialects

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud83d"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NAMES = "choices error usage model message delta content text tool_calls function arguments finish_reason index id code"
WILD = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=4),
    max_leaves=12,
)
CHOICES = st.fixed_dictionaries(
    {"choices": st.lists(st.dictionaries(st.sampled_from(NAMES.split()), WILD, max_size=4))}
)


@given(st.lists(st.one_of(WILD, CHOICES), max_size=4))
def test_no_dialect_breaks_the_reader(events: list[Any]) -> None:
    heard = Heard()
    for event in events:
        heard.take(event)
    told = [heard.text, heard.reasoning, heard.refusal, heard.finish_reason, heard.model, *heard.tools]
    "".join(told).encode()
    assert heard.usage is None or heard.usage["total_tokens"] >= 0


@given(st.text(), st.lists(st.integers(0, 60), max_size=6), st.lists(WILD, max_size=2), st.booleans())
def test_whatever_else_a_server_sends_the_text_comes_whole(
    text: str, cuts: list[int], noise: list[Any], thinks: bool
) -> None:
    """Cut anywhere, even in the middle of a character that JSON writes as two."""
    units = text.encode("utf-16-le", "surrogatepass")
    places = sorted({0, len(units), *(2 * cut for cut in cuts if 2 * cut < len(units))})
    parts = [
        units[a:b].decode("utf-16-le", "surrogatepass") for a, b in zip(places, places[1:] or places, strict=False)
    ]
    heard, said = Heard(), ""
    for event in [event for event in noise if not isinstance(event, dict | list)]:
        heard.take(event)
    for part in parts:
        said += heard.take({"choices": [{"delta": {"content": part, "reasoning": part if thinks else None}}]}).text
    heard.take({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    whole = storable(text)
    assert heard.text == said == whole and heard.finish_reason == "stop"
