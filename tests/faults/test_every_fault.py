"""Every fault at every stage: the run ends, says what went wrong, keeps what finished and counts what was used.

And the key stands nowhere afterwards: servers that fail repeat the header that they were sent.
"""

import asyncio
import email.utils
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.kept import KEY, Kept, keeping, said_in
from tests.support.server import (
    DROP,
    STALL,
    WORDS,
    Fault,
    ModelServer,
    Reply,
    Step,
    Storm,
    model_server,
    outline,
    plan,
    review,
)

QUESTION = "Tell me all."
PARTS = ["What is one?", "What is two?", "What is three?"]
KEYS = {"assess": "assess", "decompose": "decompose", "solve": PARTS[1], "review": "review", "direct": "direct"}
SOUND: dict[str, Any] = {
    "assess": outline(*PARTS),
    "decompose": plan(*PARTS),
    "solve": f"Result: answer to {PARTS[1]}",
    "review": review("All of it."),
    "direct": "Told at once.",
}
NO_PARTS = outline()
MEGABYTES = "x" * 2_000_000
HUGE: dict[str, Step] = {
    # A line of so many segments, none of which is there, and one of so many blanks.
    "assess": outline(*PARTS, "99 " * 600_000),
    "decompose": plan(*PARTS, f"99{' ' * 2_000_000}99"),
    "solve": f"{MEGABYTES}\n{SOUND['solve']}",
    "review": SOUND["review"] | {"answer": f"All of it.{MEGABYTES}"},
    "direct": f"Told at once.{MEGABYTES}",
}
STRUCTURED = ("assess", "decompose", "review")


def status(number: int, said: str = "scripted", wait: str | None = "0", **more: str) -> Fault:
    error = json.dumps({"error": {"message": f"{said} (Authorization: Bearer {KEY})", "type": KEY, **more}})
    return Fault(number, error, {"X-Sent": KEY} | ({} if wait is None else {"Retry-After": wait}))


def until_a_date(_: str) -> Step:
    return status(429, wait=email.utils.formatdate(time.time() + 1, usegmt=True))


BROKEN, MISFIT = '{"parts": {"1": ', {"parts": 1, "redo": 2}
CUT = Reply("I think, therefore", finish_reason="length")
TOO_LONG = "This model's maximum context length is 4096 tokens."
NO_QUOTA = status(429, "You exceeded your current quota.", code="insufficient_quota")

# What the run comes to, by the stage that meets the fault.
UNHARMED = dict.fromkeys(KEYS, "complete")
PASSED_OVER = {**UNHARMED, "solve": "partial", "review": "partial", "direct": "failed"}
DEAD_MODEL = {**PASSED_OVER, "assess": "failed", "decompose": "failed"}
SOME = {stage: PASSED_OVER[stage] for stage in ("decompose", "solve")}
UNUSABLE = {stage: PASSED_OVER[stage] for stage in STRUCTURED}


class Case(NamedTuple):
    """What a stage's requests get, what the run comes to, and what it says about it."""

    name: str
    fault: Step | Callable[[str], Step]
    outcomes: Mapping[str, str]
    said: str
    streamed: tuple[bool, ...] = (False,)
    settings: Mapping[str, Any] = {}


BOTH, STREAMED = (False, True), (True,)
LIMITS = {"request_timeout": 3, "thread_timeout": 3}
LASTING = [
    Case("429 for an hour", status(429, wait="3600"), DEAD_MODEL, "HTTP 429", settings=LIMITS),
    Case("429 for ever", status(429, wait=None), SOME, "HTTP 429", settings=LIMITS),
    Case("no quota", NO_QUOTA, DEAD_MODEL, "You exceeded your current quota."),
    Case("500", status(500), PASSED_OVER, "HTTP 500", settings=LIMITS),
    Case("401", status(401), DEAD_MODEL, "set a valid key"),
    Case("too long", status(400, TOO_LONG), PASSED_OVER, "does not fit the context window"),
    Case("no protocol", Fault(body=f'{{"id": "{KEY}", '), DEAD_MODEL, "`base_url`", BOTH),
    Case("stalled", STALL, {**PASSED_OVER, "direct": "partial"}, "gave no answer within 3 s", STREAMED, LIMITS),
    Case("empty", "", PASSED_OVER, "reply was empty", STREAMED),
    Case("cut", CUT, {**PASSED_OVER, "direct": "partial"}, "cut at the token limit", BOTH),
    Case("broken JSON", BROKEN, UNUSABLE, "no usable", BOTH),
    Case("misfit", MISFIT, UNUSABLE, "no usable", BOTH),
    Case("2 MB of nothing", MEGABYTES, UNUSABLE, "no usable", BOTH),
    Case("2 MB", HUGE.__getitem__, UNHARMED, "", BOTH),
]


