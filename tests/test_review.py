"""What follows from a reviewer's words: which threads do not stand, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodes.judge import judge

from nodes.results import ThreadResult
from nodes.state import Contradiction, Review, Verdict

ANSWERED = [ThreadResult(id=f"T{number}", subquestion="?", status="answered", answer="x") for number in range(1, 5)]


def review(*contradictions: tuple[str, str], **verdicts: str) -> Review:
    """A review in short: `T1="retry: why"`, and contradictions as pairs of ids and claim."""
    words = [(id, *said.partition(": ")) for id, said in verdicts.items()]
    return Review.model_validate(
        {
            "verdicts": [
                {"thread_id": id, "verdict": verdict, "critique": critique} for id, verdict, _, critique in words
            ],
            "contradictions": [{"thread_ids": ids.split(), "claim": claim} for ids, claim in contradictions],
        }
    )


@pytest.mark.parametrize(
    ("written", "critiques"),
    [
        (review(), {}),
        (review(T1="accept", T2="accept: fine"), {}),
        (review(T3="retry: no unit", T1="retry:  wrong sum "), {"T1": "wrong sum", "T3": "no unit"}),
        (review(T1="retry"), {"T1": "The result was judged wrong."}),
        (review(T1="could_not_judge: no idea"), {}),
        (review(T9="retry: who?", **{"": "retry"}), {}),
    ],
    ids=["silence", "accepted", "retry, in plan order", "no reason given", "could not judge", "unknown threads"],
)
def test_only_known_threads_that_were_refuted_go_back(written: Review, critiques: dict[str, str]) -> None:
    judged = judge(written, ANSWERED)
    assert list(judged.critiques.items()) == list(critiques.items())
    assert judged.contradictions == []


def test_the_last_word_on_a_thread_counts() -> None:
    words = [Verdict(thread_id="T1", verdict="retry", critique="wrong"), Verdict(thread_id="T1", verdict="accept")]
    assert judge(Review(verdicts=words), ANSWERED).critiques == {}
    assert judge(Review(verdicts=words[::-1]), ANSWERED).critiques == {"T1": "wrong"}


@pytest.mark.parametrize(
    ("written", "back", "kept"),
    [
        (review(("T1 T2", "the year"), T1="accept", T2="retry: 1066, not 1067"), ["T2"], [["T1", "T2"]]),
        (review(("T1 T2", "the year"), T1="accept", T2="accept"), ["T1", "T2"], [["T1", "T2"]]),
        (review(("T3 T1 T2", "the year")), ["T1", "T2", "T3"], [["T3", "T1", "T2"]]),
        (review(("T1 T2", "the year"), T1="could_not_judge"), ["T2"], [["T1", "T2"]]),
        (review(("T1 T2", "the year"), T1="could_not_judge", T2="could_not_judge"), [], [["T1", "T2"]]),
        (review(("T1 T9", "the year")), [], []),
        (review(("T1 T1", "itself")), [], []),
        (review(("", "nothing")), [], []),
        (review(("T1 T2 T9", "the year")), ["T1", "T2"], [["T1", "T2"]]),
        (review(("T1 T2", "a"), ("T3 T4", "b"), T3="retry: no"), ["T1", "T2", "T3"], [["T1", "T2"], ["T3", "T4"]]),
    ],
    ids=[
        "the culprit",
        "no culprit",
        "three at odds",
        "one not judged",
        "none judged",
        "with an unknown thread",
        "with itself",
        "of nobody",
        "an unknown one among them",
        "each for itself",
    ],
)
def test_of_contradicting_threads_the_culprit_goes_back_or_all_do(
    written: Review, back: list[str], kept: list[list[str]]
) -> None:
    judged = judge(written, ANSWERED)
    assert list(judged.critiques) == back
    assert [item.thread_ids for item in judged.contradictions] == kept


def test_a_contradicting_thread_is_told_whom_it_contradicts_and_in_what() -> None:
    judged = judge(review(("T1 T2 T3", "the year of the battle")), ANSWERED)
    assert judged.critiques["T2"] == "It contradicts T1, T3: the year of the battle"


IDS = st.sampled_from(["T1", "T2", "T3", "T4", "T5", ""])
REVIEWS = st.builds(
    Review,
    verdicts=st.lists(
        st.builds(
            Verdict,
            thread_id=IDS,
            verdict=st.sampled_from(["accept", "retry", "could_not_judge"]),
            critique=st.sampled_from(["", " ", "wrong"]),
        )
    ),
    contradictions=st.lists(st.builds(Contradiction, thread_ids=st.lists(IDS, max_size=4), claim=st.text(max_size=5))),
)


@given(REVIEWS, st.integers(0, 4))
def test_no_review_sends_back_what_it_may_not(written: Review, answered: int) -> None:
    judged = judge(written, ANSWERED[:answered])
    last = {word.thread_id: word.verdict for word in written.verdicts}
    known = [thread.id for thread in ANSWERED[:answered]]
    assert list(judged.critiques) == [id for id in known if id in judged.critiques]
    assert all(critique.strip() for critique in judged.critiques.values())
    assert {id for id in known if last.get(id) == "retry"} <= judged.critiques.keys()
    assert not {id for id in known if last.get(id) == "could_not_judge"} & judged.critiques.keys()
    at_odds = {id for item in judged.contradictions for id in item.thread_ids}
    assert judged.critiques.keys() <= at_odds | {id for id in known if last.get(id) == "retry"}
    assert at_odds <= set(known) and all(len(set(item.thread_ids)) >= 2 for item in judged.contradictions)


def thread(subquestion: str, answer: str, text: str = "") -> ThreadResult:
    return ThreadResult(id="T1", subquestion=subquestion, status="answered", answer=answer, text=text)


@pytest.mark.parametrize(
    ("result", "said", "why"),
    [
        (thread("What is 23 * 17?", "23 * 17 is 381."), "accept", "`23 * 17 is 381` is wrong: it comes to 391."),
        (thread("How many?", "90", "3 * 40 = 120\n120 / 4 = 40"), "accept", "`120 / 4 = 40` is wrong: it comes to 30."),
        (
            thread("What do 14 tickets at 6 euros cost?", "94 euros"),
            "accept: 14 * 6 = 84: right.",
            "`14 * 6 = 84`: the",
        ),
        (thread("What do 14 tickets at 6 euros cost?", "94 euros"), "retry: 14 * 6 = 84, not 94.", "not 94"),
        (thread("What do 14 tickets at 6 euros cost?", "84 euros"), "accept: 14 * 6 = 84: right.", ""),
        (thread("What do 14 tickets at 6 euros cost?", "84 euros"), "retry: 14 * 6 = 84: wrong.", ""),
        (thread("What do 14 tickets at 6 euros cost?", "84 euros"), "retry: 14 * 6 = 94, not 84.", ""),
        (thread("What does the story come to?", "40"), "accept: 120 / 4 = 30.", ""),
        (thread("Who wrote 3 * 3?", "Nobody did."), "accept: 3 * 3 = 9.", ""),
        (thread("What is wrong in the bill?", "It says 4 * 25 = 90, which is false."), "accept", ""),
    ],
)
def test_calculations_are_done_again_in_plain_code(result: ThreadResult, said: str, why: str) -> None:
    critiques = judge(review(T1=said), [result], given="The bill says 4 * 25 = 90.").critiques
    assert bool(critiques) == bool(why) and why in critiques.get("T1", "")
