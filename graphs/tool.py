"""The workflow as a tool of other agents: they read the answer, and what is missing; figures come beside it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field

from graphs.chat import chat
from nodes.conversation.reply import FIGURES
from nodes.llm.replies.errors import ConfigurationError

_Given = Sequence["GivenText"]
_Said = tuple[str, dict[str, Any]]
_WHAT = (
    "Answers a question that may have many independent parts, or be about many documents: each part is worked out by "
    "itself, at the same time as the others, and the results are reviewed. Knows nothing of this conversation."
)


class GivenText(BaseModel):
    """A text that a question is about."""

    id: str = Field(description="A name that no other of the texts has.")
    text: str = Field(description="The whole text.")


class Asked(BaseModel):
    """What an agent asks."""

    question: str = Field(description="The whole question, in words that stand alone.")
    documents: list[GivenText] = Field(default_factory=list, description="Texts that the question is about.")
    instructions: str = Field("", description="Rules for every part and for the answer.")


def build_tool(
    *, name: str = "answer_in_parts", description: str = _WHAT, bound: Runnable[Any, Any] = chat
) -> BaseTool:
    """Make a tool for an agent of LangChain's or LangGraph's.

    Its message is the answer, with what is missing in a last paragraph; the figures of the run are its artifact: those
    of a message of `chat`, and `usage`. Input that is refused, and a run that fails, come as errors that the agent's
    model reads.

    Args:
        name: What the agent's model calls it.
        description: What the agent's model is told of it.
        bound: The conversation that answers: `chat.with_config(context={…})`, if settings are not the environment's.

    Raises:
        ConfigurationError: When it is called and a key or a package is missing: nothing an agent could mend.
    """

    def ask(question: str, config: RunnableConfig, documents: _Given = (), instructions: str = "") -> _Said:
        with _refusals_to_read():
            return _read(bound.invoke(_messages(question, documents, instructions), config))

    async def aask(question: str, config: RunnableConfig, documents: _Given = (), instructions: str = "") -> _Said:
        with _refusals_to_read():
            return _read(await bound.ainvoke(_messages(question, documents, instructions), config))

    return StructuredTool.from_function(
        ask,
        aask,
        name=name,
        description=description,
        args_schema=Asked,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


@contextmanager
def _refusals_to_read() -> Iterator[None]:
    """Let the agent's model read what is wrong with its question, and nobody else's mistakes."""
    try:
        yield
    except ConfigurationError:
        raise
    except ValueError as error:
        raise ToolException(str(error)) from None


def _messages(question: str, documents: _Given, instructions: str) -> dict[str, Any]:
    files = [{"type": "text-plain", "text": one.text, "title": one.id} for one in documents]
    asked = HumanMessage([{"type": "text", "text": question}, *files])
    return {"messages": [*([SystemMessage(instructions)] if instructions else []), asked]}


def _read(conversation: dict[str, Any]) -> _Said:
    reply: AIMessage = conversation["messages"][-1]
    figures = reply.additional_kwargs[FIGURES]
    if figures["outcome"] == "failed":
        raise ToolException(reply.text)
    return reply.text, figures | {"usage": reply.usage_metadata}