@pytest.fixture(autouse=True)
async def kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Kept]:
    """Where every run of a test leaves what it leaves, which is searched for the key in the end."""
    for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("APR_STORE", str(tmp_path / "runs.sqlite"))
    monkeypatch.setenv("APR_CACHE_FILE", str(tmp_path / "threads.sqlite"))
    caplog.set_level(logging.DEBUG)
    async with keeping(tmp_path) as kept:
        yield kept
        searched = await kept.without(KEY, said_in(caplog.records))
        for place in ("what was shown", "the traces", f"rows of {tmp_path / 'runs.sqlite'}"):
            assert QUESTION.encode() in searched[place], place


async def ask(kept: Kept, context: dict[str, Any], *, streaming: bool = False) -> dict[str, Any]:
    solution = await kept.run(QUESTION, context, streaming=streaming)
    assert isinstance(solution, dict)
    return solution


async def run_into(
    kept: Kept, server: ModelServer, stage: str, *steps: Step, streaming: bool, **settings: Any
) -> dict[str, Any]:
    """Run a question of three parts whose stage gets `steps`; as `direct`, one without parts."""
    context = {"model": "openai:scripted", "base_url": server.url, "max_rounds": 0, **settings}
    context |= script(server, stage)
    server.on(KEYS[stage], *steps)
    solution = await ask(kept, context, streaming=streaming)
    assert solution["report"].calls == len(server.asked)
    return solution


def script(server: ModelServer, stage: str) -> dict[str, Any]:
    """Script sound replies on the way to a stage; returns the settings without which it is not reached."""
    for key, sound in SOUND.items():
        server.on(KEYS[key], sound)
    if stage in ("decompose", "direct"):
        server.on("assess", NO_PARTS)
    # A plan is asked for where the outline has no parts and a split is wanted all the same.
    return {"split": "always"} if stage == "decompose" else {}


async def check(server: ModelServer, stage: str, outcome: str, said: str, *solutions: dict[str, Any]) -> None:
    """Check what holds whatever went wrong, for the only runs that a server had."""
    async with asyncio.timeout(5):
        await server.wait_until_idle()
    for name in ("input", "output", "reasoning"):
        assert sum(solution["report"].tokens[name] for solution in solutions) == server.usage[name]
    for solution in solutions:
        answer, reason, threads = solution["answer"], solution["stop_reason"], solution["threads"]
        told = "\n".join([reason, *map(str, solution["report"].repairs), *(thread.error for thread in threads)])
        assert (solution["outcome"], bool(reason)) == (outcome, outcome != "complete"), f"{stage}: {told}"
        assert said in told and "Traceback" not in told
        standing = {thread.subquestion: thread.answer for thread in threads if thread.status == "answered"}
        spoilt = PARTS[1] if stage == "solve" and outcome != "complete" else ""
        finished = [part for part in PARTS if threads and server.about(part) and part != spoilt]
        assert standing == {part: f"answer to {part}" for part in finished}
        if outcome == "partial" and "unreviewed" in reason:
            assert answer == "\n\n".join(f"{part}\n{result}" for part, result in standing.items()) and said in reason
        else:
            begun = WORDS.strip() if said.startswith("gave no answer") else CUT.text
            cut = begun if outcome == "partial" else "Told at once."
            written = "" if outcome == "failed" else "All of it." if threads else cut
            # What is too large is made so by a tail of `x`.
            assert answer.rstrip("x") == written, f"{stage}: {answer[:200]}"
            assert outcome != "partial" or said in reason


