"""The embedded server: llama.cpp's OpenAI-compatible server, in a process of its own, started on first use.

Why not in this process: loading a model holds Python's lock for the 2 to 9 s that it takes, which stops
every event loop and Ctrl-C with it, and where llama.cpp finds something amiss it aborts its process.
"""

import atexit
import hashlib
import importlib.util
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from nodes.llm.embedded.model_file import EMBEDDED, EXTRA_MISSING, cache_folder, check_room, ensure_model_file
from nodes.llm.embedded.notice import announce
from nodes.llm.embedded.pace import measure_once
from nodes.llm.embedded.prompts import PreparedPrompts
from nodes.llm.embedded.slots import READER, SERVER_SLOTS, Slots
from nodes.llm.endpoints.endpoint import fingerprint
from nodes.llm.endpoints.once import Once
from nodes.llm.replies.errors import ConfigurationError
from nodes.shared.environment import environment_model_file

MAX_REQUESTS_AT_ONCE = 4
"""Requests at once. On 2 cores the sum of tokens a second grows up to four streams and falls at eight."""
CONTEXT_TOKENS = 32_768
"""Tokens of context that all requests share; the model's own limit for one."""
PROMPT_CACHE_MIB = 1_024
"""For requests that name no slot, such as those of `evals.optimize`."""
_KEY_VALUE_BYTES = 28_672
"""Of one token of context: 28 layers, 2 key-value heads of 128, keys and values, 2 bytes each."""
_MAGIC = b"GGUF"
_PROGRAM = Path(__file__).with_name("process.py")

_process: "subprocess.Popen[str] | None" = None
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunningServer:
    """The embedded server of this process."""

    base_url: str
    api_key: str = field(repr=False)
    at_once: int
    """Requests that it may be sent at once."""
    process: "subprocess.Popen[str]" = field(repr=False)
    slots: Slots = field(repr=False)
    same_as: str = ""
    """What tells it apart in later processes: model file, versions, parameters and processors."""

    def runs(self) -> bool:
        """Whether its process is still there."""
        return self.process.poll() is None


async def running_server() -> RunningServer:
    """Return the process's server, starting it on first use (2 to 9 s, once longer to write the model).

    Raises:
        ConfigurationError: The extra is missing, the model's file cannot be had or loaded, or memory or disk
            does not suffice.
    """
    return await _server.result()


def begin() -> None:
    """Have the server start while other things are done; `running_server` waits for it, and says what went wrong."""
    _server.begin()


def stop() -> None:
    """End the server at once, also while it loads; it ends with this process in any case."""
    if _process is not None:
        with _process:
            _process.kill()


atexit.register(stop)


def _start() -> RunningServer:
    try:
        import psutil  # noqa: F401

        engine = metadata.version("xllamacpp")
    except ImportError as missing:
        raise ConfigurationError(EXTRA_MISSING) from missing
    path = _model_path()
    state = path.stat()
    _check_memory(state.st_size)
    began = time.perf_counter()
    key, folder = secrets.token_urlsafe(32), _prompt_folder()
    process, address = _launch(path, key, folder)
    program = hashlib.sha256(_PROGRAM.read_bytes()).hexdigest()
    model = f"{engine} {program} {path.name} {state.st_size} {state.st_mtime_ns}"
    prompts = PreparedPrompts(address, key, folder, model, reader=READER)
    same_as = f"{model} {_processors()}"
    measure_once(fingerprint("local", same_as), address, key, at_once=MAX_REQUESTS_AT_ONCE)
    _log.info("embedded server ready after %.1f s", time.perf_counter() - began)
    return RunningServer(f"{address}/v1", key, MAX_REQUESTS_AT_ONCE, process, Slots(prompts), same_as)


_server = Once(_start, stands=RunningServer.runs)


def _check_memory(size: int) -> None:
    import psutil

    needed, free = size + CONTEXT_TOKENS * _KEY_VALUE_BYTES, psutil.virtual_memory().available
    if free < needed:
        raise ConfigurationError(
            f"the embedded model needs {needed / 1e9:,.1f} GB of memory, {free / 1e9:,.1f} GB are free; close other "
            "programs or choose another `model`"
        )


def check_embedded() -> None:
    """Find out whether the embedded server could start; nothing is written or loaded.

    Raises:
        ConfigurationError: The extra is missing, the model's file cannot be had, or memory or disk does not suffice.
    """
    if any(importlib.util.find_spec(package) is None for package in ("xllamacpp", "psutil")):
        raise ConfigurationError(EXTRA_MISSING)
    own = environment_model_file()
    if own is None:
        check_room()
    _check_memory(_model_path().stat().st_size if own else EMBEDDED.size)


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
        "context": CONTEXT_TOKENS,
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
        with announce("Starting the embedded model"):
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
