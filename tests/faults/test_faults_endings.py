"""How replies end and how servers put errors: whatever the place, nothing cut is whole and no blip ends a run."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from graphs import sequential
from nodes.llm.replies.finish import FIELDS, FINISH_REASONS, State, pick_reason, state_of
from nodes.llm.replies.wire import Heard
from tests.faults.test_bounds import answering
from tests.faults.test_bounds import ask as ask_at
from tests.support.server import DROP, Events, Fault, ModelServer, Reply, Step, completion, model_server, plan
from tests.support.subjects.calls import PARTS, both_ways
from tests.support.subjects.replies import HALF, ask, chunk, script, tokens


def answered(text: str = HALF, top: dict[str, Any] | None = None, said: Any = None, **choice: Any) -> dict[str, Any]:
    """A whole reply whose first choice, message or top says more."""
    body = completion(Reply(text, finish_reason=""), text)
    body["choices"][0] |= choice
    body["choices"][0]["message"] |= said or {}
    return body | (top or {})


# Where a finish reason stands
CUT = {
    "in the choice": answered(finish_reason="length"),
    "as an object": answered(finish_reason={"reason": "length"}),
    "in a list": answered(finish_reason=["length"]),
    "in the message": answered(said={"stop_reason": "max_tokens"}),
    "at the top": answered(top={"finish_reason": "length"}),
    "as a kind of stop": answered(stop_type="limit"),
    "beside a router's word": answered(finish_reason="stop", native_finish_reason="MAX_TOKENS"),
}
STANDS = {
    "at the top": answered(top={"stop_reason": "end_turn"}),
    "as a kind of stop": answered(stop_type="eos"),
    "beside a word of the maker's": answered(finish_reason="stop", native_finish_reason="STOP_2"),
    "beside a token's number": answered(finish_reason="stop", stop_reason=128_001),
    "beside errors that are none": answered(finish_reason="stop", error={"code": 0, "message": ""}, top={"error": []}),
}
ALL_PLACES = [
    *(pytest.param(body, "partial", id=f"cut, {place}") for place, body in CUT.items()),
    *(pytest.param(body, "complete", id=f"whole, {place}") for place, body in STANDS.items()),
]


@both_ways
@pytest.mark.parametrize(("body", "outcome"), ALL_PLACES)
async def test_a_finish_reason_is_found_wherever_it_stands(
    server: ModelServer, body: dict[str, Any], outcome: str, streaming: bool
) -> None:
    last = {**body, "choices": [{**body["choices"][0], "delta": body["choices"][0]["message"], "message": None}]}
    server.on("direct", Events([last, "[DONE]"]) if streaming else Fault(body=json.dumps(body)))
    solution = await ask(server, streaming=streaming, asked=sequential)
    assert (solution["outcome"], len(server.asked)) == (outcome, 1) and solution["answer"].startswith(HALF)
    assert ("cut at the token limit" in solution["stop_reason"]) == (outcome == "partial")


@both_ways
async def test_a_reply_without_a_finish_reason_is_told_as_such(server: ModelServer, streaming: bool) -> None:
    server.on("direct", Reply(HALF, finish_reason=""))
    solution = await ask(server, streaming=streaming, asked=sequential)
    assert solution["outcome"] == "partial" and solution["answer"].startswith(HALF) and len(server.asked) == 1
    assert "without a finish reason" in solution["stop_reason"] and "`finish_reason`" in solution["stop_reason"]


# Streams that stop

STOPPED = {
    "after a piece": [chunk("Half of ")],
    "after a count": [chunk("Half of ", usage=tokens(5, 2))],
    "with a reason in every piece": [chunk("Half ", "stop"), chunk("of ", "stop")],
}


@pytest.mark.parametrize("events", STOPPED.values(), ids=STOPPED)
async def test_a_stream_that_only_stops_is_asked_for_again(server: ModelServer, events: list[Any]) -> None:
    server.on("direct", Events(events), "Told at once.")
    solution = await ask(server, streaming=True, asked=sequential)
    assert (solution["answer"], solution["outcome"], len(server.asked)) == ("Told at once.", "complete", 2)


async def test_of_a_stream_that_only_ever_stops_the_text_is_shown(server: ModelServer) -> None:
    server.on("direct", Events([chunk("Half of ")]))
    solution = await ask(server, streaming=True, asked=sequential)
    assert solution["outcome"] == "partial" and solution["answer"].startswith("Half of")
    assert f"the reply of {server.url} broke off" in solution["stop_reason"]


@pytest.mark.parametrize(("reason", "outcome"), [("stop", "complete"), ("length", "partial")])
async def test_what_breaks_off_after_the_end_was_whole(reason: str, outcome: str) -> None:
    asked: list[bool] = []

    async def break_off(http: web.Request) -> web.StreamResponse:
        asked.append((await http.json())["stream"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        for event in (chunk(HALF), chunk("", reason)):
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        assert http.transport is not None
        http.transport.close()  # without the last chunk that HTTP wants
        return response

    async with answering(break_off) as address:
        solution = await ask_at(address, streaming=True)
    assert (solution["outcome"], asked) == (outcome, [True]) and solution["answer"].startswith(HALF)


async def test_a_stream_that_is_never_closed_ends_with_its_finish_reason() -> None:
    asked: list[bool] = []

    async def stay(http: web.Request) -> web.StreamResponse:
        asked.append((await http.json())["stream"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        for event in (chunk("All of it."), chunk("", "stop"), chunk("", usage=tokens(5, 2))):
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        await asyncio.Event().wait()
        return response

    async with answering(stay) as address:
        solution = await ask_at(address, streaming=True)
    assert (solution["answer"], solution["outcome"], asked) == ("All of it.", "complete", [True])
    assert solution["report"].tokens.total == 7


@pytest.mark.parametrize(
    ("events", "outcome", "tries"),
    [
        ([chunk("All "), chunk("of it.", "stop"), "[DONE]"], "complete", 1),
        ([chunk("All "), chunk("of it."), "[DONE]"], "partial", 1),
        ([chunk("All "), chunk("of it.", "length"), "[DONE]"], "partial", 1),
        ([chunk("All "), chunk("of it.")], "partial", 4),
    ],
    ids=["whole", "no reason", "cut", "stopped"],
)
async def test_a_stream_that_nobody_asked_for_is_read(
    server: ModelServer, events: list[Any], outcome: str, tries: int
) -> None:
    body = "".join(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events)
    server.on("direct", Fault(body=body, content_type="text/event-stream"))
    solution = await ask(server, asked=sequential)
    assert (solution["outcome"], len(server.asked)) == (outcome, tries) and solution["answer"].startswith("All of it.")


def told(piece: str, whole: str, reason: str | None = None) -> dict[str, Any]:
    said = {"index": 0, "delta": {"content": piece}, "message": {"content": whole}, "finish_reason": reason}
    return {"choices": [said]}


WHOLE_STREAMS = {
    "no last event": [chunk("All "), chunk("of it."), chunk("", "stop")],
    "another last event": [chunk("All "), chunk("of it."), chunk("", "stop"), "[END]"],
    "a reason in every piece": [chunk("All ", "stop"), chunk("of it.", "stop"), "[DONE]"],
    "unspecified until the last": [chunk("All ", "FINISH_REASON_UNSPECIFIED"), chunk("of it.", "STOP"), "[DONE]"],
    "all so far beside each piece": [
        *(told("All ", "All "), told("of it.", "All of it."), told("", "All of it.", "stop")),
        "[DONE]",
    ],
    "all of it after the last": [
        *(chunk("All "), chunk("of it.")),
        {"choices": [{"message": {"content": "All of it."}, "finish_reason": "stop"}]},
        "[DONE]",
    ],
    "in messages": [
        *({"choices": [{"delta": {}, "message": {"content": piece}}]} for piece in ("All ", "of it.")),
        *(chunk("", "stop"), "[DONE]"),
    ],
}


@pytest.mark.parametrize("events", WHOLE_STREAMS.values(), ids=WHOLE_STREAMS)
async def test_a_stream_of_any_dialect_comes_whole_and_once(server: ModelServer, events: list[Any]) -> None:
    server.on("direct", Events(events))
    solution = await ask(server, streaming=True, asked=sequential)
    assert (solution["answer"], solution["outcome"], len(server.asked)) == ("All of it.", "complete", 1)


# Errors, wherever they stand

ERRORS: dict[str, dict[str, Any]] = {
    "a list of errors": {"success": False, "errors": [{"code": 10_000, "message": "slow down"}], "result": None},
    "a detail": {"detail": "slow down"},
    "a message alone": {"message": "slow down"},
    "a base": {"choices": None, "base_resp": {"status_code": 1_002, "status_msg": "slow down"}},
    "a number of its own": {"error_code": 336_501, "error_msg": "slow down"},
    "a code and words": {"code": 500, "msg": "slow down"},
    "a kind with a dot": {"code": "Throttling.RateQuota", "message": "slow down"},
    "a flag": {"error": True, "message": "slow down"},
    "a status beside its name": {"error": "Bad Gateway", "message": "slow down", "statusCode": 502},
    "beside a choice": answered() | {"error": {"code": 502, "message": "slow down"}},
}
MORE_STAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "decompose": ("decompose", {"split": "always"}),
    "join": ("join", {"review": False}),
    "baseline": ("direct", {"baseline": True}),
    "review": ("review", {}),
    "assess": ("assess", {}),
    "thread": (PARTS[0], {}),
}
BLIPS: dict[str, Step] = {
    **{name: Fault(body=json.dumps(body)) for name, body in ERRORS.items()},
    **{str(status): Fault(status=status) for status in (408, 429, 502, 529)},
    "dropped": DROP,
    "no choices": Fault(body='{"choices": []}'),
    "a web page": Fault(body="<html>Bad gateway</html>", content_type="text/html"),
}


@both_ways
@pytest.mark.parametrize("half", [0, pytest.param(1, marks=pytest.mark.full)])
@pytest.mark.parametrize("stage", MORE_STAGES)
async def test_no_blip_ends_a_stage(stage: str, half: int, streaming: bool) -> None:
    key, settings = MORE_STAGES[stage]

    async def meet(name: str, blip: Step) -> None:
        async with model_server() as server:
            script(server, "direct" if stage == "decompose" else "")
            server.on("decompose", plan(*PARTS))
            server.on(key, blip, server.script[key][0])
            solution = await ask(server, streaming=streaming, **settings)
            assert (solution["outcome"], solution["stop_reason"]) == ("complete", ""), name
            assert len(server.about(key)) == 2, name
            assert stage != "baseline" or not solution["report"].baseline.error, name

    # Each at every stage, whole or streamed.
    first = (list(MORE_STAGES).index(stage) + half + streaming) % 2
    await asyncio.gather(*(meet(name, blip) for name, blip in list(BLIPS.items())[first::2]))


MIDWAY = {name: body for name, body in ERRORS.items() if "choices" not in body}


async def test_an_error_in_the_middle_of_a_stream_is_one_however_it_is_put() -> None:
    async def meet(name: str, error: dict[str, Any]) -> None:
        async with model_server() as server:
            server.on("direct", Events([chunk("Half of "), error, "[DONE]"]), "Told at once.")
            solution = await ask(server, streaming=True, asked=sequential)
            assert (solution["answer"], solution["outcome"], len(server.asked)) == ("Told at once.", "complete", 2), (
                name
            )

    await asyncio.gather(*(meet(name, error) for name, error in MIDWAY.items()))


async def test_an_error_that_stays_is_told_in_the_servers_words() -> None:
    async def meet(name: str, error: dict[str, Any]) -> None:
        async with model_server() as server:
            server.on("direct", Fault(body=json.dumps(error)))
            solution = await ask(server, asked=sequential, request_timeout=3)
            outcome = "partial" if error.get("choices") else "failed"  # what it had said is kept
            assert solution["outcome"] == outcome and "slow down" in solution["stop_reason"], name
            assert "base_url" not in solution["stop_reason"], name

    await asyncio.gather(*(meet(name, error) for name, error in ERRORS.items()))


# Any dialect

WORDS = [(state, word) for state, words in FINISH_REASONS.items() for word in words]
FAULTS: list[tuple[State, str]] = [(state, word) for state, word in WORDS if state not in ("whole", "unknown")]
SPELLINGS = st.sampled_from([str, str.upper, str.title, lambda word: f"FinishReason.{word.upper()}", lambda w: w * 2])


@given(
    fault=st.sampled_from(FAULTS),
    spelling=SPELLINGS,
    field=st.sampled_from(FIELDS),
    place=st.sampled_from(["choice", "delta", "top"]),
    others=st.lists(st.sampled_from(["stop", "", "null", None, "unspecified", 7]), max_size=4),
    at=st.integers(0, 4),
)
def test_a_reason_that_tells_of_a_fault_is_never_lost(
    fault: tuple[State, str], spelling: Any, field: str, place: str, others: list[Any], at: int
) -> None:
    """In any chunk, in any field of any place, beside whatever the other chunks say."""
    state, word = fault
    heard = Heard()
    said = {field: spelling(word)}
    events = [chunk("a", other) for other in others]
    faulty: dict[str, Any] = chunk("a")
    target = {"choice": faulty["choices"][0], "delta": faulty["choices"][0]["delta"], "top": faulty}[place]
    target |= said
    for event in [*events[:at], faulty, *events[at:]]:
        heard.take(event)
    assert state_of(heard.finish_reason) == state and heard.text == "a" * (len(others) + 1)


@given(st.lists(st.sampled_from(["", "null", "FINISH_REASON_UNSPECIFIED", "in_progress"])), st.sampled_from(WORDS))
def test_what_was_said_before_the_end_takes_nothing_from_what_is_whole(
    before: list[str], last: tuple[State, str]
) -> None:
    assert state_of(pick_reason([*before, last[1]])) == last[0]
