"""One trace for a run whose steps are made in several processes: they hang under what is opened here."""

from typing import TYPE_CHECKING, Any

from langsmith.run_helpers import get_current_run_tree
from langsmith.run_trees import RunTree, get_cached_client
from langsmith.utils import tracing_is_enabled

from graphs.temporal.wire import WORKFLOW
from nodes.reporting.tracing import list_figures, mask_traces, title
from nodes.state import Solution

if TYPE_CHECKING:
    from nodes.state import Problem


class Trace:
    """The trace of a run, where traces are wanted."""

    def __init__(self, problem: "Problem | None") -> None:
        """Open it for a question; for who only comes back to a run, there is none."""
        self._tree: RunTree | None = None
        if problem is None or not tracing_is_enabled():
            return
        mask_traces()
        name = title(WORKFLOW, problem.question)
        inputs = {"question": problem.question, "instructions": problem.instructions}
        outer = get_current_run_tree()
        if outer:
            self._tree = outer.create_child(name, run_type="chain", inputs=inputs)
        else:
            self._tree = RunTree(name=name, run_type="chain", inputs=inputs, client=get_cached_client())
        self._tree.post()

    def headers(self) -> dict[str, str]:
        """Return what has steps elsewhere hang under it."""
        return dict(self._tree.to_headers()) if self._tree else {}

    def end(self, solution: Solution | None = None, error: BaseException | None = None) -> None:
        """Close it, with the run's figures or what broke it."""
        tree, self._tree = self._tree, None
        if tree is None:
            return
        outputs: dict[str, Any] | None = None
        if solution:
            tree.add_metadata(list_figures(solution.outcome, solution.route, solution.report))
            outputs = {"answer": solution.answer, "outcome": solution.outcome, "stop_reason": solution.stop_reason}
        tree.end(outputs=outputs, error=None if error is None else f"{type(error).__name__}: {error}")
        tree.patch()
