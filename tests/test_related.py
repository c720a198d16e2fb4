"""Which results are compared, and which contradictions can be some."""

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


def test_results_that_share_words_are_named_with_them() -> None:
    assert [(pair.one, pair.other, pair.words) for pair in related([MILL, ROTH, RICE])] == [("T1", "T2", ["mill"])]
    assert listed([MILL, ROTH, RICE]).splitlines()[-1] == "Perhaps on the same thing: T1 and T2 (mill)"
    assert len(listed([MILL, RICE]).splitlines()) == 2


@given(st.lists(st.builds(result, st.sampled_from(["T1", "T2", "T3", "T4", "T5"]), st.text(), st.text()), max_size=6))
def test_no_text_breaks_the_comparison(results: list[ThreadResult]) -> None:
    known = {one.id for one in results}
    for pair in related(results):
        assert pair.one in known and pair.other in known and pair.one != pair.other and pair.words
    assert len(related(results)) <= MOST
    assert all(may_disagree(one, one) for one in results)
    # One line a result, whatever it says, and one line more at most.
    assert len(listed(results).split("\n")) <= max(1, len(results)) + 1


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
        (Review(verdicts=[], contradictions=[Contradiction(thread_ids=["T1", "T3"], claim="18")]), [], []),
        (
            Review(verdicts=[], contradictions=[Contradiction(thread_ids=["T1", "T3", "T2"], claim="the year")]),
            ["T1", "T2"],
            [["T1", "T2"]],
        ),
    ],
    ids=["both unsure", "one unsure", "nobody named", "made up", "partly made up", "nothing shared", "one too many"],
)
def test_a_contradiction_is_read_from_what_can_be_one(review: Review, back: list[str], pairs: list[list[str]]) -> None:
    judged = judge(review, [MILL, ROTH, RICE])
    assert sorted(judged.critiques) == back
    assert [one.thread_ids for one in judged.contradictions] == pairs
