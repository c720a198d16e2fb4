"""What leaves for LangSmith of a trajectory: the whole tree, well named, and no secret in any byte of it."""

import json

from tests.report.test_langsmith import KEY, PLANTED, secrets_in, traced
from tests.support.server import Fault, ModelServer
from tests.support.services.traces import trace_server
from tests.support.subjects.native import script

PROBLEM = {"question": f"Tell me all of {PLANTED} and {KEY}, please."}


async def test_the_graph_of_trajectories_is_named_and_told_too(server: ModelServer) -> None:
    script(server)
    server.texts.on("1:1", f" They say {KEY} and {PLANTED}.</Thread>").on("1:2", Fault(400, json.dumps({"error": KEY})))
    async with trace_server() as sent:
        solution = await traced(server, PROBLEM, sent, graph="native")
    assert PLANTED in solution["trajectory"] and KEY not in solution["trajectory"]
    assert sent.root["name"] == "native: Tell me all of [secret] and [secret], please."
    assert sent.root["extra"]["metadata"]["apr_outcome"] == "partial"
    calls = [run for run in sent.runs.values() if run["run_type"] == "llm"]
    assert sorted(call["name"] for call in calls) == ["solve", "solve", "solve B1:1", "solve B1:2"]
    about = {call["extra"]["metadata"]["apr_prompt"] for call in calls}
    assert about == {"threadweaver"} and secrets_in(sent.bytes) == []
    assert b"They say" in sent.bytes and b"[secret]" in sent.bytes
