"""How threads' results merge, and how a run adds up to its report."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.llm.endpoints.usage import Call, Usage, add_calls, total_usage
from nodes.planning.repair import Repair
from nodes.reporting.measure import make_report
from nodes.reporting.spans import peak_overlap
from nodes.threads.results import Status, ThreadResult, merge_results


def result(id: str, rounds: int = 1, answer: str = "", status: Status = "answered") -> ThreadResult:
    return ThreadResult(id=id, subquestion="?", status=status, rounds=rounds, answer=answer)


def call(run: str = "r", **more: Any) -> Call:
    return Call(run_id=run, role="solve", **more)


STANDING = {"T1": result("T1", answer="one"), "T2": result("T2", 2, "two")}


@pytest.mark.parametrize(
    ("new", "answers"),
    [
        ({}, {"T1": "one", "T2": "two"}),
        ({"T1": result("T1", 2, "again")}, {"T1": "again", "T2": "two"}),
        ({"T2": result("T2", 2, "judged", "refuted")}, {"T1": "one", "T2": "judged"}),
        ({"T2": result("T2", 1, "late")}, {"T1": "one", "T2": "two"}),
        ({"T0": result("T0", answer="new")}, {"T1": "one", "T2": "two", "T0": "new"}),
        (None, {}),
    ],
    ids=["nothing", "a retry replaces", "a verdict replaces", "a late write changes nothing", "another", "a new run"],
)
def test_results_merge_by_thread_in_first_seen_order(
    new: dict[str, ThreadResult] | None, answers: dict[str, str]
) -> None:
    merged = merge_results(STANDING, new)
    assert [(id, item.answer) for id, item in merged.items()] == list(answers.items())
    assert [item.answer for item in STANDING.values()] == ["one", "two"]


RESULTS = st.dictionaries(
    st.sampled_from(["T1", "T2", "T3", "T4"]), st.builds(result, st.just("T"), st.integers(1, 3), st.text(max_size=3))
)


@given(RESULTS, RESULTS, RESULTS)
def test_it_does_not_matter_how_results_are_bundled(
    first: dict[str, ThreadResult], second: dict[str, ThreadResult], third: dict[str, ThreadResult]
) -> None:
    one_by_one = merge_results(merge_results(first, second), third)
    assert list(one_by_one.items()) == list(merge_results(first, merge_results(second, third)).items())
    assert one_by_one.keys() == first.keys() | second.keys() | third.keys()
    for id, standing in one_by_one.items():
        assert standing.rounds == max(item[id].rounds for item in (first, second, third) if id in item)
    assert list(merge_results(first, second))[: len(first)] == list(first)


@given(RESULTS, RESULTS)
def test_a_result_that_comes_twice_counts_once(first: dict[str, ThreadResult], second: dict[str, ThreadResult]) -> None:
    merged = merge_results(first, second)
    assert merge_results(merged, second) == merged


@pytest.mark.parametrize(
    ("spans", "peak"),
    [
        ([], 0),
        ([(0, 1)], 1),
        ([(0, 1), (1, 1), (2, 1)], 1),
        ([(0, 2), (1, 2), (2, 2)], 2),
        ([(0, 9), (1, 1), (3, 1), (3.5, 0.1)], 3),
        ([(4, 0)], 1),
    ],
)
def test_the_peak_is_the_most_calls_open_at_one_moment(spans: list[tuple[float, float]], peak: int) -> None:
    assert peak_overlap(spans) == peak


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), max_size=12))
def test_the_peak_is_reached_when_some_call_starts(spans: list[tuple[int, int]]) -> None:
    open_at = [sum(start <= moment < start + length for start, length in spans) for moment, _ in spans]
    assert peak_overlap(spans) == max(open_at, default=0)
    assert peak_overlap(reversed(spans)) == peak_overlap(spans)


USAGES = st.builds(Usage, input=st.integers(0, 99), output=st.integers(0, 99), reasoning=st.integers(0, 9))
CALLS = st.builds(
    call,
    run=st.sampled_from(["old", "now"]),
    thread_id=st.sampled_from([None, "T1", "T2"]),
    attempt=st.integers(1, 4),
    usage=USAGES,
    started_s=st.floats(0, 50),
    latency_s=st.floats(0.1, 50),
)


REPAIRS = st.builds(Repair, kind=st.sampled_from(["scope", "stage", "dropped"]), text=st.text())


@given(st.lists(CALLS), RESULTS, st.floats(0, 1e6), st.lists(REPAIRS))
def test_the_report_adds_up(
    calls: list[Call], results: dict[str, ThreadResult], wall: float, repairs: list[Repair]
) -> None:
    threads = list(results.values())
    report = make_report(calls, threads, wall_s=wall, rounds=2, planned=len(threads), repairs=repairs)
    assert report.calls == len(calls) and report.repairs == repairs and report.rounds == 2
    for name in Usage.model_fields:
        assert report.tokens[name] == sum(item.usage[name] for item in calls)
    assert report.retries == sum(item.attempt > 1 for item in calls) + sum(item.rounds - 1 for item in threads)
    of_threads = sum(item.thread_id is not None for item in calls)
    assert min(1, of_threads) <= report.peak_parallel <= of_threads
    assert abs(report.wall_s - wall) <= 0.001


def test_only_threads_whose_answer_stands_count_as_used() -> None:
    ended: list[Status] = ["answered", "failed", "timed_out", "refuted", "answered"]
    threads = [result(f"T{number}", status=status) for number, status in enumerate(ended)]
    report = make_report([], threads, wall_s=1, rounds=0, planned=6, repairs=[])
    assert (report.threads_planned, report.threads_used, report.peak_parallel) == (6, 2, 0)


def test_planning_and_review_are_no_parallel_threads() -> None:
    calls = [call(thread_id=id, started_s=0, latency_s=5) for id in (None, "T1", None)]
    assert make_report(calls, [], wall_s=5, rounds=0, planned=1, repairs=[]).peak_parallel == 1


def test_calls_of_an_earlier_question_are_not_counted_again() -> None:
    old, first, second = call("old"), call("now", attempt=1), call("now", attempt=2)
    assert add_calls([old, old], []) == [old, old]
    assert add_calls(add_calls([old, old], [first]), [second]) == [first, second]


@given(st.lists(USAGES))
def test_usage_is_summed_field_by_field(usages: list[Usage]) -> None:
    total = total_usage(call(usage=usage) for usage in usages)
    assert all(total[name] == sum(usage[name] for usage in usages) for name in Usage.model_fields)


@pytest.mark.parametrize(
    ("metadata", "usage"),
    [
        (None, Usage()),
        ({}, Usage()),
        ({"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}, Usage(input=7, output=5, total=12)),
        (
            {"input_tokens": 7, "output_tokens": None, "output_token_details": {"reasoning": 3}},
            Usage(input=7, reasoning=3, total=7),
        ),
        ({"input_tokens": 1, "output_tokens": 2, "output_token_details": None}, Usage(input=1, output=2, total=3)),
    ],
)
def test_a_server_that_counts_little_breaks_nothing(metadata: Any, usage: Usage) -> None:
    assert Usage.from_metadata(metadata) == usage
