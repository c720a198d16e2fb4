"""What the server says, built once as bytes: sound replies with real counts of tokens."""

import json
import re
from typing import Any, NamedTuple

from evals.bench.workload import THREADS, Role


class Body(NamedTuple):
    """A reply that is ready to be sent."""

    role: Role
    content: bytes


def body_for(request: bytes) -> Body:
    """Find the reply to a request, by the schema that it wants, else by the model that it names.

    Quotes inside messages are escaped, so what is searched for stands nowhere but where it counts.
    """
    schema = _SCHEMA.search(request)
    if schema:
        return _BODIES[schema.group(1)]
    model = _MODEL.search(request)
    return _BODIES.get(model.group(1), _TEXT) if model else _TEXT


_SCHEMA = re.compile(rb'"name"\s*:\s*"(Outline|Review)"')
_MODEL = re.compile(rb'"model"\s*:\s*"([^"]*)"')


def _body(role: Role, said: str | dict[str, Any], prompt_tokens: int) -> Body:
    text = said if isinstance(said, str) else json.dumps(said)
    completion_tokens = max(1, len(text) // 4)
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    message = {"role": "assistant", "content": text}
    reply = {
        "id": "bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }
    return Body(role, json.dumps(reply).encode())


_OUTLINE = {"parts": [str(number) for number in range(1, THREADS + 1)], "answer": "text"}
_REVIEW = {"redo": [], "conflicts": [], "answer": "All eight sums are as the threads found them."}
# As DSPy wants a field; to the other clients it is text like any other.
_FIELD = "[[ ## answer ## ]]\nThe two numbers are added: the sum is 42.\n\n[[ ## completed ## ]]"

_TEXT = _body("solve", "The two numbers are added.\nResult: the sum is 42.", 120)
_BODIES: dict[bytes, Body] = {
    b"Outline": _body("assess", _OUTLINE, 400),
    b"Review": _body("review", _REVIEW, 600),
    b"assess": _body("assess", _FIELD, 120),
    b"solve": _body("solve", _FIELD, 120),
    b"review": _body("review", _FIELD, 250),
}
