"""A compiled DSPy program, and its way to our models: its calls go where all calls go.

DSPy is imported when a program is used, and no sooner. A program works in a thread of its own, because it may block;
what it asks, it asks through an engine (DSPy's word for what answers a request), which has it asked on the event loop.
"""

import asyncio
import contextvars
import importlib.util
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from nodes.llm.replies.errors import ConfigurationError, ModelError
from nodes.llm.replies.reply import Reply
from nodes.shared.install import how_to_install

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

Ask = Callable[[list[BaseMessage]], Awaitable[Reply]]
"""Asks a model."""
MAX_STATE_BYTES = 20_000_000
"""Of a saved state: instructions and examples take some kilobytes."""
_ROLES: dict[str, type[BaseMessage]] = {"user": HumanMessage, "assistant": AIMessage, "developer": SystemMessage}


@dataclass(frozen=True)
class Form:
    """What a program is given and what it returns, by name; all that it is given is text.

    Attributes:
        inputs: What it is given.
        outputs: What it returns, with types.
        instructions: What a saved state that holds none is told.
    """

    inputs: tuple[str, ...]
    outputs: Mapping[str, Any]
    instructions: str


def check_program(path: Path, setting: str) -> None:
    """Find out before the first call that a program could not be used; reads the disk.

    Raises:
        ConfigurationError: DSPy is not installed, or no program lies there.
    """
    if importlib.util.find_spec("dspy") is None:
        raise ConfigurationError(f"`{setting}` needs an extra: {how_to_install('optimize')}")
    if not ((path / "program.pkl").is_file() or (path.suffix == ".json" and path.is_file())):
        raise ConfigurationError(
            f"`{setting}` names {path}, where no program lies: name the folder of "
            "program.save(…, save_program=True), or the .json file of program.save(…)"
        )


async def run_program(path: Path, form: Form, ask: Ask, given: Mapping[str, str]) -> dict[str, Any]:
    """Run a program; who is cancelled meanwhile breaks its calls off.

    Loading a folder runs the code in it, as Python's pickles do: a path must come from who may run code here.

    Args:
        path: Where it was saved.
        form: What it is given and returns.
        ask: Asks a model, on this event loop.
        given: By the names of the form's inputs.

    Returns:
        What it returned, by the names of the form's outputs; `None` for what it left out.

    Raises:
        ModelError: A call gave no usable reply.
        Exception: Whatever the program raises.
    """
    engine, done, here = _Engine(ask), Future[Any](), contextvars.copy_context()

    def work() -> None:
        try:
            done.set_result(_run(path, form, engine, given))
        except BaseException as error:
            done.set_exception(error)

    # A daemon: a program that never ends keeps no process from ending.
    threading.Thread(target=here.run, args=(work,), name="apr-program", daemon=True).start()
    ended = asyncio.wrap_future(done)
    ended.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody may be left to hear it
    try:
        told = await asyncio.shield(ended)
    except Exception:
        if engine.failed:
            raise engine.failed from None
        raise
    finally:
        await engine.stop()
    return {name: getattr(told, name, None) for name in form.outputs}


def _run(path: Path, form: Form, engine: "_Engine", given: Mapping[str, str]) -> Any:
    import dspy

    model = dspy.LM("apr/model", engine=engine, async_engine=_AsyncEngine(engine), cache=False, num_retries=0)
    with dspy.context(lm=model, disable_history=True):
        if path.is_dir():
            program = dspy.load(str(path), allow_pickle=True)
        else:
            program = _load_state(path, form)
        program.set_lm(model)
        if hasattr(program, "forward"):
            return program(**given)
        return asyncio.run(program.acall(**given))


def _load_state(path: Path, form: Form) -> Any:
    """Load the state of a `Predict` or a `ChainOfThought` of the form; it holds no code, and no model of it is used."""
    import dspy

    if (size := path.stat().st_size) > MAX_STATE_BYTES:
        raise ValueError(f"{path} has {size:,} bytes, the limit is {MAX_STATE_BYTES:,}")
    state = json.loads(path.read_bytes())
    fields = {name: (str, dspy.InputField()) for name in form.inputs}
    outputs = {name: (kind, dspy.OutputField()) for name, kind in form.outputs.items()}
    signature = dspy.Signature({**fields, **outputs}, form.instructions)
    program = dspy.ChainOfThought(signature) if "predict" in state else dspy.Predict(signature)
    for own in (state, *(part for part in state.values() if isinstance(part, dict))):
        if "lm" in own:
            own["lm"] = None
    program.load_state(state)
    return program


class _Engine:
    """Answers a program's requests, from whichever thread.

    Attributes:
        failed: Why the first call that failed did; nothing is asked after it.
    """

    def __init__(self, ask: Ask) -> None:
        self.failed: ModelError | None = None
        self._ask, self._loop = ask, asyncio.get_running_loop()
        self._open: set[asyncio.Task[Any] | None] = set()
        self._stopped = False

    def complete(self, request: "Request") -> "Response":
        """Answer a request."""
        return self.begin(request).result()

    def begin(self, request: "Request") -> "Future[Response]":
        """Begin to answer a request."""
        return asyncio.run_coroutine_threadsafe(self._answer(request), self._loop)

    async def stop(self) -> None:
        """Break off what is being asked, and ask nothing more."""
        self._stopped = True
        left = [task for task in self._open if task]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, request: "Request") -> "Response":
        from dspy.lm15 import Message, Response, TextPart, Usage

        if self._stopped:
            raise RuntimeError("the program was stopped")
        if self.failed:
            raise self.failed
        self._open.add(task := asyncio.current_task())
        try:
            reply = await self._ask(_as_messages(request))
            if reply.state == "cut":
                raise ModelError("truncated", reply.shortfall, reply=reply)
        except ModelError as error:
            self.failed = self.failed or error
            raise
        finally:
            self._open.discard(task)
        said = Message.assistant([TextPart(reply.text)])
        return Response(id=None, model="apr/model", message=said, finish_reason="stop", usage=Usage())


class _AsyncEngine:
    """The same for programs that are asynchronous, which have an event loop of their own."""

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine

    async def complete(self, request: "Request") -> "Response":
        """Answer a request."""
        return await asyncio.wrap_future(self._engine.begin(request))


def _as_messages(request: "Request") -> list[BaseMessage]:
    """Write a request as messages; sampling and limits are those of the settings."""
    system = request.system
    text = system if isinstance(system, str) else "".join(getattr(part, "text", "") for part in system or ())
    messages: list[BaseMessage] = [SystemMessage(text)] if text else []
    for message in request.messages:
        if message.role not in _ROLES or request.tools:
            raise ValueError("a planner may send text only: neither tools nor their results")
        messages.append(_ROLES[message.role](message.text or ""))
    return messages
