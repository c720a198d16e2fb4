"""What a request asks: the problem, the settings, and how it wants its answer (pure)."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from langchain_core.messages import BaseMessage, SystemMessage
from pydantic import ValidationError

from graphs.intake import read_messages, storable_value
from nodes.boundary.access import for_request
from nodes.conversation.reply import FIGURES
from nodes.conversation.turns import read_conversation
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings, unknown_settings
from nodes.shared.refusals import say_problems
from nodes.state import Problem

Model = Literal["adaptive", "sequential"]
MODELS: tuple[Model, ...] = ("adaptive", "sequential")
_LENGTHS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
"""Names of the longest reply in tokens."""
_UNMET = {
    "tools": "the workflow calls no tools of its caller's",
    "functions": "the workflow calls no functions of its caller's",
    "previous_response_id": "nothing is kept here: send the conversation so far in `input`",
    "conversation": "nothing is kept here: send the conversation so far in `input`",
    "background": "a run ends with its request",
    "prompt": "no prompts are kept here",
    "logprobs": "an answer is made of several replies",
}
"""Fields whose wish cannot be met, each with the reason."""


class Refused(ValueError):
    """A request cannot be answered.

    Attributes:
        status: The HTTP status.
        param: The field at fault.
        code: OpenAI's name of the fault, if it has one.
    """

    def __init__(self, why: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        """Say why, in words that can be shown."""
        super().__init__(why)
        self.status, self.param, self.code = status, param, code


class Asked(NamedTuple):
    """What a request asks."""

    model: Model
    problem: Problem
    settings: Settings
    stream: bool
    usage: bool
    """Whether a stream ends with the tokens used."""


def read_chat(body: Any) -> Asked:
    """Read a request for a chat completion.

    Raises:
        Refused: Something is wrong with it.
    """
    fields = _check_fields(body)
    if not isinstance(fields.get("messages"), list):
        raise Refused("`messages` is missing: the conversation so far, in order", param="messages")
    options = fields.get("stream_options")
    usage = isinstance(options, Mapping) and bool(options.get("include_usage"))
    return _make_asked(fields, _read(fields["messages"], "messages"), usage=usage)


def read_response(body: Any) -> Asked:
    """Read a request for a response.

    Raises:
        Refused: Something is wrong with it.
    """
    fields = _check_fields(body)
    given = fields.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list):
        raise Refused("`input` is missing: a question, or the conversation so far", param="input")
    said = [item for item in items if not (isinstance(item, Mapping) and item.get("type") == "reasoning")]
    for item in said:
        if not isinstance(item, Mapping) or item.get("type", "message") != "message":
            raise Refused("`input`: only messages can be read", param="input")
    messages = _read([{"role": item.get("role"), "content": item.get("content")} for item in said], "input")
    if rules := fields.get("instructions"):
        messages = [SystemMessage(str(rules)), *messages]
    return _make_asked(fields, messages, usage=True)


def _check_fields(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Refused("the body must be a JSON object")
    fields: dict[str, Any] = storable_value(body)
    if fields.get("model") not in MODELS:
        known = ", ".join(f"`{name}`" for name in MODELS)
        raise Refused(
            f"there is no model `{fields.get('model')}`; there are {known}",
            status=404,
            param="model",
            code="model_not_found",
        )
    for name, why in _UNMET.items():
        if fields.get(name):
            raise Refused(f"`{name}` is not supported: {why}", param=name)
    if fields.get("n") not in (None, 1):
        raise Refused("`n` is not supported: there is one answer", param="n")
    text = fields.get("text")
    for name, wanted in (
        ("response_format", fields.get("response_format")),
        ("text", (text or {}).get("format") if isinstance(text, Mapping) else None),
    ):
        if isinstance(wanted, Mapping) and wanted.get("type") != "text":
            raise Refused(f"`{name}` is not supported: answers are texts", param=name)
    return fields


def _read(messages: list[Any], param: str) -> list[BaseMessage]:
    try:
        return read_messages(messages)
    except ValueError as error:
        raise Refused(str(error), param=param) from None


def _make_asked(fields: Mapping[str, Any], messages: list[BaseMessage], *, usage: bool) -> Asked:
    try:
        problem = read_conversation(messages)
    except ValidationError as error:
        raise Refused("; ".join(say_problems(error)), param="messages") from None
    except ValueError as error:
        raise Refused(str(error), param="messages") from None
    return Asked(fields["model"], problem, _settings(fields), bool(fields.get("stream")), usage)


def _settings(fields: Mapping[str, Any]) -> Settings:
    """Make the run's settings of what a request may choose."""
    given = fields.get(FIGURES) or {}
    if not isinstance(given, Mapping):
        raise Refused(f"`{FIGURES}` must be an object: settings by name", param=FIGURES)
    if strange := [name for name in given if name not in Settings.model_fields]:
        raise Refused(unknown_settings(strange), param=FIGURES)
    length = next((fields[name] for name in _LENGTHS if fields.get(name) is not None), None)
    usual = {"temperature": fields.get("temperature"), "max_tokens": length}
    chosen = {name: value for name, value in usual.items() if value is not None} | dict(given)
    try:
        settings = for_request(Settings(**chosen))
    except ValidationError as error:
        raise Refused("; ".join(say_problems(error)), param=FIGURES) from None
    except ConfigurationError as error:
        raise Refused(str(error), param=FIGURES) from None
    if settings.oversight != "none":
        raise Refused("`oversight` is not supported: nobody can be asked before the answer is sent", param=FIGURES)
    return settings
