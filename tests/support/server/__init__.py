"""A real loopback server that speaks the chat completions protocol from a script.

Replies are keyed by what is asked (a role, or a thread's subquestion), not by the order of calls, so
that parallel threads can be scripted. A step is text, an object (sent as JSON), or a fault.
"""

from tests.support.server.asked import Asked, default_step, who_asks
from tests.support.server.dialects import DIALECTS, OPENROUTER_COST, TAGS, Dialect, refusal
from tests.support.server.scripted import ModelServer, model_server, serving
from tests.support.server.steps import (
    DROP,
    HANG,
    STALL,
    WORDS,
    Events,
    Fault,
    Reply,
    Step,
    Storm,
    Tool,
    outline,
    plan,
    review,
)
from tests.support.server.wire import as_reply, completion

__all__ = [
    "Asked",
    "DIALECTS",
    "Dialect",
    "TAGS",
    "refusal",
    "DROP",
    "Events",
    "Fault",
    "HANG",
    "OPENROUTER_COST",
    "ModelServer",
    "Reply",
    "STALL",
    "Step",
    "Storm",
    "Tool",
    "WORDS",
    "as_reply",
    "completion",
    "default_step",
    "model_server",
    "outline",
    "plan",
    "review",
    "serving",
    "who_asks",
]
