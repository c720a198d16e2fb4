"""What workers, workflow and those who ask tell each other. Long texts stand for themselves only in the run's store."""

from typing import Any, cast

from pydantic import Field, TypeAdapter
from pydantic_core import to_jsonable_python

from nodes.shared.record import Record
from nodes.state import State

WORKFLOW = "adaptive"
"""The workflow's name at the server."""
OPEN, KEEP = "open", "keep"
"""The activities that begin and end a run."""
_FIELDS: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(cast(Any, field.annotation)) for name, field in State.model_fields.items()
}


class RunCall(Record):
    """A run that is handed over."""

    run: str
    """Its id, in the store and at the server."""
    problem: dict[str, Any]
    """What is asked, without its long texts."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What its caller chose."""
    trace: dict[str, str] = Field(default_factory=dict)
    """Headers of the trace that it is a part of."""


class Opened(Record):
    """The settings of a run, all of them: what its caller chose, and for the rest what the worker has."""

    settings: dict[str, Any]
    keyless: bool = False
    """Whether the server gets no key, even if the worker has one."""


class StageCall(Record):
    """A step of a run."""

    run: str
    stage: str
    """The node."""
    state: dict[str, Any]
    """Its input, without the long texts."""
    pieces: list[dict[str, Any]] = Field(default_factory=list)
    """For a thread: what was cut of the problem's long texts. The problem itself is in the store: a list of a thousand
    documents, sent with each of 64 threads, would be larger than a message to the server may be."""
    opened: Opened
    elapsed_s: float = 0.0
    """Seconds that the run had worked when this was asked."""
    replies: list[Any] = Field(default_factory=list)
    """What a person has said at this step."""
    trace: dict[str, str] = Field(default_factory=dict)


class StageReply(Record):
    """What came of a step."""

    update: dict[str, Any] | None = None
    """What the node returned, without the long texts."""
    asks: dict[str, Any] | None = None
    """What a person is asked; then there is no update."""
    events: list[dict[str, Any]] = Field(default_factory=list)
    """What the node told while it ran."""
    worker: str = ""
    """Who did it."""


class KeepCall(Record):
    """A run that has ended."""

    run: str
    state: dict[str, Any]


class News(Record):
    """What has become of a run since somebody last asked."""

    events: list[dict[str, Any]] = Field(default_factory=list)
    asks: dict[str, Any] | None = None
    asked: int = 0
    """How often a person has been asked."""


def write_values(values: Any) -> dict[str, Any]:
    """Write a state, a task or an update as JSON."""
    written: dict[str, Any] = to_jsonable_python(values)
    return written


def read_update(update: dict[str, Any]) -> dict[str, Any]:
    """Read what a node returned; nothing stands for a new beginning where a channel adds up."""
    return {name: None if value is None else _FIELDS[name].validate_python(value) for name, value in update.items()}
