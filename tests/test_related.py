"""Which results are compared, and which contradictions can be some."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.judge import judge
from nodes.related import MOST, may_disagree, related
from nodes.results import ThreadResult
from nodes.review import listed
from nodes.state import Contradiction, Review, Verdict


def result(id: str, subquestion: str, answer: str) -> ThreadResult:
    return ThreadResult(id=id, subquestion=subquestion, status="answered", answer=answer)


MILL = result("T1", "When did the mill open?", "The mill opened in 1871.")
ROTH = result("T2", "Who ran the mill at first?", "Emil Kern ran it from its opening in 1864.")
RICE = result("T3", "What do 9 kilograms of rice cost?", "They cost 18 euros.")


def compared(*results: ThreadResult) -> dict[str, list[str]]:
    """Read from the reviewer's lines which results are to be compared with which."""
    lines = [json.loads(line) for line in listed(results).splitlines()]
    return {line["thread_id"]: line.get("compare_with", []) for line in lines}


def test_results_that_share_words_are_to_be_compared() -> None:
    assert compared(MILL, ROTH, RICE) == {"T1": ["T2"], "T2": ["T1"], "T3": []}
    assert compared(MILL, RICE) == {"T1": [], "T3": []}


def test_what_all_results_speak_of_tells_no_two_of_them_apart() -> None:
    parts = ("Who built the mill?", "When was the mill built?", "How high is the mill?")
    mill = [result(f"T{number}", part, "It is told.") for number, part in enumerate(parts, 1)]
    assert compared(*mill) == {"T1": ["T2"], "T2": ["T1"], "T3": []}


@pytest.mark.parametrize(
    ("one", "other", "beside"),
    [
        ("How long is the Ebro, in km?", "How long is the Elm, in km?", True),
        ("Which bug does tax.py have in its loop?", "Which bug does mail.py have in its loop?", True),
        ("How long is the Ebro, in km?", "How old is the Ebro?", False),
        ("How long is the Ebro in Spain?", "How long is the Ebro?", False),
    ],
    ids=["two rivers", "two files", "two things asked", "the same"],
)
def test_the_same_asked_of_two_things_is_not_compared(one: str, other: str, beside: bool) -> None:
    told = compared(result("T1", one, "It is so."), result("T2", other, "It is otherwise."))
    assert told == ({"T1": [], "T2": []} if beside else {"T1": ["T2"], "T2": ["T1"]})


@pytest.mark.parametrize(
    ("answer", "may"),
    [("17 * 14 is 238.", False), ("9 * 2 is 18.", True), ("Oslo.", False), ("No.", True)],
    ids=["a calculation of its own", "the same figure", "another thing", "nothing told"],
)
def test_a_calculation_is_at_odds_with_its_own_figures_only(answer: str, may: bool) -> None:
    other = result("T4", "?", answer)
    assert may_disagree(RICE, other) == may_disagree(other, RICE) == may


@given(st.lists(st.builds(result, st.sampled_from(["T1", "T2", "T3", "T4", "T5"]), st.text(), st.text()), max_size=6))
def test_no_text_breaks_the_comparison(results: list[ThreadResult]) -> None:
    known = {one.id for one in results}
    for pair in related(results):
        assert pair.one in known and pair.other in known and pair.one != pair.other
    assert len(related(results)) <= MOST
    assert all(may_disagree(one, one) for one in results)
    # One line a result, whatever it says.
    assert len(listed(results).split("\n")) == max(1, len(results))


