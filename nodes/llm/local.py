"""The embedded server: llama.cpp's OpenAI-compatible server in this process, started once on first use."""

import asyncio
import logging
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from nodes.llm.errors import ConfigurationError
from nodes.llm.model_file import EXTRA_MISSING, ensure_model_file
from nodes.settings import environment_model_file

SLOTS = 4
"""Requests at once. On 2 cores the sum of tokens a second grows up to four streams and falls at eight."""
CONTEXT = 8_192
"""Tokens of context a slot."""
PROMPT_CACHE_MIB = 1_024
_KEY_VALUE_BYTES = 28_672
"""Of one token of context: 28 layers, 2 key-value heads of 128, keys and values, 2 bytes each."""

_lock = threading.Lock()
_server: "RunningServer | None" = None
_log = logging.getLogger(__name__)


class RunningServer(NamedTuple):
    """The embedded server of this process."""

    base_url: str
    api_key: str
    slots: int
    handle: Any
    """Keeps the server alive; it stops with the process."""


async def running_server() -> RunningServer:
    """Return the process's server, starting it on first use (3 to 8 s, once longer to write the model).

    Raises:
        ConfigurationError: The extra is missing, or memory or disk does not suffice.
    """
    return _server if _server is not None else await asyncio.to_thread(_start_once)


def _start_once() -> RunningServer:
    global _server
    with _lock:
        server = _server = _server or _start()
    return server


def _start() -> RunningServer:
    try:
        import psutil
        import xllamacpp
    except ImportError as missing:
        raise ConfigurationError(EXTRA_MISSING) from missing
    path = _model_path()
    needed, free = path.stat().st_size + SLOTS * CONTEXT * _KEY_VALUE_BYTES, psutil.virtual_memory().available
    if free < needed:
        raise ConfigurationError(
            f"the embedded model needs {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free; close other "
            "programs or choose another `model`"
        )
    began = time.perf_counter()
    params = _params(xllamacpp, path)
    try:
        handle = xllamacpp.Server(params)
    except RuntimeError as error:
        raise ConfigurationError(f"the embedded server could not load {path}: {error}") from error
    _log.info("embedded server ready after %.1f s", time.perf_counter() - began)
    return RunningServer(f"{handle.listening_address}/v1", params.api_keys[0], SLOTS, handle)


def _model_path() -> Path:
    chosen = environment_model_file()
    if chosen is None:
        return ensure_model_file()
    if not chosen.is_file():
        raise ConfigurationError(f"APR_LOCAL_GGUF names no file: {chosen}")
    return chosen


def _params(xllamacpp: Any, path: Path) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {"local"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any free one
    params.api_keys = [secrets.token_urlsafe(32)]
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.ui = False
    params.verbosity = -1
    return params
