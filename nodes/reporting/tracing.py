"""What traces get to see of a run: a speaking name, its figures, and no secrets.

LangChain's tracer sends runs to LangSmith, or to OpenTelemetry, through one client for the whole process. It is set up
here, before the tracer asks for it, so that everything is masked on its way out.
"""

from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.tracers.base import AsyncBaseTracer, BaseTracer
from langgraph.config import get_config
from langsmith.anonymizer import StringNode, StringNodeProcessor, create_anonymizer
from langsmith.run_trees import get_cached_client
from langsmith.utils import tracing_is_enabled

from nodes.reporting.report import Report
from nodes.shared.masking import mask, mask_all
from nodes.threads.results import ThreadResult

MAX_RUN_NAME_CHARACTERS = 80
"""Characters of a run's name."""
MAX_DEPTH = 100
"""Levels of nested values; what lies deeper would not be masked."""
TRACED_FIGURES = (
    "wall_s",
    "critical_path_s",
    "speedup",
    "critical_path_tokens",
    "calls",
    "rounds",
    "retries",
    "hedges",
    "threads_planned",
    "threads_used",
    "peak_parallel",
    "cached",
    "cost_usd",
)
"""Fields of the report that stand in the root run's metadata."""


class _Masking(StringNodeProcessor):
    """Masks what one event of a trace holds, whose texts are mostly the same few."""

    def mask_nodes(self, nodes: list[StringNode]) -> list[StringNode]:
        masked = mask_all(node["value"] for node in nodes)
        return [
            StringNode(value=masked[node["value"]], path=node["path"])
            for node in nodes
            if masked[node["value"]] != node["value"]
        ]


anonymizer: Callable[[Any], Any] = create_anonymizer(_Masking(), max_depth=MAX_DEPTH)
"""For a LangSmith client of one's own: `Client(anonymizer=anonymizer)`."""


def mask_traces() -> None:
    """Make the process's client for traces one that masks. Does nothing where tracing is off, or a client is there."""
    if tracing_is_enabled():
        get_cached_client(anonymizer=anonymizer)


def name_run(graph: str, question: str) -> None:
    """Name the graph's run after what is asked."""
    for run in _graph_runs():
        run.name = title(graph, question)


def title(graph: str, question: str) -> str:
    """Return the name of a graph's run."""
    # Masked before it is shortened: half a key would not be known as one.
    name = f"{graph}: {' '.join(mask(question).split())}"
    return name if len(name) <= MAX_RUN_NAME_CHARACTERS else name[: MAX_RUN_NAME_CHARACTERS - 2] + " …"


def name_thread(node: str, id: str, round: int) -> None:
    """Name the run of the node that works on a thread after it: `solve T2`, and `solve T2 (round 1)` once sent back.

    LangGraph names the runs of nodes after their nodes and has no option for it, so the tracers' own record is renamed.
    """
    for run in _node_runs():
        run.name = mask(f"{node} {id} (round {round})" if round else f"{node} {id}")
        run.add_metadata({"apr_thread": id, "apr_round": round})


def mark_thread(result: ThreadResult) -> None:
    """Mark the run of a thread that failed or ran out of time as one that broke, though its node did its work.

    One that somebody stopped did not break.
    """
    for run in _node_runs():
        run.add_metadata({"apr_status": result.status})
        if result.status in ("failed", "timed_out") and not result.stopped:
            run.error = mask(result.error) or result.status


def tell_outcome(outcome: str, route: str, report: Report) -> None:
    """Put the outcome and the figures into the metadata of the graph's run."""
    for run in _graph_runs():
        run.add_metadata(list_figures(outcome, route, report))


def list_figures(outcome: str, route: str, report: Report) -> dict[str, Any]:
    """List what of a run stands in the metadata of its trace."""
    tokens = {f"apr_tokens_{name}": count for name, count in report.tokens.model_dump().items()}
    figures = {f"apr_{name}": report[name] for name in TRACED_FIGURES if report[name] is not None}
    return {"apr_outcome": outcome, "apr_route": route, **tokens, **figures}


def _graph_runs() -> list[Any]:
    """Return what each tracer keeps of the graph whose node runs now."""
    return [known[str(run.parent_run_id)] for known, run in _list_open_runs() if str(run.parent_run_id) in known]


def _node_runs() -> list[Any]:
    """Return what each tracer keeps of the node that runs now."""
    return [run for _, run in _list_open_runs()]


def _list_open_runs() -> list[tuple[Any, Any]]:
    """Return of each tracer the runs that it has under way, and of these the node's."""
    try:
        manager = get_config().get("callbacks")
    except RuntimeError:  # outside of a graph
        return []
    if not isinstance(manager, BaseCallbackManager):
        return []
    maps = [handler.run_map for handler in manager.handlers if isinstance(handler, BaseTracer | AsyncBaseTracer)]
    node = str(manager.parent_run_id)
    # A tracer may have let go of it.
    return [(known, known[node]) for known in maps if node in known]
