"""Which run a page shows, what it gains, what people decided, and another run beside it."""

import re
from typing import Any

import pytest

from graphs import graph
from graphs.page.page import page
from nodes.llm.endpoints.usage import Usage
from nodes.planning.edits import Decision, Edit
from nodes.reporting.report import Baseline, Estimate, Report
from nodes.state import Solution
from tests.support.server import ModelServer
from tests.support.subjects.page import Seen, call, run, thread

ESTIMATE = Estimate(output=80, token_latency=1.5, token_multiplier=1.2)
MEASURED = Baseline(wall_ratio=2.0, token_multiplier=0.5)


def figures(solution: Solution) -> list[str]:
    """Return the words of the figures at the top, one a figure."""
    (top,) = re.findall(r'<dl class="figures">(.*?)</dl>', page(solution), re.S)
    return [Seen(each).text for each in top.split("</div>")]


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (Report(estimate=ESTIMATE), ["1.50 × as fast estimated", "1.20 × as many estimated"]),
        (Report(estimate=ESTIMATE, baseline=MEASURED), ["2.00 × as fast measured", "2.00 × fewer measured"]),
        (Report(baseline=Baseline(wall_ratio=0.5)), ["2.00 × as slow measured", "unknown measured"]),
        (Report(baseline=Baseline(error="cut")), ["unknown measured, but one call gave no whole answer"]),
    ],
)
def test_the_figures_begin_with_what_the_run_gains_and_how_that_is_known(report: Report, said: list[str]) -> None:
    shown = figures(run(report=report))
    assert len(shown) >= len(said) and all(words in one for words, one in zip(said, shown, strict=False))
    assert shown[len(said)].startswith("Outcome")


def test_a_question_answered_without_threads_claims_no_gain() -> None:
    shown = figures(run(route="direct", threads=[], plan=None, calls=[call("direct", None)]))
    assert "no split" in shown[0] and "×" not in " ".join(shown)


async def test_a_run_tells_its_id_when_it_ended_its_version_and_its_models(
    server: ModelServer, context: dict[str, Any]
) -> None:
    solution = Solution.model_validate(await graph.ainvoke({"question": "Who wrote Hamlet?"}, context=context))
    report, text = solution.report, Seen(page(solution)).text
    assert {call.run_id for call in solution.calls} == {report.run_id} and report.version and report.ended_at > 1e9
    for words in (f"Run {report.run_id}", f"Version {report.version}", "Model openai:scripted"):
        assert words in text
    assert re.search(r"Ended 20\d\d-\d\d-\d\d \d\d:\d\d UTC", text)


@pytest.mark.parametrize("ended_at", [0.0, -5.0, 1e300, float("nan")])
def test_a_run_without_a_time_names_none(ended_at: float) -> None:
    assert "Ended" not in Seen(page(run(report=Report(ended_at=ended_at)))).text


def test_a_long_question_is_folded_and_still_there() -> None:
    long = "Why is it so? " * 40
    html = page(run(question=long))
    assert '<h1 id="question" class="long">' in html and html.count(long.strip()) == 1
    assert "The whole question" in html and "The whole question" not in page(run())


def test_what_people_decided_is_told_in_order() -> None:
    edits = [Edit(op="reword", thread_ids=["T2"], subquestion="How old is Ben?"), Edit(op="parallelism", parallelism=4)]
    decisions = [
        Decision(stage="plan", action="edit", edits=edits),
        Decision(stage="answer", action="send_back", thread_ids=["T1"], note="<b>count again</b>"),
    ]
    html = page(run(decisions=decisions))
    text = Seen(html).text
    assert "The plan: edited reword T2: How old is Ben? parallelism to 4" in text
    assert "The answer: sent back (T1): <b>count again</b>" in text and "#decisions" in html
    assert "#decisions" not in page(run())


def test_rows_of_the_timeline_lead_to_their_threads() -> None:
    seen = Seen(page(run(threads=[thread("T1"), thread("T2", cached=True)])))
    leads = {value for tag, name, value in seen.attributes if (tag, name) == ("a", "href") and "thread-" in value}
    ids = {value for _, name, value in seen.attributes if name == "id"}
    assert leads == {"#thread-1", "#thread-2"} and {lead[1:] for lead in leads} <= ids


def test_threads_can_be_narrowed_down_where_only_some_have_an_answer() -> None:
    both = [thread("T1"), thread("T2", status="failed", answer="")]
    assert "Only those without" in page(run(threads=both))
    assert "Only those without" not in page(run()) and "Only those without" not in page(run(threads=both[1:]))


def test_two_runs_stand_side_by_side_with_the_settings_that_differ() -> None:
    one = run(report=Report(wall_s=2.0, tokens=Usage(total=100), settings={"solver": "chain", "hedge": 1, "seed": 7}))
    other = run(
        question="And why?",
        answer="It is **otherwise**.",
        outcome="partial",
        report=Report(wall_s=8.0, tokens=Usage(total=50), settings={"solver": "tree", "hedge": None, "seed": 7}),
    )
    html = page(one, beside=other)
    rows = [re.sub(r"(<[^>]*>)+", "|", row) for row in re.findall(r"<tr>.*?</tr>", html)]
    for row in ("|Wall time, s|2.00|8.00|0.25 ×|", "|Tokens|100|50|2.00 ×|", "|Outcome|complete|partial|"):
        assert row in rows
    assert (
        "|solver|chain|tree|" in rows and "|hedge|1|none|" in rows and not [row for row in rows if "|seed|7|7" in row]
    )
    assert "asked something else" in html and "And why?" in html and "It is <strong>otherwise</strong>." in html
    assert "Beside another run" not in page(one)


def test_a_page_of_two_runs_stays_under_a_megabyte() -> None:
    long = run(answer="*a* " * 100_000, report=Report(settings=dict.fromkeys(map(str, range(200)), "x" * 9_000)))
    other = run(answer="- a\n" * 100_000, report=Report(settings=dict.fromkeys(map(str, range(200)), "y" * 9_000)))
    assert len(page(long, beside=other).encode()) < 1_000_000