@pytest.mark.at_most(2)
@pytest.mark.parametrize(
    ("fault", "stages"),
    [
        pytest.param(status(429, wait=None), KEYS, id="429"),
        pytest.param(status(429, wait="1"), KEYS, id="429 for a second"),
        pytest.param(until_a_date, KEYS, id="429 until a date"),
        pytest.param(status(500, wait=None), KEYS, id="500"),
        pytest.param(DROP, KEYS, id="dropped half-way"),
        pytest.param("", KEYS, id="empty"),
        pytest.param(BROKEN, STRUCTURED, id="broken JSON"),
        pytest.param(MISFIT, STRUCTURED, id="misfit"),
    ],
)
async def test_what_passes_costs_one_more_request_at_whatever_stage(kept: Kept, fault: Any, stages: Any) -> None:
    async def meet(stage: str) -> None:
        async with model_server() as server:
            step = fault(stage) if callable(fault) else fault
            solution = await run_into(kept, server, stage, step, SOUND[stage], streaming=True)
            assert (len(server.about(KEYS[stage])), solution["report"].retries) == (2, 1), stage
            await check(server, stage, "complete", "", solution)

    await asyncio.gather(*map(meet, stages))


@pytest.mark.at_most(6)
@pytest.mark.filterwarnings("ignore:Sending a large body")
@pytest.mark.parametrize(
    ("stage", "case", "streaming"),
    [
        pytest.param(
            *(stage, case, streaming),
            id=f"{stage}-{case.name}-{'streamed' if streaming else 'whole'}",
            # What is tried both ways is so in turns: each stage meets it whole, the next one streamed. What is tried in
            # one way meets every second stage.
            marks=pytest.mark.full if (number + turn + (streaming and case.streamed == BOTH)) % 2 else [],
        )
        for turn, case in enumerate(LASTING)
        for number, stage in enumerate(case.outcomes)
        for streaming in case.streamed
    ],
)
async def test_what_lasts_costs_its_stage_and_no_more(
    kept: Kept, server: ModelServer, stage: str, case: Case, streaming: bool
) -> None:
    step = case.fault(stage) if callable(case.fault) else case.fault
    solution = await run_into(kept, server, stage, step, streaming=streaming, **case.settings)
    await check(server, stage, case.outcomes[stage], case.said, solution)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where connections are refused: its port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


# The threads and the direct call ask the same model, so that without it there is no answer.
@pytest.mark.parametrize(("stage", "outcome"), {**UNUSABLE, "solve": "failed"}.items())
async def test_a_server_that_is_gone_costs_its_role(
    kept: Kept, server: ModelServer, monkeypatch: pytest.MonkeyPatch, nobody: str, stage: str, outcome: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("DEEPSEEK_BASE_URL", nobody)
    settings = {"model": "openai:scripted", f"{stage}_model": "deepseek:gone", "max_rounds": 0}
    solution = await ask(kept, {**settings, **LIMITS, **script(server, stage)})
    await check(server, stage, outcome, f"cannot reach {nobody}", solution)


async def test_a_storm_of_refusals_at_every_stage_at_once_loses_no_run(
    kept: Kept, server: ModelServer, context: dict[str, Any]
) -> None:
    storm = Storm(status(429, wait=None), until=time.perf_counter() + 5)
    # Without a cache: the runs are equal, and would ask each thread once between them.
    # Each of five runs meets it at another stage: one each is held up assessing, planning and solving.
    server.on("assess", *[NO_PARTS] * 4, storm, NO_PARTS)
    server.on("decompose", plan(), *[SOUND["decompose"]] * 2, storm, SOUND["decompose"])
    server.on(PARTS[1], SOUND["solve"], storm, SOUND["solve"])
    server.on("review", storm, SOUND["review"]).on("direct", storm, SOUND["direct"])
    solutions = await asyncio.gather(*(ask(kept, {**context, "split": "always", "cache": False}) for _ in range(5)))
    calm = {"assess": 5, "decompose": 5, "solve": 4, "review": 4, "direct": 1}
    assert all(len(server.about(KEYS[stage])) > count for stage, count in calm.items())
    await check(server, "none", "complete", "", *solutions)
