"""Which results are the same, when a majority is certain, and how values move up a tree; all without a model."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodes.judging.agreement import agree
from nodes.judging.notation import plain_signs
from nodes.shared.cleaning import words_and_figures
from nodes.solvers.uct import add_candidates, backpropagate, best_result, path_to, select, uct
from nodes.threads.ballot import count_votes, is_certain, key_of
from nodes.threads.solving import TreeNode


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1,234.50", "1234.5", True),
        ("$18", "18.", True),
        ("18 €", "£18.00", True),
        ("−3", "-3.0", True),
        ("12, 13", "12.0, 13", True),
        ("Ana  KEEPS 31.", "ana keeps 31.0", True),
        ("1" * 30, "1" * 29 + "2", False),
        ("3 + 4", "3 * 4", False),
        ("5 May", "5 June", False),
        ("$18 a day", "18 a day", False),
        ("1.2.3", "1.2.30", False),
        ("C++", "C", False),
    ],
)
def test_results_are_compared_by_value_and_by_words(one: str, other: str, same: bool) -> None:
    assert (key_of(one) == key_of(other)) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("72", "9 plates cost 72 euros.", True),
        ("72 euros", "72", True),
        ("1 hour: 60", "3600", False),
        ("2500", "2.5 kilograms are 2,500 grams.", True),
        ("2500", "2,5 Kilogramm sind 2.500 Gramm.", True),
        ("3.5", "3.50", True),
        ("3,5", "It is 3.5 m.", True),
        ("5", "2.5", False),
        ("5", "15", False),
        ("5", "-5", False),
        ("-5", "It is −5 °C.", True),
        ("oslo", "The capital is OSLO!", True),
        ("北京", "中国的首都是北京。", True),
        ("上海", "中国的首都是北京。", False),
        ("القاهرة", "عاصمة مصر هي القاهرة.", True),
        ("٧٢", "72", True),
        ("Jupiter", "Saturn is the largest planet.", False),
        ("?", "What?", False),
        ("", "", False),
    ],
)
def test_a_short_answer_agrees_with_a_text_in_which_it_stands(one: str, other: str, same: bool) -> None:
    assert agree(one, other) is agree(other, one) is same


@given(st.text(), st.text())
@example("÷", "")
def test_agreement_is_mutual_and_what_says_nothing_agrees_with_nothing(one: str, other: str) -> None:
    assert agree(one, other) is agree(other, one)
    assert not agree(one, " …!") and agree(one, one) is bool(words_and_figures(plain_signs(one)))


@given(st.text())
def test_any_text_can_be_voted_for(text: str) -> None:
    assert (
        key_of(text) == key_of(f" {text.upper().casefold()} ".casefold()) or text.upper().casefold() != text.casefold()
    )


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5])
def test_a_majority_is_certain_exactly_when_no_further_sample_can_even_come_level(samples: int) -> None:
    for came in range(samples + 1):
        for said in product("abc", repeat=came):
            ends = {leader((*said, *rest)) for rest in product("abcd", repeat=samples - came)}
            assert is_certain(dict(enumerate(said)), samples - came) == (ends == {leader(said)} != {""})


def leader(said: Sequence[str]) -> str:
    """Return the result that more have come to than to any other; empty where two are level."""
    votes = [(len(numbers), key) for key, numbers in count_votes(dict(enumerate(said))).items()]
    level = not votes or (len(votes) > 1 and votes[0][0] == votes[1][0])
    return "" if level else votes[0][1]


values = st.floats(0, 1)


@given(st.lists(st.tuples(st.integers(0, 99), values, st.booleans()), max_size=12), st.lists(values, max_size=6))
def test_growing_and_backpropagating_keep_a_tree_sound(
    grown: Sequence[tuple[int, float, bool]], rewards: Sequence[float]
) -> None:
    tree = [TreeNode()]
    for place, (parent, value, ends) in enumerate(grown, 1):
        node = TreeNode(parent=parent % place, value=value, text=f"step {place}", answer="9" if ends else "")
        tree.append(node if not tree[parent % place].answer else node.model_copy(update={"parent": 0}))
    for reward in rewards:
        at = select(tree, 4)
        assert not tree[at].answer and len(path_to(tree, at)) - 1 <= 4
        siblings = [p for p, node in enumerate(tree) if node.parent == tree[at].parent is not None and not node.answer]
        assert not siblings or uct(tree, at) >= max(uct(tree, p) for p in siblings) - 1e-9
        before, tree = tree, backpropagate(tree, at, reward)
        assert [new.visits - old.visits for old, new in zip(before, tree, strict=True)].count(1) == len(
            path_to(tree, at)
        )
    assert all(0 <= node.value <= 1 for node in tree)
    assert (best_result(tree) is None) == (not any(node.answer for node in tree))


def test_equal_candidates_hang_in_the_tree_once_with_the_share_that_they_stand_for() -> None:
    said = [
        TreeNode(text="So.", answer="9"),
        TreeNode(text="Thus.", answer="9.0"),
        TreeNode(text="Hm."),
        TreeNode(text="hm"),
    ]
    tree, shares = add_candidates([TreeNode()], 0, said)
    assert [node.text for node in tree] == ["", "So.", "Hm."] and shares == {1: 0.5, 2: 0.5}
    again, none = add_candidates(tree, 0, said[:2])
    assert again == tree and none == {}