@pytest.mark.parametrize(
    ("review", "back", "pairs"),
    [
        (
            Review(
                verdicts=[
                    Verdict(thread_id="T1", verdict="could_not_judge", critique="Says 1871; T2 says 1864."),
                    Verdict(thread_id="T2", verdict="could_not_judge", critique="Says 1864; T1 says 1871."),
                ]
            ),
            [],
            [["T1", "T2"]],
        ),
        (
            Review(verdicts=[Verdict(thread_id="T1", verdict="could_not_judge", critique="Says 1871; T2 says 1864.")]),
            ["T2"],
            [["T1", "T2"]],
        ),
        (
            Review(verdicts=[Verdict(thread_id="T1", verdict="could_not_judge", critique="No idea; T9 may know.")]),
            [],
            [],
        ),
        (Review(verdicts=[Verdict(thread_id="T1", verdict="retry", critique="T3 says that it is 18.")]), [], []),
        (Review(verdicts=[Verdict(thread_id="T1", verdict="retry", critique="T2 and T3 say 1864.")]), ["T1"], []),
        (Review(verdicts=[Verdict(thread_id="T1", verdict="retry", critique="It is 1871, not 1871: wrong.")]), [], []),
        (Review(verdicts=[], contradictions=[Contradiction(thread_ids=["T1", "T3"], claim="18")]), [], []),
        (
            Review(verdicts=[], contradictions=[Contradiction(thread_ids=["T1", "T3", "T2"], claim="the year")]),
            ["T1", "T2"],
            [["T1", "T2"]],
        ),
    ],
    ids=[
        "both unsure",
        "one unsure",
        "nobody named",
        "made up",
        "partly made up",
        "refused for itself",
        "nothing shared",
        "one too many",
    ],
)
def test_a_contradiction_is_read_from_what_can_be_one(review: Review, back: list[str], pairs: list[list[str]]) -> None:
    judged = judge(review, [MILL, ROTH, RICE])
    assert sorted(judged.critiques) == back
    assert [one.thread_ids for one in judged.contradictions] == pairs


LOOM = result("T1", "In which month is the loom serviced?", "The loom is serviced in October.")
CLOTH = result("T2", "How much cloth was made last year?", "The loom made 6,150 metres of cloth, Orla says.")
SHUT = result("T3", "Is the loom at rest in October?", "It never rests; in August it is repaired.")


@pytest.mark.parametrize(
    ("written", "back", "pairs"),
    [
        ("retry: In October; T2 says it is in November.", [], []),
        ("retry: In October; T2 says 3,600 metres.", [], []),
        ("retry: In October; T3 says August.", ["T1"], []),
        ("retry: In October; T3 says that the loom has no rest.", ["T1"], []),
        ("retry: Says Yes; T3 says No.", ["T1"], []),
        ("retry: T2 says 3,600 metres. 2 * 3 = 7: wrong.", ["T1"], []),
        ("could_not_judge: Says October; T2 says November.", [], []),
        ("could_not_judge: Says October; T3 says August.", ["T3"], [["T1", "T3"]]),
    ],
    ids=[
        "a month not told",
        "a figure not told",
        "told",
        "in other words",
        "a word that is no name",
        "a reason beside",
        "unsure of what",
        "unsure",
    ],
)
def test_what_a_result_does_not_say_refutes_no_other(written: str, back: list[str], pairs: list[list[str]]) -> None:
    verdict, _, critique = written.partition(": ")
    word = Verdict.model_validate({"thread_id": "T1", "verdict": verdict, "critique": critique})
    judged = judge(Review(verdicts=[word]), [LOOM, CLOTH, SHUT])
    assert sorted(judged.critiques) == back
    assert [one.thread_ids for one in judged.contradictions] == pairs


@pytest.mark.parametrize(
    ("claim", "pairs"),
    [
        ("T1 says October, T2 that it is November.", []),
        ("T1 says October, T3 says August.", [["T1", "T3"]]),
        ("The months differ.", [["T1", "T3"]]),
    ],
)
def test_a_contradiction_that_quotes_what_no_result_says_is_none(claim: str, pairs: list[list[str]]) -> None:
    ids = ["T1", "T2"] if "T2" in claim else ["T1", "T3"]
    review = Review(verdicts=[], contradictions=[Contradiction(thread_ids=ids, claim=claim)])
    assert [one.thread_ids for one in judge(review, [LOOM, CLOTH, SHUT]).contradictions] == pairs
