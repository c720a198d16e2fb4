"""What leaves for LangSmith, or through OpenTelemetry: the whole tree, well named, and no secret in any byte of it.

Each run is a process of its own, since there is one client for traces in each. All but one have the workflow imported
when tracing is turned on.
"""

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from tests.support.command import PIPE, Process
from tests.support.forked import PROJECT, fork
from tests.support.server import Fault, ModelServer, Reply, outline, review
from tests.support.services.traces import TraceServer, trace_server

PARTS = [f"What is part {number}?" for number in range(1, 7)]
KEY = "a-key-that-looks-like-nothing-special"
PLANTED = "sk-planted0123456789abcdef"
CODE = """
import asyncio, json, sys
import graphs
from nodes.state import Solution

problem, context = json.loads(sys.stdin.read())
chosen = getattr(graphs, context.pop("graph", "graph"))
solution = Solution.model_validate(asyncio.run(chosen.ainvoke(problem, context=context)))
print(solution.model_dump_json(), flush=True)
"""
AROUND = """
import asyncio, json, sys
from typing import Any, TypedDict
import graphs
from langgraph.graph import END, START, StateGraph
from langchain_core.tracers.langchain import wait_for_all_tracers

problem, context = json.loads(sys.stdin.read())
Outer = TypedDict("Outer", {"question": str, "documents": list, "instructions": str, "answer": str})
builder = StateGraph(Outer).add_node("inner", graphs.graph.with_config(context=context))
outer = builder.add_edge(START, "inner").add_edge("inner", END).compile(name="outer")
print(asyncio.run(outer.ainvoke(problem))["answer"])
wait_for_all_tracers()
"""
SENT = """
from langchain_core.tracers.langchain import wait_for_all_tracers
wait_for_all_tracers()
"""
OTEL = (
    """
import json, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""
    + CODE
    + """
from langsmith.run_trees import get_cached_client
get_cached_client().flush()
print(json.dumps([json.loads(span.to_json()) for span in exporter.get_finished_spans()]))
"""
)


@pytest.fixture
def problem(server: ModelServer) -> dict[str, Any]:
    """Six threads, one of them with a retry; secrets in the question, a document, an answer and an error."""
    server.on("assess", outline(*PARTS))
    repeated = json.dumps({"error": {"message": f"bad moment for {KEY} and {PLANTED}"}})
    server.on(PARTS[2], Fault(status=500, body=repeated), "Result: at last")
    server.on(PARTS[3], Reply(f"Result: it is {PLANTED}", reasoning=f"They say {KEY}."))
    text = f"password {KEY} at http://user:{KEY}@host/"
    return {
        "question": f"Tell me all of {PLANTED} and {KEY}, please.",
        "documents": [{"id": f"{PLANTED}.txt", "text": text}],
        "instructions": f"Never say {PLANTED}.",
    }


async def run(code: str, server: ModelServer, problem: dict[str, Any], context: Any = None, **environment: str) -> str:
    given = {"model": "openai:scripted", "base_url": server.url} | (context or {})
    process = await begin(code, os.environ | {"OPENAI_API_KEY": KEY} | environment)
    out, err = await process.communicate(json.dumps([problem, given]).encode())
    assert process.returncode == 0, err.decode()
    assert KEY not in err.decode() and PLANTED not in err.decode()
    return out.decode()


async def begin(code: str, env: dict[str, str]) -> Process:
    if code != AROUND:
        return await fork("-c", code=code, env=env)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), env=env, cwd=PROJECT, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )


async def traced(
    server: ModelServer, problem: dict[str, Any], sent: TraceServer, after: str = SENT, **context: Any
) -> dict[str, Any]:
    solution: dict[str, Any] = json.loads(await run(CODE + after, server, problem, context, **tracing(sent)))
    return solution


def tracing(sent: TraceServer) -> dict[str, str]:
    return {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_ENDPOINT": sent.url,
        "LANGSMITH_API_KEY": "lsv2_pt_its_own_key",
    }


async def test_a_graph_around_it_that_is_traced_too_tells_no_secret(
    server: ModelServer, problem: dict[str, Any]
) -> None:
    async with trace_server() as sent:
        assert await run(AROUND, server, problem, **tracing(sent))
    assert sent.root["name"] == "outer" and [run["name"] for run in sent.below(sent.root)] == ["inner"]
    assert secrets_in(sent.bytes) == []


async def test_the_posted_tree_is_named_tells_the_figures_and_no_secret_and_has_each_call_under_its_thread(
    server: ModelServer, problem: dict[str, Any]
) -> None:
    async with trace_server() as sent:
        solution = await traced(server, problem, sent)
    assert solution["outcome"] == "complete"
    root = sent.root
    assert root["name"] == "adaptive: Tell me all of [secret] and [secret], please."
    stages = sent.below(root)
    assert [stage["name"] for stage in stages if not stage["name"].startswith("solve")][:2] == ["assess", "decompose"]
    told = {}
    for node in (stage for stage in stages if stage["name"].startswith("solve")):
        calls = sent.below(node)
        threads = {call["extra"]["metadata"]["apr_thread"] for call in calls}
        assert {f"solve {id}" for id in threads} == {node["name"]} and not node.get("error")
        assert len(threads) == 1 and {call["run_type"] for call in calls} == {"llm"}
        told[threads.pop()] = calls
    assert sorted(told) == ["T1", "T2", "T3", "T4", "T5", "T6"]
    for number, (id, calls) in enumerate(sorted(told.items())):
        for attempt, call in enumerate(calls, 1):
            about = call["extra"]["metadata"]
            assert call["name"] == f"solve {id}" and f"apr:solve {id}" in call["tags"]
            assert (about["apr_role"], about["apr_subquestion"]) == ("solve", PARTS[number])
            assert (about["apr_round"], about["apr_attempt"]) == (0, attempt)
            assert about["apr_prompt"].startswith(("solve@", "spawn@"))
    assert [bool(call.get("error")) for call in told["T3"]] == [True, False] and len(told["T1"]) == 1
    check_figures(root, solution["report"])
    assert solution["threads"][3]["answer"] == f"it is {PLANTED}"  # the run itself keeps what it was given
    assert secrets_in(sent.bytes) == []
    assert b"[secret]" in sent.bytes and b"What is part 4?" in sent.bytes


def check_figures(root: dict[str, Any], report: dict[str, Any]) -> None:
    """The root carries the outcome and the figures."""
    about = root["extra"]["metadata"]
    assert (about["apr_outcome"], about["apr_route"]) == ("complete", "parallel")
    assert about["apr_tokens_total"] == report["tokens"]["total"] > 0
    for name in ("wall_s", "critical_path_s", "calls", "retries", "threads_planned", "peak_parallel"):
        assert about[f"apr_{name}"] == report[name]
    assert (about["apr_calls"], about["apr_retries"]) == (9, 1)


async def test_a_block_of_a_program_may_be_traced(server: ModelServer, problem: dict[str, Any]) -> None:
    block = CODE.replace("solution =", "with tracing_context(enabled=True):\n  solution =")
    assert block != CODE
    async with trace_server() as sent:
        off = tracing(sent) | {"LANGSMITH_TRACING": "false"}
        assert await run("from langsmith import tracing_context\n" + block + SENT, server, problem, **off)
    assert sent.root["name"].startswith("adaptive: ") and secrets_in(sent.bytes) == []


async def test_a_thread_that_failed_is_marked_in_its_trace_and_the_run_goes_on(
    server: ModelServer, problem: dict[str, Any]
) -> None:
    server.on(PARTS[1], Fault(status=400, body=json.dumps({"error": {"message": f"no such thing, {KEY}"}})))
    server.on("review", review("", "T5: look again"), review("All of it."))
    async with trace_server() as sent:
        solution = await traced(server, problem, sent)
    assert solution["outcome"] == "partial" and solution["threads"][1]["status"] == "failed"
    nodes = {stage["name"]: stage for stage in sent.below(sent.root) if stage["name"].startswith("solve")}
    assert {"solve T2", "solve T5", "solve T5 (round 1)"} < nodes.keys()
    broken = {name for name, node in nodes.items() if node.get("error")}
    assert broken and {name.split(" (")[0] for name in broken} == {"solve T2"} and not sent.root.get("error")
    assert "no such thing" in nodes["solve T2"]["error"] and secrets_in(sent.bytes) == []
    assert nodes["solve T2"]["outputs"] and nodes["solve T2"]["extra"]["metadata"]["apr_status"] == "failed"
    assert nodes["solve T5 (round 1)"]["extra"]["metadata"]["apr_round"] == 1


async def test_the_sequential_graph_is_named_and_told_too(server: ModelServer, problem: dict[str, Any]) -> None:
    async with trace_server() as sent:
        await traced(server, problem, sent, graph="sequential")
    assert sent.root["name"].startswith("sequential: Tell me all")
    assert sent.root["extra"]["metadata"]["apr_outcome"] == "complete"
    assert secrets_in(sent.bytes) == []


def secrets_in(posted: bytes) -> list[str]:
    return [secret for secret in (KEY, PLANTED, "its_own_key") if secret.encode() in posted]


async def test_a_failed_run_says_so_in_its_trace(server: ModelServer, problem: dict[str, Any]) -> None:
    server.on("assess", Fault(status=401, body=json.dumps({"error": {"message": f"wrong key {KEY}"}})))
    async with trace_server() as sent:
        await traced(server, problem, sent)
    assert sent.root["extra"]["metadata"]["apr_outcome"] == "failed" and secrets_in(sent.bytes) == []


async def test_the_same_leaves_through_opentelemetry(server: ModelServer, problem: dict[str, Any]) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry's SDK comes with the `dev` extra")
    flags = dict.fromkeys(("LANGSMITH_TRACING", "LANGSMITH_OTEL_ENABLED", "LANGSMITH_OTEL_ONLY"), "true")
    async with trace_server() as sent:
        out = await run(
            OTEL, server, problem, LANGSMITH_ENDPOINT=sent.url, LANGSMITH_API_KEY="lsv2_pt_its_own_key", **flags
        )
    assert sent.runs == {}
    spans = json.loads(out.splitlines()[-1])
    assert secrets_in(json.dumps(spans).encode()) == []
    calls = [span for span in spans if "langsmith.metadata.apr_subquestion" in span["attributes"]]
    about = [
        (span["attributes"]["langsmith.metadata.apr_thread"], span["attributes"]["langsmith.metadata.apr_attempt"])
        for span in calls
    ]
    assert sorted(about) == sorted([(f"T{n}", 1) for n in range(1, 7)] + [("T3", 2)])
    parents = {span["context"]["span_id"]: span for span in spans}
    named = "langsmith.metadata.apr_thread"
    # A span keeps the name that its run had when it was opened; what is told of it later are attributes.
    assert all(parents[span["parent_id"]]["name"].startswith("solve") for span in calls)
    assert all(parents[span["parent_id"]]["attributes"][named] == span["attributes"][named] for span in calls)
    (root,) = [span for span in spans if span["parent_id"] is None]
    assert root["attributes"]["langsmith.metadata.apr_outcome"] == "complete"


async def test_nothing_is_posted_where_tracing_is_off(server: ModelServer, problem: dict[str, Any]) -> None:
    async with trace_server() as sent:
        await run(CODE, server, problem, LANGSMITH_ENDPOINT=sent.url, LANGSMITH_API_KEY="lsv2_pt_its_own_key")
    assert sent.bytes == b""


async def test_a_run_is_whole_where_no_traces_are_taken(server: ModelServer, problem: dict[str, Any]) -> None:
    sent = TraceServer()
    sent.url = "http://127.0.0.1:9"
    # It need not wait for the tracer to give up.
    assert (await traced(server, problem, sent, "\nimport os; os._exit(0)"))["outcome"] == "complete"
