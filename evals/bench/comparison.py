"""The clients that this graph is compared with, written as their users would."""

import asyncio
import importlib
import operator
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from evals.bench.workload import THREADS, Order, Role, messages, parts, question

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

Ask = Callable[[Role, str], Awaitable[str]]
"""Sends one call of a role and returns the reply's text."""
_Run = Callable[[int], Awaitable[None]]


class Incomplete(Exception):
    """A run that did not come to a whole answer."""


def _check(answer: str, results: list[str]) -> None:
    if not answer or len(results) != THREADS or not all(results):
        raise Incomplete("a reply was empty or missing")


def _gathering(ask: Ask) -> _Run:
    async def run(number: int) -> None:
        outline = await ask("assess", question(number))
        results = await asyncio.gather(*(ask("solve", f"{outline}\n\n{part}") for part in parts(number)))
        _check(await ask("review", "\n".join(results)), results)

    return run


@asynccontextmanager
async def openai_sdk(order: Order, base_url: str) -> AsyncIterator[_Run]:
    """Open the openai SDK's own client."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=base_url, api_key="none", timeout=None, max_retries=0) as client:

        async def ask(role: Role, text: str) -> str:
            asked: Any = messages(role, text)
            reply = await client.chat.completions.create(model=role, messages=asked)
            return reply.choices[0].message.content or ""

        yield _gathering(ask)


def _chat(base_url: str, **options: Any) -> "ChatOpenAI":
    from langchain_openai import ChatOpenAI

    known: dict[str, Any] = {"base_url": base_url, "api_key": "none", "timeout": None, "max_retries": 0}
    return ChatOpenAI(model="solve", **known, **options)


def _asking(chat: "ChatOpenAI") -> Ask:
    async def ask(role: Role, text: str) -> str:
        return (await chat.ainvoke(messages(role, text), model=role)).text

    return ask


@asynccontextmanager
async def chat_openai(order: Order, base_url: str) -> AsyncIterator[_Run]:
    """Open LangChain's chat model."""
    yield _gathering(_asking(_chat(base_url)))


class _State(TypedDict, total=False):
    number: int
    outline: str
    results: Annotated[list[str], operator.add]
    answer: str


def _map_reduce(ask: Ask) -> _Run:
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send

    async def assess(state: _State) -> Any:
        return {"outline": await ask("assess", question(state["number"]))}

    def fan_out(state: _State) -> list[Send]:
        return [Send("solve", f"{state['outline']}\n\n{part}") for part in parts(state["number"])]

    async def solve(text: str) -> Any:
        return {"results": [await ask("solve", text)]}

    async def review(state: _State) -> Any:
        return {"answer": await ask("review", "\n".join(state["results"]))}

    builder: Any = StateGraph(_State)
    for node in (assess, solve, review):
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "assess")
    builder.add_conditional_edges("assess", fan_out, ["solve"])
    builder.add_edge("solve", "review")
    builder.add_edge("review", END)
    graph = builder.compile()

    async def run(number: int) -> None:
        state = await graph.ainvoke({"number": number})
        _check(state["answer"], state["results"])

    return run


@asynccontextmanager
async def bare_langgraph(order: Order, base_url: str) -> AsyncIterator[_Run]:
    """Open a map-reduce with nothing but the nodes."""
    yield _map_reduce(_asking(_chat(base_url)))


@asynccontextmanager
async def bare_langgraph_aiohttp(order: Order, base_url: str) -> AsyncIterator[_Run]:
    """Open the same over an aiohttp transport."""
    from openai import DefaultAioHttpClient

    async with DefaultAioHttpClient(timeout=None) as http:
        yield _map_reduce(_asking(_chat(base_url, http_async_client=http)))


def dspy_predict(engine: str) -> Any:
    """Return what opens DSPy's predictors over one of its engines: `litellm`, or `auto`, which prefers its own."""

    @asynccontextmanager
    async def open_program(order: Order, base_url: str) -> AsyncIterator[_Run]:
        dspy = importlib.import_module("dspy")
        common = {"api_base": base_url, "api_key": "none", "cache": False, "num_retries": 0, "engine": engine}
        roles: tuple[Role, ...] = ("assess", "solve", "review")
        models = {role: dspy.LM(f"openai/{role}", **common) for role in roles}
        predict = dspy.Predict("question -> answer")

        async def ask(role: Role, text: str) -> str:
            return str((await predict.acall(question=text, lm=models[role])).answer)

        yield _gathering(ask)

    return open_program
