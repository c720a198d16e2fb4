"""The embedded server: llama.cpp's OpenAI-compatible server, in a process of its own, started on first use.

Why not in this process: loading a model holds Python's lock for the 2 to 9 s that it takes, which stops
every event loop and Ctrl-C with it, and where llama.cpp finds something amiss it aborts its process.
"""

import asyncio
import atexit
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Generic, TypeVar, get_args

from nodes.environment import environment_model_file
from nodes.llm.errors import ConfigurationError
from nodes.llm.local_prompts import SERVER_SLOTS, PreparedPrompts
from nodes.llm.model_file import EXTRA_MISSING, cache_folder, ensure_model_file
from nodes.settings import Role

T = TypeVar("T")

SLOTS = 4
"""Requests at once. On 2 cores the sum of tokens a second grows up to four streams and falls at eight."""
CONTEXT = 32_768
"""Tokens of context that all requests share; the model's own limit for one."""
PROMPT_CACHE_MIB = 1_024
_KEY_VALUE_BYTES = 28_672
"""Of one token of context: 28 layers, 2 key-value heads of 128, keys and values, 2 bytes each."""
_MAGIC = b"GGUF"
_PROGRAM = Path(__file__).with_name("local_process.py")

_process: "subprocess.Popen[str] | None" = None
_log = logging.getLogger(__name__)


class Once(Generic[T]):
    """Work done once, in a thread, for whoever asks first from whichever event loop; again if it failed."""

    def __init__(self, work: Callable[[], T], *, stands: Callable[[T], bool] = lambda _: True) -> None:
        """Prepare the work; `stands` tells whether its result is still of use."""
        self._work, self._stands = work, stands
        self._lock = threading.Lock()
        self._future: Future[T] | None = None

    async def result(self) -> T:
        """Return the work's result, or raise what it raised."""
        return await asyncio.wrap_future(self._running())

    def _running(self) -> Future[T]:
        with self._lock:
            future = self._future
            if future is None or (future.done() and (future.exception() or not self._stands(future.result()))):
                future = self._future = Future()
                future.set_running_or_notify_cancel()  # so that one who stops waiting does not cancel it for all
                # A daemon: unlike a pool's, it keeps no process from ending while a model loads.
                threading.Thread(target=self._do, args=(future,), name="apr-local", daemon=True).start()
            return future

    def _do(self, future: Future[T]) -> None:
        try:
            future.set_result(self._work())
        except BaseException as error:
            future.set_exception(error)


@dataclass(frozen=True)
class RunningServer:
    """The embedded server of this process."""

    base_url: str
    api_key: str = field(repr=False)
    slots: int
    process: "subprocess.Popen[str]" = field(repr=False)
    prompts: dict[Role, Once[None]] = field(repr=False)
    """Reads a role's prompt into the server."""

    def runs(self) -> bool:
        """Whether its process is still there."""
        return self.process.poll() is None


async def running_server(role: Role | None = None) -> RunningServer:
    """Return the process's server, starting it on first use (2 to 9 s, once longer to write the model).

    Args:
        role: What it is asked for; what never varies of that role's prompt is then read in already.

    Raises:
        ConfigurationError: The extra is missing, the model's file cannot be had or loaded, or memory or disk
            does not suffice.
    """
    server = await _server.result()
    if role is not None:
        await server.prompts[role].result()
    return server


def stop() -> None:
    """End the server at once, also while it loads; it ends with this process in any case."""
    if _process is not None:
        with _process:
            _process.kill()


atexit.register(stop)


def _start() -> RunningServer:
    try:
        import psutil

        engine = metadata.version("xllamacpp")
    except ImportError as missing:
        raise ConfigurationError(EXTRA_MISSING) from missing
    path = _model_path()
    state = path.stat()
    needed, free = state.st_size + CONTEXT * _KEY_VALUE_BYTES, psutil.virtual_memory().available
    if free < needed:
        raise ConfigurationError(
            f"the embedded model needs {needed / 1e9:,.1f} GB of memory, {free / 1e9:,.1f} GB are free; close other "
            "programs or choose another `model`"
        )
    began = time.perf_counter()
    key, folder = secrets.token_urlsafe(32), _prompt_folder()
    process, address = _launch(path, key, folder)
    prompts = PreparedPrompts(address, key, folder, f"{engine} {path.name} {state.st_size} {state.st_mtime_ns}")
    prompts.restore()
    ready = {role: Once(partial(prompts.prepare, role)) for role in get_args(Role)}
    _log.info("embedded server ready after %.1f s", time.perf_counter() - began)
    return RunningServer(f"{address}/v1", key, SLOTS, process, ready)


_server = Once(_start, stands=RunningServer.runs)


def _model_path() -> Path:
    chosen = environment_model_file()
    if chosen is None:
        return ensure_model_file()
    try:
        with chosen.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ConfigurationError(f"APR_LOCAL_GGUF names no readable file: {chosen} ({error.strerror})") from error
    if magic != _MAGIC:
        raise ConfigurationError(f"APR_LOCAL_GGUF names a file that is no GGUF model: {chosen}")
    return chosen


def _prompt_folder() -> Path | None:
    """Return where prompts that were read in are kept; `None` if they cannot be."""
    folder = cache_folder() / "prompts"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def _launch(path: Path, key: str, folder: Path | None) -> "tuple[subprocess.Popen[str], str]":
    """Start the server's process; return it and the server's address once the model is loaded."""
    global _process
    given = {
        "model": str(path),
        "api_key": key,
        "slots": SERVER_SLOTS,
        "context": CONTEXT,
        "saved": f"{folder}{os.sep}" if folder else "",
        "cache_mib": PROMPT_CACHE_MIB,
        "threads": _processors(),
    }
    with tempfile.TemporaryFile("w+", errors="replace") as noise:
        # A session of its own: Ctrl-C in the terminal is for the caller, who ends the server.
        _process = process = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            text=True,
            start_new_session=True,
        )
        said = _ask(process, given)
        if "address" in said:
            return process, said["address"]
        stop()
        reason = said.get("error") or _how_it_ended(process.returncode, noise)
    raise ConfigurationError(
        f"the embedded server could not load {path}: {reason}; the file may be damaged or of a kind that "
        "this version of xllamacpp does not know, or memory ran out"
    )


def _ask(process: "subprocess.Popen[str]", given: dict[str, Any]) -> dict[str, str]:
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        said: dict[str, str] = json.loads(process.stdout.readline() or "{}")
    except OSError:  # it ended before it had read
        return {}
    return said


def _how_it_ended(code: int, noise: IO[str]) -> str:
    noise.seek(0)
    last = [line for line in noise.read().splitlines() if line.strip()][-1:]
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return ": ".join([f"its process ended ({how})", *last])


def _processors() -> int:
    """Return how many processors this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
