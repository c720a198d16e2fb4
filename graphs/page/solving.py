"""How votes and searches are shown: results with their counts, and the tree of a search as a picture (pure)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from nodes.state import Solution
from nodes.threads.solving import Solving, TreeNode, Votes

MAX_NODES_SHOWN = 400
"""Nodes of all trees of a page together."""
MAX_VOTES_SHOWN = 20
"""Results of one vote."""
STEP_PX = 44
"""Pixels between two nodes of a picture, either way."""
MARGIN_PX = 22


class Dot(NamedTuple):
    """A node of the picture, in pixels."""

    x: float
    y: float
    number: int
    kind: str
    title: str


class Picture(NamedTuple):
    """A tree as dots and the lines between them, in pixels."""

    width: float
    height: float
    dots: list[Dot]
    lines: list[tuple[float, float, float, float]]
    left: int
    """Nodes that are left out."""


class Shown(NamedTuple):
    """One vote or search, as the page shows it."""

    told: Solving
    votes: list[Votes]
    picture: Picture | None
    nodes: list[TreeNode]


def list_solving(solution: Solution) -> dict[str, list[Shown]]:
    """Return what the page shows of each thread's votes and searches, by its id, or `direct`."""
    room, shown = MAX_NODES_SHOWN, dict[str, list[Shown]]()
    for id, each in solution.report.solving.items():
        for told in each:
            nodes = told.tree[:room]
            room -= len(nodes)
            picture = draw(nodes, left=len(told.tree) - len(nodes)) if told.tree else None
            shown.setdefault(id, []).append(Shown(told, told.votes[:MAX_VOTES_SHOWN], picture, nodes))
    return shown


def draw(tree: Sequence[TreeNode], *, left: int = 0) -> Picture:
    """Lay a tree out from the top: ends side by side, every other node above the middle of those that follow it."""
    below: dict[int, list[int]] = defaultdict(list)
    depth: dict[int, int] = {}
    for place, node in enumerate(tree):
        depth[place] = 0 if node.parent is None else depth[node.parent] + 1
        if node.parent is not None:
            below[node.parent].append(place)
    across = _across(tree, below)
    at: dict[int, tuple[float, float]] = {
        place: (MARGIN_PX + STEP_PX * across[place], MARGIN_PX + STEP_PX * depth[place]) for place in depth
    }
    lines = [(*at[node.parent], *at[place]) for place, node in enumerate(tree) if node.parent is not None]
    dots = [Dot(*at[place], place, _kind(node), _title(place, node)) for place, node in enumerate(tree)]
    width, height = (max((spot[side] for spot in at.values()), default=0) + MARGIN_PX for side in (0, 1))
    return Picture(width, height, dots, lines, left)


def _across(tree: Sequence[TreeNode], below: dict[int, list[int]]) -> dict[int, float]:
    """Return how far to the right each node stands, in steps."""
    across: dict[int, float] = {}
    ends = 0
    waiting = [0] if tree else []
    while waiting:
        place = waiting[-1]
        behind = [child for child in below.get(place, []) if child not in across]
        if behind:
            waiting += reversed(behind)
            continue
        waiting.pop()
        children = [across[child] for child in below.get(place, [])]
        across[place] = (children[0] + children[-1]) / 2 if children else float(ends)
        ends += not children
    return across


def _kind(node: TreeNode) -> str:
    if not node.answer:
        return "open"
    return "high" if node.value >= 0.5 else "low"


def _title(place: int, node: TreeNode) -> str:
    return f"step {place}: value {node.value:.2f}, visited {node.visits} times" if place else "the question"
