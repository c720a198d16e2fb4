"""When a question with independent parts is split: the forecast, and the settings that overrule it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import graph
from nodes.llm.endpoints.pace import MIN_CALLS_SEEN, Pace, Stage
from nodes.llm.endpoints.usage import Call, Usage
from nodes.planning.forecast import forecast
from nodes.state import Solution
from prompts import PROMPTS
from tests.support.server import Fault, ModelServer, Reply, outline, plan, review

PARTS = ["What is one?", "What is two?"]


def call(stage: str, output: int, seconds: float, *, read: int = 0, thread: str | None = None) -> Call:
    usage = Usage(input=read, output=output, total=read + output)
    role = "solve" if stage == "direct" else stage
    return Call(run_id="r", role=role, thread_id=thread, usage=usage, latency_s=seconds, status="ok")


def pace(*, threads: int = 200, reviews: int = 100, slower: float = 1.0, reading: float = 0.0) -> Pace:
    """An endpoint that writes 100 tokens a second, `slower` where threads run side by side."""
    seen = Pace()
    for more in range(MIN_CALLS_SEEN):
        seen.see(call("review", reviews, reviews / 100 + reading * 1000 * more, read=1000 * more))
        read = 1000 * more
        seen.see(call("solve", threads, slower * threads / 100 + reading * read, read=read, thread="T1"))
    return seen


def weigh(seen: Pace, parts: int = 4, tokens: int = 0, at_once: int = 8, **more: Any) -> Any:
    given: dict[str, Any] = {"window": None} | more
    return forecast(parts=parts, tokens=tokens, at_once=at_once, solving=seen, reviewing=seen, **given)


def test_a_split_is_weighed_by_what_was_seen() -> None:
    ahead = weigh(pace())
    assert (ahead.threads, ahead.split_s, ahead.single_s, ahead.pays) == (4, 3.0, 8.0, True)
    assert "splitting into 4 threads may save time: 3.0 s are forecast, 8.0 s in one call" in str(ahead)


@pytest.mark.parametrize(
    ("seen", "more", "pays"),
    [
        (pace(), {"parts": 2}, True),
        (pace(reviews=301), {"parts": 2}, False),
        (pace(threads=20, reviews=50), {"parts": 2}, True),
        (pace(slower=3.1), {"parts": 2}, False),
        (pace(), {"at_once": 2}, True),
        (pace(reviews=150), {"at_once": 1, "parts": 2}, False),
        (pace(threads=20, reviews=200), {"parts": 4}, False),
        (pace(threads=20, reviews=200, reading=0.001), {"parts": 4, "tokens": 10_000}, True),
    ],
    ids=[
        "even",
        "long reviews",
        "less than a second",
        "slow threads",
        "two waves",
        "one at a time",
        "short parts",
        "short parts, much to read",
    ],
)
def test_what_cannot_save_time_does_not_pay(seen: Pace, more: dict[str, Any], pays: bool) -> None:
    assert weigh(seen, **more).pays is pays


def test_where_the_results_are_the_answer_the_review_is_taken_at_its_shortest() -> None:
    seen = pace()
    seen.see(call("review", 10, 0.1))
    written, listed = weigh(seen, parts=2), weigh(seen, parts=2, joins=False)
    assert listed.split_s == 2.1 and 2.1 < written.split_s < 3.0 and listed.single_s == written.single_s


def test_usual_lengths_stand_for_what_was_not_seen_and_the_forecast_says_so() -> None:
    seen = Pace(stages={"solve": Stage(output=200, usual=True), "review": Stage(output=100, usual=True)})
    seen.see(call("assess", 100, 1.0))
    assert weigh(seen) is not None and "the usual length of replies" in str(weigh(seen))
    for _ in range(MIN_CALLS_SEEN):
        seen.see(call("solve", 20, 0.2, thread="T1"))
        seen.see(call("review", 10, 0.1))
    assert (weigh(seen).split_s, weigh(seen).single_s) == (0.3, 0.8) and "usual" not in str(weigh(seen))


@pytest.mark.parametrize(("slower", "pays"), [(7.0, True), (9.0, False)])
def test_a_split_is_not_passed_over_on_a_small_difference_while_lengths_are_only_usual(
    slower: float, pays: bool
) -> None:
    seen = Pace(stages={"solve": Stage(output=200, usual=True), "review": Stage(output=100, usual=True)})
    seen.see(call("assess", 100, 1.0))
    seen.see(call("solve", 200, slower * 2, thread="T1"))
    seen.stages["solve"] = Stage(output=200, usual=True)
    assert weigh(seen, joins=False).pays is pays
    for _ in range(MIN_CALLS_SEEN):
        seen.see(call("solve", 200, slower * 2, thread="T1"))
        seen.see(call("review", 100, 1.0))
    assert not weigh(seen, joins=False).pays


def test_nothing_is_forecast_while_too_little_was_seen_or_one_call_cannot_hold_it() -> None:
    assert weigh(Pace()) is None
    assert weigh(pace(), tokens=1_000, window=1_700) is None
    assert weigh(pace(), tokens=1_000, window=1_900) is not None


@given(st.lists(st.tuples(st.integers(0, 9_999), st.integers(0, 9_999), st.floats(0, 999)), max_size=9))
def test_no_history_breaks_a_forecast(history: list[tuple[int, int, float]]) -> None:
    seen = Pace()
    for read, written, seconds in history:
        for stage, thread in (("solve", "T1"), ("review", None)):
            seen.see(call(stage, written, seconds, read=read, thread=thread))
    ahead = weigh(seen, tokens=500)
    assert (ahead is None) == (len(history) < MIN_CALLS_SEEN)
    assert ahead is None or (ahead.split_s >= 0 and ahead.single_s >= 0)


@given(st.floats(1e-4, 0.1), st.floats(1e-3, 1.0), st.lists(st.integers(1, 500), min_size=3, max_size=20, unique=True))
def test_the_rates_of_a_steady_server_are_found(reading: float, writing: float, sizes: list[int]) -> None:
    seen = Pace()
    for place, size in enumerate(sizes):
        written = sizes[-1 - place] + place
        seen.see(call("assess", written, reading * size + writing * written, read=size))
    told = seen.seconds(read=100, written=100)
    assert told == pytest.approx(100 * (reading + writing), rel=0.05) or told == pytest.approx(
        100 * seen.alone.ws / seen.alone.ww
    )


async def run(context: dict[str, Any], **more: Any) -> Solution:
    return Solution.model_validate(await graph.ainvoke({"question": "One and two?"}, context=context | more))


def scripted(server: ModelServer, *, thread: int, rest: int) -> None:
    found = Reply(json_of(outline(*PARTS)))
    server.on("assess", found)
    said = json_of(review("Both."))
    server.on("review", Reply(said, completion_tokens=rest, delay=rest / 1000))
    for part in PARTS:
        server.on(part, Reply("Result: it", completion_tokens=thread, delay=thread / 1000))


def json_of(value: dict[str, Any]) -> str:
    return json.dumps(value)


async def test_a_split_that_was_seen_not_to_save_is_not_made_and_the_reason_is_said(
    server: ModelServer, context: dict[str, Any]
) -> None:
    scripted(server, thread=10, rest=1_300)
    first, second, third = [await run(context) for _ in range(3)]
    assert [solution.route for solution in (first, second, third)] == ["parallel", "parallel", "direct"]
    assert first.report.forecast is None and third.assessment and third.assessment.decomposable
    ahead = third.report.forecast
    assert ahead and not ahead.pays and ahead.threads == 2 and "cannot save time" in str(ahead)
    assert third.outcome == "complete" and third.report.calls == 2
    assessed = third.calls[0].started_s + third.calls[0].latency_s
    assert ahead.came_s == pytest.approx(third.report.wall_s - assessed, abs=0.002)
    assert f"; the answer took {ahead.came_s:.1f} s" in str(ahead)
    overruled = await run(context, split="if_independent")
    assert overruled.route == "parallel" and overruled.report.forecast and not overruled.report.forecast.pays


async def test_a_split_that_was_seen_to_save_is_made(server: ModelServer, context: dict[str, Any]) -> None:
    scripted(server, thread=200, rest=10)
    last = [await run(context) for _ in range(3)][-1]
    assert last.route == "parallel" and last.report.forecast and last.report.forecast.pays
    assert (last.report.forecast.came_s or 0) > 0.2


async def test_why_a_question_with_parts_is_not_split_is_told_while_it_is_answered(
    server: ModelServer, context: dict[str, Any]
) -> None:
    scripted(server, thread=10, rest=1_300)
    told = [
        [event async for event in graph.astream({"question": "One?"}, context=context, stream_mode="custom")]
        for _ in range(3)
    ]
    assert [event for run in told[:2] for event in run if "why" in event] == []
    assert [event["stage"] for event in told[2]] == ["assess", "direct"]
    assert told[2][1]["why"].startswith("splitting into 2 threads cannot save time: ")


async def test_a_run_that_fails_has_no_time_to_its_answer(server: ModelServer, context: dict[str, Any]) -> None:
    scripted(server, thread=10, rest=1_300)
    server.on("direct", Fault(status=400))
    third = [await run(context) for _ in range(3)][-1]
    assert third.outcome == "failed" and third.report.forecast and third.report.forecast.came_s is None


async def test_every_question_is_split_without_asking_where_that_is_wanted(
    server: ModelServer, context: dict[str, Any]
) -> None:
    scripted(server, thread=5, rest=5)
    server.on("assess", outline(PARTS[0])).on("decompose", plan(*PARTS))
    solution = await run(context, split="always")
    assert solution.route == "parallel" and solution.assessment and not solution.assessment.decomposable
    assert len(server.calls("decompose")) == 1
    server.on("assess", outline(*PARTS))
    assert (await run(context, split="always")).route == "parallel" and len(server.calls("decompose")) == 1


@pytest.mark.parametrize(
    ("problem", "prompt"),
    [
        ({"question": "Who built it, and where was he born?"}, "assess"),
        ({"question": "What is one? What is two?"}, "assess_list"),
        ({"question": "什么是一?\n- 一\n- 二"}, "assess_list"),
        ({"question": "Review this.", "documents": [{"id": "a.py", "text": "x = 1"}]}, "assess_list"),
        ({"question": "And who is older?", "documents": [{"id": "t", "text": "Ann.", "kind": "turn"}]}, "assess"),
    ],
    ids=["a paragraph", "two questions", "a list", "a document", "an earlier turn"],
)
async def test_a_request_in_several_pieces_is_outlined_with_fewer_examples(
    server: ModelServer, context: dict[str, Any], problem: dict[str, Any], prompt: str
) -> None:
    await graph.ainvoke(problem, context=context)
    (asked,) = server.calls("assess")
    assert len(asked.body["messages"]) == 2 + 2 * len(PROMPTS[prompt].standard.examples)
    assert asked.body["messages"][0]["content"] == PROMPTS[prompt].standard.system


async def test_a_chain_is_not_split_whatever_the_model_says(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline("Who built it?", "Where was #1 born?"))
    solution = await run(context)
    assert solution.route == "direct" and solution.assessment and not solution.assessment.decomposable


async def test_every_thread_reads_everything_where_that_is_wanted(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline("1 3", "2 4"))
    documents = [{"id": "d", "text": "secret word"}, {"id": "e", "text": "nothing here"}]
    problem = {"question": "What is one? What is two?", "documents": documents}
    for scoped in (True, False):
        solution = Solution.model_validate(await graph.ainvoke(problem, context=context | {"scoped": scoped}))
        assert solution.plan and [thread.sources for thread in solution.plan.threads] == (
            [[1, 3], [2, 4]] if scoped else [[1, 2, 3, 4]] * 2
        )
        seeing = ["secret word" in asked.last for asked in server.calls("solve")[-2:]]
        assert sorted(seeing) == ([False, True] if scoped else [True, True])


async def test_results_are_joined_as_they_stand_where_no_review_is_wanted(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", outline(*PARTS)).on("join", "One and two.")
    solution = await run(context, review="off")
    assert solution.outcome == "complete" and solution.answer == "One and two." and solution.reviews == []
    assert not server.calls("review") and "answer to What is one?" in server.calls("join")[0].last


async def test_a_join_that_fails_loses_no_result(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline(*PARTS)).on("join", Fault(status=400))
    solution = await run(context, review="off")
    assert solution.outcome == "partial" and "joining them failed" in solution.stop_reason
    assert all(f"answer to {part}" in solution.answer for part in PARTS)


async def test_a_failed_thread_runs_again_without_a_review_too(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline(*PARTS)).on("join", "One and two.")
    server.on(PARTS[0], Fault(status=400), "Result: one")
    solution = await run(context, review="off")
    assert (solution.outcome, solution.report.rounds) == ("complete", 1) and len(server.about(PARTS[1])) == 1


async def test_the_version_that_a_setting_names_is_the_one_that_is_asked(
    server: ModelServer, context: dict[str, Any]
) -> None:
    for version, prompt in PROMPTS["assess"].versions.items():
        await run(context, prompts=f"assess@{version}")
        assert server.calls("assess")[-1].body["messages"][0]["content"] == prompt.system
