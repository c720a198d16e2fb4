"""Results as datasets and experiments of LangSmith, where a key is set."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from langsmith import Client
from langsmith.schemas import TracerSession
from langsmith.utils import LangSmithError

from evals.item import Item
from evals.items import OURS, load_items
from evals.run.row import Row
from evals.run.store import Cell
from nodes.reporting.tracing import anonymizer
from nodes.shared.environment import environment_key

_FIGURES = ("score", "judged", "wall_s", "critical_path_tokens", "total", "threads", "rounds")


def is_wanted() -> bool:
    """Tell whether results are uploaded; without a key nothing leaves the machine."""
    return environment_key("LANGSMITH_API_KEY") is not None


def upload(cell: Cell, folder: Path | None) -> str:
    """Upload a cell as an experiment on its dataset, and say what came of it; never raises for the network's sake.

    Of others' data only ids go, no texts.
    """
    try:
        client = Client(anonymizer=anonymizer)
        dataset = f"apr-{cell.dataset}"
        known = next(iter(client.list_datasets(dataset_name=dataset)), None)
        dataset_id = (known or client.create_dataset(dataset, description="Adaptive parallel reasoning")).id
        items = {item.id: item for item in load_items(cell.dataset, folder)}
        rows = [row for row in cell.rows if row.id in items]
        there = {example.id for example in client.list_examples(dataset_id=dataset_id)}
        new = [_example(items[row.id], dataset_id) for row in rows if _example_id(row.id, dataset_id) not in there]
        if new:
            client.create_examples(dataset_id=dataset_id, examples=new)
        name = f"{cell.dataset}-{cell.variant}-{uuid.uuid4().hex[:8]}"
        about = cell.model_dump(mode="json", exclude={"rows"})
        project = client.create_project(name, reference_dataset_id=dataset_id, metadata=about)
        for row in rows:
            _experiment_run(client, project, row, dataset_id)
        client.flush()
        return f"uploaded: {len(rows)} results as experiment {name}"
    except LangSmithError as error:
        return f"not uploaded: {type(error).__name__}; the results are on disk"


def _example(item: Item, dataset_id: uuid.UUID) -> dict[str, object]:
    ours = item.dataset in OURS
    known = item.model_dump(mode="json", exclude={"dataset"}) if ours else {"id": item.id, "threads": item.threads}
    return {
        "id": _example_id(item.id, dataset_id),
        "inputs": {name: known[name] for name in ("id", "question", "documents", "results") if name in known},
        "outputs": {name: known[name] for name in ("answers", "threads", "wrong", "contradictions") if name in known},
    }


def _example_id(id: str, dataset_id: uuid.UUID) -> uuid.UUID:
    return uuid.uuid5(dataset_id, id)


def _experiment_run(client: Client, project: TracerSession, row: Row, dataset_id: uuid.UUID) -> None:
    run_id, ended = uuid.uuid4(), datetime.now(UTC)
    client.create_run(
        row.id,
        inputs={"id": row.id},
        outputs={"answer": row.answer},
        run_type="chain",
        id=run_id,
        project_name=project.name,
        start_time=ended - timedelta(seconds=row.wall_s),
        end_time=ended,
        error=row.error or None,
        reference_example_id=_example_id(row.id, dataset_id),
    )
    for name in _FIGURES:
        if row[name] is not None:
            client.create_feedback(run_id, key=name, score=float(row[name]), trace_id=run_id, session_id=project.id)
