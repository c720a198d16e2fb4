"""Calling one tool: whatever it does becomes a result, within its time."""

import asyncio
import json
import re
from typing import Any

from langchain_core.runnables import RunnableConfig

from nodes.llm.endpoints.tool_use import ToolUse
from nodes.llm.replies.reply import Ask
from nodes.llm.replies.text import shorten
from nodes.shared.cleaning import one_line, storable
from nodes.shared.masking import mask_text
from nodes.shared.run import Run
from nodes.tools.toolbox import Toolbox

MAX_TOOL_RESULT_CHARACTERS = 20_000
"""Of a result, as the model is shown it; more is left out in the middle."""
MAX_KEPT_CHARACTERS = 1_000
"""Of arguments and results, as they are recorded."""
GRACE_S = 1.0
"""Seconds in which a tool that is out of time may clean up; then nobody waits for it any more."""

_TAG = re.compile(r"<(?=\s*(?:/\s*)?tool-result\b)", re.IGNORECASE)


async def call_tool(ask: Ask, toolbox: Toolbox, run: Run, thread_id: str | None, seconds: float) -> tuple[ToolUse, str]:
    """Call a tool.

    Args:
        ask: What the model asks for.
        toolbox: The tools that there are.
        run: The run.
        thread_id: The thread that it is for, if for one.
        seconds: How long it may take.

    Returns:
        The record, and what the model is told.
    """
    use = _record(ask, run)
    tool, arguments = toolbox.tools.get(ask.name), ask.read()
    if tool is None:
        return _fail(use, run, f"there is no tool `{ask.name}`; there are {', '.join(toolbox.tools)}")
    if arguments is None:
        return _fail(use, run, "the arguments are no JSON object")
    name = f"{ask.name} {thread_id}" if thread_id else ask.name
    config: RunnableConfig = {"run_name": name, "tags": [f"apr:{name}"], "metadata": {"apr_thread": thread_id or ""}}
    work = asyncio.create_task(_invoke(tool, arguments, config))
    try:
        await asyncio.wait([work], timeout=max(0.0, seconds))
        if not work.done():
            return await _give_up(work, use, run, seconds)
        return _end(use, run, text := work.result()), text
    except asyncio.CancelledError:
        work.cancel()
        raise
    except Exception as error:
        return _fail(use, run, mask_text(f"{type(error).__name__}: {error}"))


async def _invoke(tool: Any, arguments: dict[str, Any], config: RunnableConfig) -> str:
    value = await tool.ainvoke(arguments, config)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return shorten(storable(text), MAX_TOOL_RESULT_CHARACTERS)


async def _give_up(work: "asyncio.Task[str]", use: ToolUse, run: Run, seconds: float) -> tuple[ToolUse, str]:
    work.cancel()
    work.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait([work], timeout=GRACE_S)
    return _fail(use, run, f"it took more than {max(0.0, seconds):.3g} s", status="timed_out")


async def skip_tool(ask: Ask, run: Run) -> tuple[ToolUse, str]:
    """Record a call that is not made, since the thread has made as many as it may."""
    return _fail(_record(ask, run), run, "no more calls are left (`max_tool_calls`)", status="skipped")


def record_cancelled(ask: Ask, run: Run, started_s: float) -> ToolUse:
    """Record a call that was under way when its thread was stopped; whether it took effect, nobody knows."""
    use = _record(ask, run).model_copy(update={"started_s": round(started_s, 3)})
    return _fail(use, run, "its thread was stopped before it ended", status="cancelled")[0]


def write_result(text: str) -> str:
    """Write a result as the model is shown it: it neither opens nor closes a tag of ours."""
    harmless = _TAG.sub(r"<\\", text)
    return f"<tool-result>\n{harmless}\n</tool-result>"


def _record(ask: Ask, run: Run) -> ToolUse:
    # Reports and stores hold no key; the model is shown what the tool returned.
    arguments = one_line(mask_text(ask.arguments), MAX_KEPT_CHARACTERS)
    return ToolUse(name=one_line(ask.name, 100), arguments=arguments, started_s=round(run.elapsed(), 3))


def _end(use: ToolUse, run: Run, text: str) -> ToolUse:
    latency = round(max(0.0, run.elapsed() - use.started_s), 3)
    return use.model_copy(update={"result": shorten(mask_text(text), MAX_KEPT_CHARACTERS), "latency_s": latency})


def _fail(use: ToolUse, run: Run, why: str, status: str = "failed") -> tuple[ToolUse, str]:
    why = storable(shorten(why, MAX_KEPT_CHARACTERS))
    return _end(use, run, "").model_copy(update={"status": status, "error": why}), f"It failed: {why}"
