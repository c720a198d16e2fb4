"""How a solver came to a result, as it is kept and shown (see `nodes.solvers`)."""

from pydantic import Field

from nodes.shared.cleaning import one_line
from nodes.shared.knobs.solvers import SolverName
from nodes.shared.record import Record

WHOLE = "direct"
"""What a question that is answered directly is known by among the threads of a report."""
MAX_SHOWN_CHARACTERS = 200
"""Characters of a sample, a step or a lesson that are kept to be shown."""


class Votes(Record):
    """One of the results that samples came to."""

    answer: str
    """As the first of them said it, shortened."""
    count: int
    """How many said so."""


class TreeNode(Record):
    """One step of a search."""

    parent: int | None = None
    """Its place in the list of nodes; `None` for the root, which stands for the question."""
    visits: int = 1
    """How often it was on the way that an iteration went; its rating is the first visit."""
    value: float = 0.0
    """Mean of its rating and of what came of these iterations, 0 to 1."""
    text: str = ""
    answer: str = ""
    """The result, where the step reaches one."""
    checked: bool = False
    """Whether the task's own checker judged the result."""
    message: str = ""
    """What the checker said."""


class Solving(Record):
    """How one question was worked out by a vote or a search."""

    solver: SolverName
    votes: list[Votes] = Field(default_factory=list)
    """Of a vote, the results with their counts, the most frequent first."""
    asked: int = 0
    """Samples that began."""
    failed: int = 0
    """Samples without a whole reply."""
    cancelled: int = 0
    """Samples that were broken off, as the majority was certain."""
    tree: list[TreeNode] = Field(default_factory=list)
    """Of a search, its nodes, each behind its parent, their texts shortened."""
    lessons: list[str] = Field(default_factory=list)
    """What it learnt from failures."""
    iterations: int = 0
    ended: str = ""
    """Why the search ended."""


def shorten_node(node: TreeNode) -> TreeNode:
    """Return a node as it is kept and shown."""
    texts = {name: one_line(node[name], MAX_SHOWN_CHARACTERS) for name in ("text", "answer", "message")}
    return node.model_copy(update={**texts, "value": round(node.value, 3)})
