"""Models of any provider of LangChain's, and chat models of one's own."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import Field

from graphs import build_graph, graph
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.providers.integrations import INTEGRATIONS
from tests.support.server import ModelServer, outline, review
from tests.support.subjects.calls import PARTS, ask, split

USED = UsageMetadata(input_tokens=7, output_tokens=3, total_tokens=10)


class StatusError(Exception):
    """What clients raise of a status."""

    def __init__(self, status: int) -> None:
        super().__init__("no words that tell anything")
        self.status_code = status


class Scripted(BaseChatModel):
    """A chat model of somebody's own: it plans what is asked of it as an object, else says its lines in turn."""

    lines: list[Any] = Field(default_factory=lambda: ["Result: x"])
    parts: list[str] = Field(default_factory=list)
    reason: str = ""
    asked: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _next(self, messages: list[BaseMessage], asked: dict[str, Any]) -> AIMessage:
        self.asked.append({"prompt": "\n".join(str(message.text) for message in messages), **asked})
        told = {"stop_reason": self.reason} if self.reason else {}
        system = str(messages[0].text)
        for start, planned in (("Find the parts", outline(*self.parts)), ("Helpers worked", review())):
            if system.startswith(start):
                return self._planned(planned, asked, told)
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        if isinstance(line, BaseException):
            raise line
        if isinstance(line, AIMessage):
            return line
        return AIMessage(content=line, usage_metadata=USED, response_metadata=told)

    def _planned(self, planned: dict[str, Any], asked: dict[str, Any], told: dict[str, Any]) -> AIMessage:
        return AIMessage(content=json.dumps(planned), usage_metadata=USED, response_metadata=told)

    def _generate(self, messages: list[BaseMessage], *_: Any, **asked: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages, asked))])


class WithTools(Scripted):
    """One that calls tools, and streams."""

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **more: Any) -> Runnable[Any, AIMessage]:
        return self.bind(tools=tools, tool_choice=tool_choice, **more)

    def _planned(self, planned: dict[str, Any], asked: dict[str, Any], told: dict[str, Any]) -> AIMessage:
        call = {"name": asked["tool_choice"], "args": planned, "id": "1"}
        return AIMessage(content="", tool_calls=[call], usage_metadata=USED, response_metadata=told)

    async def _astream(self, messages: list[BaseMessage], *_: Any, **asked: Any) -> AsyncIterator[ChatGenerationChunk]:
        said = self._next(messages, asked)
        for word in str(said.text).split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} "))
        calls = [
            {"name": call["name"], "args": json.dumps(call["args"]), "id": call["id"], "index": 0}
            for call in said.tool_calls
        ]
        last: Any = {"usage_metadata": said.usage_metadata, "response_metadata": said.response_metadata}
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=calls, **last))


class WithSchemas(WithTools):
    """One whose provider follows JSON schemas, as its profile says."""

    profile: Any = Field(default={"structured_output": True, "max_input_tokens": 5_000})

    def _planned(self, planned: dict[str, Any], asked: dict[str, Any], told: dict[str, Any]) -> AIMessage:
        assert asked["response_format"]["json_schema"]["name"] in ("Outline", "Review")
        return AIMessage(content=json.dumps(planned), usage_metadata=USED, response_metadata=told)


# Chat models of one's own


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", [Scripted, WithTools, WithSchemas])
async def test_a_model_of_ones_own_does_all_the_work(kind: type[Scripted], streaming: bool) -> None:
    mine = kind(parts=PARTS, lines=["Result: 1", "Result: 2", "Result: 3"])
    solution = await ask({}, build_graph(models={"model": mine}), streaming=streaming)
    assert (solution["outcome"], solution["route"]) == ("complete", "parallel"), solution["stop_reason"]
    assert sorted(thread.answer for thread in solution["threads"]) == ["1", "2", "3"]
    calls = solution["calls"]
    assert len(calls) == len(mine.asked) == 5 and {call.model for call in calls} == {"own:model"}
    assert solution["report"].tokens.input == 7 * 5 and solution["report"].tokens.output == 3 * 5
    ways = {name for asked in mine.asked for name in ("tools", "response_format") if name in asked}
    assert ways == {Scripted: set(), WithTools: {"tools"}, WithSchemas: {"response_format"}}[kind]
    assert {call.window for call in calls} == {5_000 if kind is WithSchemas else None}


async def test_a_role_may_have_a_model_of_its_own(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, *PARTS)
    mine = Scripted(lines=["Result: mine"])
    solution = await ask(context, build_graph(models={"solve": mine}))
    assert [thread.answer for thread in solution["threads"]] == ["mine"] * 3 and not server.calls("solve")
    assert server.calls("assess") and server.calls("review") and solution["threads"][0].model == "own:solve"
    # What the caller says counts more.
    chosen = await ask({**context, "solve_model": "openai:scripted"}, build_graph(models={"solve": mine}))
    assert chosen["outcome"] == "complete" and len(mine.asked) == 3


