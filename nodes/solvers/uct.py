"""The tree of a search: where it is grown next, and what an outcome teaches about the way to it (pure).

The rules are those of LATS: A. Zhou et al., "Language Agent Tree Search Unifies Reasoning, Acting, and Planning in
Language Models", ICML 2024 (arXiv 2310.04406), section 4. Where they differ, it is said.
"""

import math
from collections.abc import Sequence

from nodes.shared.cleaning import fold
from nodes.threads.ballot import key_of
from nodes.threads.solving import TreeNode

EXPLORATION = 1.0
"""The weight w of what is little visited, in UCT; the paper's own."""
RATED_SHARE = 0.5
"""The share λ of the model's rating in a value; the rest is how many of the candidates of a step were this one."""


def path_to(tree: Sequence[TreeNode], place: int) -> list[int]:
    """Return the places from the root to a node, both included."""
    path = [place]
    while (parent := tree[path[-1]].parent) is not None:
        path.append(parent)
    return path[::-1]


def depth_of(tree: Sequence[TreeNode], place: int) -> int:
    """Return how many steps lead to a node."""
    return len(path_to(tree, place)) - 1


def uct(tree: Sequence[TreeNode], place: int) -> float:
    """Return the upper confidence bound of a node: V(s) + w √(ln N(parent) / N(s)).

    L. Kocsis and C. Szepesvári, "Bandit based Monte-Carlo Planning", ECML 2006, as in LATS.
    """
    node, parent = tree[place], tree[place].parent
    seen = tree[parent].visits if parent is not None else node.visits
    return node.value + EXPLORATION * math.sqrt(math.log(seen) / node.visits)


def select(tree: Sequence[TreeNode], most: int) -> int:
    """Return the node to grow next: from the root down, always the child with the highest bound.

    An end is not grown. So a node whose children have all ended is grown again, now with the lessons of their failures;
    the paper has no such case, since its ends are told by an environment.

    Args:
        tree: The nodes.
        most: Steps to a result, at most.
    """
    at = 0
    while True:
        children = [
            place
            for place, node in enumerate(tree)
            if node.parent == at and not node.answer and depth_of(tree, place) < most
        ]
        if not children:
            return at
        at = max(children, key=lambda place: (uct(tree, place), -place))


def add_candidates(
    tree: Sequence[TreeNode], at: int, candidates: Sequence[TreeNode]
) -> tuple[list[TreeNode], dict[int, float]]:
    """Hang candidates for the next step below a node, equal ones once, and none that hangs there already.

    Returns:
        The tree, and of each new node the share of the candidates that it stands for (the self-consistency score of the
        paper).
    """
    there = {_key(node) for node in tree if node.parent == at}
    grown, shares, places = list(tree), dict[int, float](), dict[str, int]()
    for candidate in candidates:
        key = _key(candidate)
        if key in there:
            continue
        if key not in places:
            places[key] = len(grown)
            grown.append(candidate.model_copy(update={"parent": at}))
        shares[places[key]] = shares.get(places[key], 0.0) + 1 / len(candidates)
    return grown, shares


def _key(node: TreeNode) -> str:
    return f"= {key_of(node.answer)}" if node.answer else fold(node.text)


def value_of(rating: float, share: float) -> float:
    """Return the value of a candidate: V(s) = λ LM(s) + (1 - λ) SC(s).

    Args:
        rating: The model's, 0 to 1.
        share: Of the candidates that came to the same, 0 to 1.
    """
    return RATED_SHARE * rating + (1 - RATED_SHARE) * share


def backpropagate(tree: Sequence[TreeNode], at: int, reward: float) -> list[TreeNode]:
    """Tell every node on the way to one what came of it: N(s) grows by 1, and V(s) becomes the mean of the outcomes."""
    way = set(path_to(tree, at))
    return [_visit(node, reward) if place in way else node for place, node in enumerate(tree)]


def _visit(node: TreeNode, reward: float) -> TreeNode:
    visits = node.visits + 1
    return node.model_copy(update={"visits": visits, "value": (node.value * node.visits + reward) / visits})


def best_result(tree: Sequence[TreeNode]) -> int | None:
    """Return the end with the highest value, what a checker judged before what the model rated; `None` without any."""
    ends = [place for place, node in enumerate(tree) if node.answer]
    return max(ends, key=lambda place: (tree[place].checked, tree[place].value, -place), default=None)
