"""Processes that are forked from a parent which has imported everything, see `tests.support.preloaded`."""

import asyncio
import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
PIPE, DEVNULL = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
READ_AT_IMPORT = ("PYTHON", "OTEL_")
STRICT = "import warnings\nwarnings.simplefilter('error')\n"
"""Before a program's code: what `-W error` does."""
PARENT = "TESTS_PARENT"
"""The variable that names the parent's socket."""
_one_at_a_time = threading.Lock()


class Forked:
    """A process that was forked; has what tests use of `asyncio.subprocess.Process`."""

    def __init__(
        self,
        pid: int,
        stdin: asyncio.StreamWriter | None,
        stdout: asyncio.StreamReader | None,
        stderr: asyncio.StreamReader | None,
        ended: asyncio.StreamReader,
    ) -> None:
        self.pid, self.stdin, self.stdout, self.stderr, self._ended = pid, stdin, stdout, stderr, ended
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        """Send a signal.

        Raises:
            ProcessLookupError: It has ended.
        """
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait for its end; returns its status."""
        if status := await self._ended.read():
            self.returncode = int(status)
        assert self.returncode is not None
        return self.returncode

    async def communicate(self, given: bytes = b"") -> tuple[bytes, bytes]:
        """Write to it, and read all that it writes until it has ended."""
        _, out, err = await asyncio.gather(self._feed(given), _all(self.stdout), _all(self.stderr))
        await self.wait()
        return out, err

    async def _feed(self, given: bytes) -> None:
        if self.stdin:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.stdin.write(given)
                await self.stdin.drain()
            self.stdin.close()


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream else b""


async def fork(
    *arguments: str,
    env: Mapping[str, str],
    code: str | None = None,
    folder: Path = PROJECT,
    stdin: int = PIPE,
    stdout: int = PIPE,
    stderr: int = PIPE,
    largest_file: int | None = None,
) -> Forked:
    """Fork a process that runs `apr`, or some code as `python -c` does.

    Args:
        arguments: What is `sys.argv` there.
        env: Its environment.
        code: What it runs, if not `apr`.
        folder: Its working directory.
        stdin: A descriptor, `PIPE` or `DEVNULL`.
        stdout: The same.
        stderr: The same.
        largest_file: How many bytes a file may have.

    Raises:
        ValueError: The environment sets what the parent has read long ago.
    """
    if changed := [name for name in env if name.startswith(READ_AT_IMPORT) and env[name] != _environment().get(name)]:
        raise ValueError(f"{changed} are read by what the parent has imported: start the program itself")
    wanted = {
        "arguments": arguments,
        "environment": dict(env),
        "code": code,
        "folder": str(folder),
        "largest_file": largest_file,
    }
    pairs = [_ends(wish, written=number == 0) for number, wish in enumerate((stdin, stdout, stderr, PIPE))]
    try:
        pid = await asyncio.to_thread(_forked, wanted, [theirs for _, theirs in pairs])
    finally:
        for _, theirs in pairs:
            os.close(theirs)
    to, out, err, ended = (ours for ours, _ in pairs)
    assert ended is not None
    return Forked(
        pid,
        None if to is None else await _writer(to),
        None if out is None else await _reader(out),
        None if err is None else await _reader(err),
        await _reader(ended),
    )


def _ends(wish: int, *, written: bool) -> tuple[int | None, int]:
    """Open a stream: what we keep of it, and what the process gets."""
    if wish == PIPE:
        read, write = os.pipe()
        return (write, read) if written else (read, write)
    return None, os.open(os.devnull, os.O_RDWR) if wish == DEVNULL else os.dup(wish)


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0))
    return reader


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(descriptor, "wb", 0)
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


def _forked(wanted: dict[str, Any], descriptors: list[int]) -> int:
    """Have the parent fork; returns the process's id."""
    with _one_at_a_time:
        channel, message = _parent(), json.dumps(wanted).encode()
        socket.send_fds(channel, [len(message).to_bytes(8, "big")], descriptors)
        channel.sendall(message)
        return int.from_bytes(channel.recv(8), "big")


@functools.cache
def _environment() -> dict[str, str]:
    """Return the parent's environment: this process's, with traces off and no settings."""
    not_ours = ("APR_", "LANGSMITH_", "LANGCHAIN_", "OTEL_")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}
    return ours | {"LANGSMITH_TRACING": "false"}


@functools.cache
def _parent() -> socket.socket:
    """Connect to the parent, which lives as long as this process does."""
    share_parent()
    ours = socket.socket(socket.AF_UNIX)
    ours.connect(os.environ[PARENT])
    atexit.register(ours.close)
    return ours


def share_parent() -> None:
    """Start the parent, if there is none yet, for this process and those that it starts."""
    if PARENT in os.environ:
        return
    folder = tempfile.mkdtemp()
    os.environ[PARENT] = os.path.join(folder, "parent")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.environ[PARENT])
        listener.listen()
        where: Any = {"cwd": PROJECT, "env": _environment(), "stdin": subprocess.PIPE}
        command = [sys.executable, "-m", "tests.support.preloaded", str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], **where)
    assert process.stdin
    atexit.register(shutil.rmtree, folder)
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