@pytest.mark.parametrize(
    ("fault", "kind", "tries"),
    [
        (StatusError(401), "unauthorized", 1),
        (StatusError(404), "not_found", 1),
        (StatusError(400), "bad_request", 1),
        (StatusError(529), "overloaded", 2),
        (StatusError(500), "server_error", 2),
        (ConnectionRefusedError(), "unreachable", 2),
        (ConnectionResetError(), "dropped", 2),
        (RuntimeError("odd"), "server_error", 2),
    ],
)
async def test_what_it_raises_is_told_apart_by_status_and_class(fault: Exception, kind: str, tries: int) -> None:
    mine = Scripted(lines=[fault, "Yes."])
    solution = await ask({}, build_graph(models={"model": mine}))
    direct = [call.status for call in solution["calls"] if call.role == "solve"]
    assert direct == ([kind, "ok"] if tries == 2 else [kind])
    assert solution["outcome"] == ("complete" if tries == 2 else "failed")


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_it_calls_tools(streaming: bool) -> None:
    def height_of(tower: str) -> str:
        """Tell how tall a tower is."""
        return f"{tower}: 330 m"

    wish = {"name": "height_of", "args": {"tower": "Eiffel"}, "id": "c1"}
    mine = WithTools(lines=[AIMessage(content="", tool_calls=[wish], usage_metadata=USED), "It is 330 m tall."])
    built = build_graph(models={"model": mine}, tools=[height_of])
    solution = await ask({"head_start": "off"}, built, streaming=streaming)
    assert (solution["outcome"], solution["answer"]) == ("complete", "It is 330 m tall."), solution["stop_reason"]
    assert "Eiffel: 330 m" in mine.asked[-1]["prompt"] and mine.asked[-1]["tools"]


async def test_its_fallback_answers_for_it() -> None:
    broken, spare = Scripted(lines=[StatusError(401)]), Scripted(lines=["Yes."])
    solution = await ask({}, build_graph(models={"model": broken, "fallback": spare}))
    assert (solution["answer"], solution["report"].fallbacks) == ("Yes.", 1)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("max_tokens", "partial"), ("end_turn", "complete"), ("refusal", "partial"), ("", "complete")],
)
async def test_how_its_reply_ended_counts_as_anybodys(reason: str, outcome: str) -> None:
    mine = Scripted(lines=["Half of it"], reason=reason)
    solution = await ask({}, build_graph(models={"model": Scripted(), "solve": mine}))
    assert solution["outcome"] == outcome


async def test_it_is_in_no_checkpoint_and_a_run_is_resumed_with_it() -> None:
    mine = Scripted(parts=PARTS, lines=["Result: 1"])
    saver = InMemorySaver()
    at: Any = {"configurable": {"thread_id": "1"}}
    built = build_graph(models={"model": mine}, checkpointer=saver)
    await built.ainvoke({"question": "What?"}, at, context={"oversight": "answer"})
    assert "Scripted" not in str(saver.storage) + str(saver.blobs) + str(saver.writes)
    without = build_graph(checkpointer=saver)
    with pytest.raises(ConfigurationError, match=r"`own:model` is no model of this graph.*build_graph"):
        await without.ainvoke(
            {"question": "What?"}, {"configurable": {"thread_id": "2"}}, context={"model": "own:model"}
        )


@pytest.mark.parametrize("models", [{"solver": Scripted()}, {"solve": "openai:x"}])
def test_what_is_no_model_or_for_nobody_is_refused(models: Any) -> None:
    with pytest.raises(ValueError, match="`models` has"):
        build_graph(models=models)


async def test_a_stopped_call_stops_its_model() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    class Slow(WithTools):
        async def _agenerate(self, *_: Any, **asked: Any) -> ChatResult:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            raise AssertionError

    run = asyncio.create_task(ask({}, build_graph(models={"model": Slow()})))
    await begun.wait()
    run.cancel()
    await asyncio.wait([run])
    assert ended.is_set()


# Providers


@pytest.mark.parametrize("provider", [name for name in INTEGRATIONS if name not in ("azure_openai", "langsmith")])
def test_every_provider_may_be_named(provider: str) -> None:
    assert Settings(model=f"{provider}:any").model == f"{provider}:any"


async def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="pip install .*langchain-nvidia-ai-endpoints"):
        await ask({"model": "nvidia:any"}, graph)


async def test_a_provider_is_not_a_requests_to_choose() -> None:
    served: Any = {"configurable": {"graph_id": "any", "assistant_id": "any"}}
    with pytest.raises(ConfigurationError, match="models of huggingface are not a request's to choose"):
        await graph.ainvoke({"question": "What?"}, served, context={"model": "huggingface:any"})


def test_the_providers_are_langchains() -> None:
    base = pytest.importorskip("langchain.chat_models.base", reason="langchain is not installed")
    known = {name: place[:2] for name, place in base._BUILTIN_PROVIDERS.items() if name not in ("openai", "deepseek")}
    assert {name: (one.module, one.chat_class) for name, one in INTEGRATIONS.items()} == known
