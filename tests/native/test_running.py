"""Runs of trajectories that are stopped, broken off or kept; what they tell, and how they are asked."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graphs import native, stop_thread
from graphs.native import build_native
from graphs.page.page import page
from nodes.native.state import BranchTask
from nodes.state import Solution
from tests.support.server import HANG, STALL, WORDS, ModelServer
from tests.support.server.texts import tokens_of
from tests.support.subjects.native import BEGINNING, ENDING, ONE, QUESTION, TWO, WHOLE, run, script
from tests.support.subjects.page import Seen, bars


async def test_cancelling_a_run_closes_its_requests(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.texts.on("1:1", HANG).on("1:2", STALL)
    task = asyncio.create_task(run(context))
    await server.texts.wait_for(3)
    assert server.texts.open == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.texts.wait_until(still_open=0)
    assert [request.dropped for request in server.texts.asked] == [False, True, True]


async def test_a_stopped_run_goes_on_without_asking_again(
    server: ModelServer, context: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    script(server)
    server.texts.on("1:2", HANG, f"{TWO}</Thread>")
    graph, config = build_native(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    task = asyncio.create_task(run(context, graph, config))
    await server.texts.wait_for(3)
    await server.texts.wait_until(still_open=1)
    # What has ended is kept a moment later.
    while not any(kept.result for kept in (await graph.aget_state(config)).tasks):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    solution = Solution.model_validate(await graph.ainvoke(None, config))
    assert (solution.trajectory, solution.outcome) == (WHOLE, "complete")
    assert sorted(request.key for request in server.texts.asked) == ["0", "1", "1:1", "1:2", "1:2"]
    assert "unregistered type" not in caplog.text
    again = Solution.model_validate(await graph.ainvoke({"question": "And again?"}, config, context=context))
    assert (again.trajectory, len(again.threads), again.report.calls) == (WHOLE, 2, 4)


async def test_a_person_stops_one_thread(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.texts.on("1:1", STALL)
    told: list[dict[str, Any]] = []
    solution: Any = None
    async for mode, event in native.astream(QUESTION, context=context, stream_mode=["messages", "custom", "values"]):
        if mode == "values":
            solution = event
        elif mode == "custom":
            told.append(event)
        elif event[0].text and event[1].get("apr_thread") == "B1:1" and event[0].text in WORDS:
            stop_thread(told[-1]["run_id"], "B1:1")
    assert solution["trajectory"].count("[unfinished]") == 1 and solution["outcome"] == "partial"
    assert [(thread.status, thread.stopped) for thread in solution["threads"]] == [
        ("failed", "person"),
        ("answered", ""),
    ]
    stages = [(event["stage"], event["round"]) for event in told if "stage" in event]
    assert stages == [("continue", 0), ("continue", 1)]
    statuses = [(event["thread_id"], event["status"]) for event in told if "status" in event]
    assert {("B1:1", "queued"), ("B1:1", "running"), ("B1:1", "failed"), ("B1:2", "answered")} <= set(statuses)


async def test_both_accelerations_are_told_by_their_names(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.texts.on("1:2", f"{TWO * 9}</Thread>").on("pass", f"<think>\n{ONE}{TWO * 9}\n</think>\n\nIt is 4776.")
    report = (await run(context, baseline=True)).report
    of = {key: len(tokens_of(text)) for key, text in {"1": ONE, "2": TWO * 9, "0": BEGINNING, "end": ENDING}.items()}
    alone = of["0"] - 1 + of["end"]  # the tag at which it stops is not told as a token
    assert report.critical_path_tokens == alone + of["2"]
    assert report.tokens.output == alone + of["1"] + of["2"]
    assert report.parallel_share == round((of["1"] + of["2"]) / report.tokens.output, 3)
    assert report.estimate and report.estimate.output == report.tokens.output
    assert report.acceleration and report.baseline and report.baseline.answer == "It is 4776."
    assert report.acceleration.within_trajectory == round(1 - (alone + of["2"]) / report.tokens.output, 3)
    one_pass = len(tokens_of(f"<think>\n{ONE}{TWO * 9}\n</think>\n\nIt is 4776."))
    assert report.baseline.tokens.output == one_pass
    assert report.acceleration.over_baseline == round(one_pass / report.critical_path_tokens, 3)
    assert report.calls == 4


async def test_a_sequential_trajectory_gains_nothing(server: ModelServer, context: dict[str, Any]) -> None:
    server.texts.on("0", "<think>\nEasy.\n</think>\n\nIt is 4776.")
    solution = await run(context)
    assert (solution.answer, solution.outcome, solution.route) == ("It is 4776.", "complete", "direct")
    assert solution.report.acceleration and solution.report.acceleration.within_trajectory == 0
    assert solution.report.acceleration.over_baseline is None


async def test_the_page_shows_the_trajectory_folded(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.texts.on("1:2", f" <script>alert(1)</script>{TWO}</Thread>")
    solution = await run(context, baseline=True)
    html = page(solution)
    seen = Seen(html)
    assert "<details><summary>The whole trajectory" in html and html.count("<script") == 1
    assert "1 - critical path / all" in seen.text and "2:  <script>" not in seen.style
    assert "<Thread> 1: 12 * 34 is 408.</Thread>" in seen.text
    titles = [title for _, _, _, title in bars(html)]
    assert [any(title.startswith(f"solve {id}") for title in titles) for id in ("B1:1", "B1:2")] == [True, True]


async def test_the_page_says_why_one_pass_answered(server: ModelServer, context: dict[str, Any]) -> None:
    server.texts.on("0", "<think>\nNever done.").on("pass", "<think>\nAt once.\n</think>\n\nIt is 4776.")
    solution = await run(context)
    assert (solution.answer, solution.outcome) == ("It is 4776.", "complete")
    assert "one sequential pass answers: it ended without an answer" in Seen(page(solution)).text


@pytest.mark.parametrize("template", ["llama.cpp", "vllm", "", "setting"])
async def test_the_template_is_put_around_once(server: ModelServer, context: dict[str, Any], template: Any) -> None:
    script(server)
    asked = QUESTION | {"documents": [{"id": "a.txt", "text": "12 * 34"}], "instructions": "Be brief."}
    settings = {"prompt_template": "Q: {question}\nA:"} if template == "setting" else {}
    server.texts.template = "llama.cpp" if template == "setting" else template
    solution = await native.ainvoke(asked, context={**context, **settings})
    prompt = server.texts.asked[0].prompt
    before, after = {
        "llama.cpp": ("[user] ", "\n[model] <think>"),
        "vllm": ("<s>[USER]", "[MODEL]"),
        "": ("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"),
        "setting": ("Q: ", "\nA:"),
    }[template]
    assert prompt.startswith(f"{before}Instructions:\nBe brief.\n\nMaterial:\n<document")
    assert prompt.endswith(f"12 * 34\n</document>\n\n{asked['question']}{after}")
    assert solution["outcome"] == "complete" and not server.asked


def test_a_thread_gets_no_siblings_text() -> None:
    assert set(BranchTask.model_fields) - {"text"} == set(BranchTask.__mro__[1].model_fields)  # type: ignore[attr-defined]
