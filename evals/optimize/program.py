"""A prompt file as a DSPy program: its system text are the instructions, its examples the demonstrations.

The messages are those that the graph sends, and they go the way that the graph's calls go, so that what is optimised is
what runs.
"""

import asyncio
from collections.abc import Callable, Mapping
from string import Template
from typing import Any

import dspy
from pydantic import BaseModel

from nodes.llm.caller import Caller
from nodes.llm.limits.budget import budget
from nodes.llm.limits.ledger import Spending
from nodes.llm.replies.errors import ModelError
from nodes.llm.task import Task
from nodes.settings import Role, Settings
from nodes.shared.run import Run
from prompts import Prompt

Ask = Callable[[Prompt, dict[str, str]], BaseModel | None]
"""Ask with a prompt and its variables; nothing where no usable reply came."""


def make_asker(settings: Settings, role: Role, shape: type[BaseModel], loop: asyncio.AbstractEventLoop) -> Ask:
    """Make the way of asking: from whichever thread, over the clients of one event loop.

    Args:
        settings: Which model, and how.
        role: What it is asked for.
        shape: What the reply is to be.
        loop: A loop that runs in another thread.
    """

    async def once(prompt: Prompt, values: dict[str, str]) -> BaseModel | None:
        run = Run()
        within = budget(settings, run, role, Spending())
        caller = Caller(settings, Task(role, run, "candidate", within))
        try:
            return await caller.structured(prompt.messages(**values), shape)
        except ModelError:
            return None

    return lambda prompt, values: asyncio.run_coroutine_threadsafe(once(prompt, values), loop).result()


def fields(values: Mapping[str, str]) -> dict[str, str]:
    """Name a prompt's variables as DSPy's fields: some of their names, such as `instructions`, are taken there."""
    return {f"{name}_text": text for name, text in values.items()}


class PromptProgram(dspy.Predict):  # type: ignore[misc]
    """A prompt under optimisation."""

    def __init__(self, prompt: Prompt, ask: Ask) -> None:
        names = fields(dict.fromkeys(sorted(prompt.variables), ""))
        inputs = {name: (str, dspy.InputField()) for name in names}
        signature = dspy.Signature({**inputs, "reply": (str, dspy.OutputField())}, prompt.system)
        super().__init__(signature)
        self._prompt, self._ask = prompt, ask
        self.demos = [dspy.Example(**fields(given), reply=wanted) for given, wanted in prompt.examples]

    def forward(self, **values: Any) -> Any:
        """Ask, and leave the trace that optimisers read."""
        reply = self._ask(self.prompt(), self._variables(values))
        told = dspy.Prediction(reply=reply.model_dump_json() if reply else "", parsed=reply)
        if dspy.settings.trace is not None:
            dspy.settings.trace.append((self, values, told))
        return told

    def _variables(self, values: Any) -> dict[str, str]:
        return {name: str(values[f"{name}_text"]) for name in self._prompt.variables}

    def prompt(self, version: int | None = None) -> Prompt:
        """Return the prompt as it stands."""
        examples = tuple((self._variables(demo), str(demo["reply"])) for demo in self.demos)
        return Prompt(
            name=self._prompt.name,
            version=version or self._prompt.version,
            variables=self._prompt.variables,
            system=self.signature.instructions,
            user=Template(self._prompt.user.template),
            examples=examples,
        )

    def deepcopy(self) -> "PromptProgram":
        """Copy what is optimised; the way of asking is shared."""
        copy = PromptProgram(self._prompt, self._ask)
        copy.signature, copy.demos = self.signature, list(self.demos)
        return copy

    def reset_copy(self) -> "PromptProgram":
        """Copy without examples."""
        copy = self.deepcopy()
        copy.demos = []
        return copy
