"""What a run's history at Temporal holds, and how long what is in it took (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Figures:
    """What a history holds.

    Attributes:
        events: How many events.
        size: Their bytes.
        payloads: Bytes of each payload.
        decisions: Seconds of each decision: from when a worker got it until the server had it.
        turns: When each thread was handed out, in seconds since the epoch.
        begun: When a worker took each thread.
        ended: When the result of each was there.
    """

    events: int = 0
    size: int = 0
    payloads: list[int] = field(default_factory=list)
    decisions: list[float] = field(default_factory=list)
    turns: dict[int, float] = field(default_factory=dict)
    begun: dict[int, float] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)


def read_history(events: list[Any]) -> Figures:
    """Sum a history up."""
    found, begun = Figures(), {}
    for event in events:
        found.events += 1
        found.size += event.ByteSize()
        found.payloads += [payload.ByteSize() for payload in list_payloads(event)]
        kind, at = event.WhichOneof("attributes").removesuffix("_event_attributes"), at_of(event)
        about = getattr(event, event.WhichOneof("attributes"))
        if kind == "workflow_task_started":
            begun[event.event_id] = at
        elif kind == "workflow_task_completed":
            found.decisions.append(at - begun[about.started_event_id])
        elif kind == "activity_task_scheduled" and about.activity_type.name == "solve":
            found.turns[event.event_id] = at
        elif kind == "activity_task_started" and about.scheduled_event_id in found.turns:
            found.begun[about.scheduled_event_id] = at
        elif kind == "activity_task_completed" and about.scheduled_event_id in found.turns:
            found.ended[about.scheduled_event_id] = at
    return found


def at_of(event: Any) -> float:
    """Return when an event was, in seconds since the epoch."""
    return float(event.event_time.ToNanoseconds() / 1e9)


def list_payloads(message: Any) -> Iterator[Any]:
    """Go through all payloads in a message."""
    if message.DESCRIPTOR.full_name == "temporal.api.common.v1.Payload":
        yield message
        return
    for field_, value in message.ListFields():
        if field_.message_type is None:
            continue
        if field_.message_type.GetOptions().map_entry:
            held = [one for one in value.values() if hasattr(one, "DESCRIPTOR")]
        else:
            held = list(value) if field_.is_repeated else [value]
        for one in held:
            yield from list_payloads(one)
