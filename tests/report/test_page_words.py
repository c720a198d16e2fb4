"""What the page says of a run: plans, reviews, repairs, forecasts and figures in true words."""

import re
from typing import Any

import pytest

from graphs import graph
from graphs.page.page import page
from nodes.judging.verdicts import Conflict, Review
from nodes.llm.endpoints.usage import Usage
from nodes.planning.forecast import Forecast
from nodes.planning.outline import Part
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.planning.repair import Repair
from nodes.reporting.report import Baseline, Estimate, Report
from nodes.state import Assessment, Contradiction, Solution
from tests.support.server import ModelServer, outline, review
from tests.support.subjects.page import Seen, bars, call, run, thread


def test_cached_threads_and_threads_split_again_are_marked() -> None:
    report = Report(
        tokens_by_thread={"T1": Usage(input=5, total=5), "T1.1": Usage()},
        refined={"T1": ["T1.1", "T1.2"]},
        marks={"T1": ["too_long"]},
    )
    html = page(
        run(threads=[thread("T1.1", cached=True), thread("T1.2", marks=["repetitive"])], report=report, calls=[call()])
    )
    text = Seen(html).text
    assert re.search("T1 ?split again", text) and "its material does not fit the context window" in text
    assert "split into T1.1, T1.2" in text and "Sign of context rot: its text repeats itself." in text
    assert "from the cache" in text and "cached" in [kind for kind, *_ in bars(html)]


def test_an_estimate_is_called_one_and_a_measurement_too() -> None:
    estimate = Estimate(output=80, token_latency=1.5, token_multiplier=1.2)
    assert "An estimate, not a measurement." in Seen(page(run(report=Report(estimate=estimate)))).text
    base = Baseline(
        answer="Otherwise.", wall_s=8.0, tokens=Usage(output=50, total=60), wall_ratio=2.0, token_latency=1.25
    )
    text = Seen(page(run(report=Report(wall_s=4, estimate=estimate, baseline=base)))).text
    assert "An estimate" not in text and "Measured" in text and "2.00 × as fast" in text and "Otherwise." in text
    slower = page(
        run(report=Report(wall_s=4, baseline=Baseline(wall_ratio=0.25, token_latency=0.5, token_multiplier=0.5)))
    )
    assert "4.00 × as slow" in slower and "2.00 × as many" in slower and "2.00 × fewer" in slower
    failed = Seen(page(run(report=Report(baseline=Baseline(error="it was cut"))))).text
    assert "gave no whole answer" in failed and "it was cut" in failed and "unknown" in failed


ANN, BEN = Part(number=1, sources=[2], question="How old is Ann?"), Part(number=2, question="How old is Ben?")
BOTH = Part(number=3, needs=[1, 2], question="How old are #1 and #2 together?")


@pytest.mark.parametrize(
    ("parts", "ready", "answer", "said"),
    [
        ([], 0, "list", "The model found nothing to split."),
        ([ANN], 1, "text", "found 1 part: nothing that can be worked on at the same time."),
        ([ANN, BEN], 2, "list", "found 2 parts, all of which can be worked on at the same time; the results in"),
        ([ANN, BEN, BOTH], 2, "text", "found 3 parts, 2 of which can be worked on at the same time; the answer must"),
    ],
)
def test_what_the_model_found_to_split_is_said_in_true_words(
    parts: list[Part], ready: int, answer: Any, said: str
) -> None:
    asked = [part.question for part in parts[:ready]]
    assessment = Assessment(parts=parts, answer=answer, subquestions=asked, decomposable=ready > 1)
    text = Seen(page(Solution(answer="It.", assessment=assessment))).text
    assert said in text and "all the same" not in text
    assert all(part.question in text for part in parts)
    assert ("needs the results of parts 1, 2" in text) == (BOTH in parts) and ("reads 2" in text) == (ANN in parts)


@pytest.mark.parametrize(("answer", "said"), [("list", "in turn are the answer"), ("text", "is written from their")])
def test_a_plan_tells_what_becomes_of_the_results_and_what_is_left_to_the_end(answer: Any, said: str) -> None:
    plan = ThreadPlan(threads=[ThreadSpec(id="T1", subquestion="?")], answer=answer, open_parts=["How old are both?"])
    text = Seen(page(run(plan=plan, assessment=Assessment()))).text
    assert said in text and "Worked out where the results come together How old are both?" in text
    assert "found nothing to split. It was split all the same." in text


def test_what_a_review_found_is_shown_with_the_words_of_each() -> None:
    conflict = Conflict(threads=["T1", "T2"], quotes=["the Po, 690 km", "652 km"])
    reviews = [Review(redo=["T3: 7 * 12 is 84"], conflicts=[conflict]), Review(answer="It.")]
    stands = Contradiction(claim="?", thread_ids=["T1", "T2"], quotes=conflict.quotes)
    text = Seen(page(run(reviews=reviews, contradictions=[stands]))).text
    assert "First pass To be done again: T3: 7 * 12 is 84" in text
    assert text.count("T1: “the Po, 690 km” T2: “652 km”") == 2 and "Round 1 Nothing was found wrong." in text


def test_repairs_are_shown_in_words_and_checks_with_what_they_found() -> None:
    repair = Repair(kind="left_to_join", part=3, text="part 3 needs other results")
    text = Seen(page(run(report=Report(repairs=[repair]), threads=[thread(checked=True, fault="3 * 4 is 12")]))).text
    assert "part 3 needs other results" in text
    assert "checked on its own" in text and "A check of its own found: 3 * 4 is 12" in text


async def test_a_question_that_is_a_list_is_shown_as_what_it_is(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline("1", "2", answer="list")).on("review", review("", "T2: it is not"), review())
    question = "1. Who wrote Hamlet?\n2. How long is the Po?"
    solution = Solution.model_validate(await graph.ainvoke({"question": question}, context=context))
    text = Seen(page(solution)).text
    assert "found 2 parts, all of which can be worked on at the same time; the results in turn are the answer" in text
    assert "2 threads, 2 at once; their results in turn are the answer." in text
    assert "First pass To be done again: T2: it is not Round 1 Nothing was found wrong." in text


def test_a_forecast_is_shown_with_both_figures() -> None:
    found = Assessment(subquestions=["a", "b"], decomposable=True)
    ahead = Forecast(threads=2, split_s=9.0, single_s=4.0)
    text = Seen(page(Solution(answer="It.", assessment=found, report=Report(forecast=ahead)))).text
    assert "Forecast: splitting into 2 threads cannot save time: 9.0 s are forecast, 4.0 s in one call" in text


def test_money_that_is_not_known_is_called_unknown() -> None:
    assert "Cost unknown" in re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(run())))
    assert "$0.0123" in page(run(report=Report(cost_usd=0.0123)))
