"""A planner that somebody has compiled elsewhere: a DSPy program that outlines the question instead of our prompt."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.messages import BaseMessage
from pydantic import ValidationError

from nodes.asking.outline import OUTLINE
from nodes.input.excerpts import by_number
from nodes.llm.caller import Caller
from nodes.llm.compiled import Form, check_program, run_program
from nodes.llm.endpoints.usage import Call
from nodes.llm.limits.budget import budget
from nodes.llm.limits.ledger import Spending
from nodes.llm.replies.errors import ConfigurationError, ModelError
from nodes.llm.replies.reply import Reply
from nodes.llm.replies.text import shorten
from nodes.planning.outline import AnswerForm, Outline
from nodes.planning.repair import Repair
from nodes.settings import Settings
from nodes.shared.masking import mask_text, trace_of
from nodes.shared.run import Run
from nodes.state import Problem

MAX_REASON_CHARACTERS = 300
"""Of why a program gave no outline; DSPy repeats whole replies."""

_log = logging.getLogger(__name__)


class Planned(NamedTuple):
    """What a planner wrote."""

    outline: Outline | None = None
    """Nothing where there is no planner, or it failed: the prompt is asked then."""
    calls: tuple[Call, ...] = ()
    repairs: tuple[Repair, ...] = ()
    """Why it failed, if it did."""


async def check_planner(settings: Settings) -> None:
    """Find out before the first call that a planner could not be used.

    Raises:
        ConfigurationError: DSPy is not installed, or no program lies at the path.
    """
    if settings.planner:
        await asyncio.to_thread(check_program, _path(settings), "planner")


async def plan(problem: Problem, settings: Settings, run: Run) -> Planned:
    """Have the planner outline the question, if there is one; whatever befalls it costs the run no more than its time.

    Raises:
        ConfigurationError: A key or an extra is missing.
    """
    if not settings.planner:
        return Planned()
    within = budget(settings, run, OUTLINE.share, Spending())
    task = replace(OUTLINE.task(settings, run, within), prompt="dspy")
    callers: list[Caller] = []

    async def ask(messages: list[BaseMessage]) -> Reply:
        callers.append(Caller(settings, task))
        return await callers[-1].text(messages)

    outline, repairs = None, []
    try:
        async with asyncio.timeout(settings.request_timeout):
            form = Form(("segments",), {"parts": list[str], "answer": AnswerForm}, OUTLINE.prompt(settings).system)
            told = await run_program(_path(settings), form, ask, {"segments": by_number(problem.segments())})
        outline = _read(told)
    except ConfigurationError:
        raise
    except Exception as error:
        _log.info("the planner gave no outline:\n%s", trace_of(error))
        told_why = shorten(mask_text(_reason(error, settings)), MAX_REASON_CHARACTERS)
        repairs.append(Repair(kind="stage", text=f"planner: {told_why}; the usual prompt was asked instead"))
    return Planned(outline, tuple(call for caller in callers for call in caller.calls), tuple(repairs))


def _path(settings: Settings) -> Path:
    return Path(settings.planner.partition(":")[2]).expanduser()


def _reason(error: Exception, settings: Settings) -> str:
    if isinstance(error, ModelError):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"no outline within {settings.request_timeout:g} s (`request_timeout`)"
    if isinstance(error, ValidationError):
        return "; ".join(f"`{detail['loc'][0]}`: {detail['msg']}" for detail in error.errors(include_url=False))
    return f"{type(error).__name__}: {error}"


def _read(told: dict[str, Any]) -> Outline:
    """Read what the program returned: its parts as a list or as lines; without a word on the answer, a text."""
    parts = told["parts"]
    lines = parts.splitlines() if isinstance(parts, str) else parts
    return Outline.model_validate({"parts": lines, "answer": told["answer"] or "text"})
