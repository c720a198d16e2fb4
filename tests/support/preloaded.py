"""A parent that has imported everything and forks the processes that tests ask for: a start costs no imports.

Run as `python -m tests.support.preloaded FD`, a Unix socket on which it listens; whoever connects has a parent of its
own. It starts no thread and no loop, so that what it forks is as whole as a program that was started anew: with
arguments, environment, folder and streams of its own. It ends with its standard input.
"""

import atexit
import contextlib
import gc
import importlib
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import sys
import threading
import types
from typing import Any, NoReturn

MODULES = (
    "graphs.cli.main",
    "graphs.cli.run",
    "graphs.page.page",
    "graphs.history.postgres",
    "graphs.sequential",
    "aiosqlite",
    "evals.run.session",
    "httpcore2._async.http11",
    "jinja2",
    "langchain_core.tracers.run_collector",
    "langchain_core.tracers.stdout",
    "langchain_openai",
    "langgraph.store.sqlite.aio",
    "langsmith.run_trees",
    "openai.lib.streaming.chat",
    "openai.resources.chat.completions.completions",
    "truststore",
)
FOR_WORKERS = ("graphs.temporal.worker", "graphs.temporal.graph")
"""Imported where their extra is there."""
STREAMS = 3


def _read(channel: socket.socket, length: int) -> bytes:
    """Read so many bytes; fewer only where the other end has closed."""
    read = b""
    while len(read) < length and (more := channel.recv(length - len(read))):
        read += more
    return read


def _take_streams(streams: list[int]) -> None:
    """Make descriptors the standard streams, opened as Python has opened this process's own."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    stdin, stdout, stderr = ((stream.encoding, stream.errors) for stream in (sys.stdin, sys.stdout, sys.stderr))
    sys.stdin = open(0, encoding=stdin[0], errors=stdin[1], closefd=False)
    sys.stdout = open(1, "w", 1 if os.isatty(1) else -1, *stdout, closefd=False)
    sys.stderr = open(2, "w", 1, *stderr, closefd=False)


def _run(wanted: dict[str, Any]) -> None:
    """Do what `apr`, or `python -c`, would do."""
    if wanted["code"] is None:
        from graphs.cli.main import main

        main()
        return
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    exec(compile(wanted["code"], "<string>", "exec"), module.__dict__)


def _become(wanted: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be the process that was asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    importlib.import_module("langsmith.utils").get_env_var.cache_clear()
    os.chdir(wanted["folder"])
    sys.argv = wanted["arguments"]
    _take_streams(streams[:STREAMS])
    if wanted["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (wanted["largest_file"], wanted["largest_file"]))
    try:
        _run(wanted)
        _end(0)
    except SystemExit as end:
        _end(end.code)


def _end(code: int | str | None) -> NoReturn:
    """End as Python does, but leave what was imported as it is.

    To take all modules apart is to copy every page that is shared with the parent: ten times what a short program does.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    del sys.modules["__main__"]
    gc.collect()  # what nobody closed or awaited says so
    with contextlib.suppress(OSError, ValueError):
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
    sys.exit(code)  # says which stream is gone


class _Children:
    """Those that were forked, and where to tell how each ended."""

    def __init__(self) -> None:
        self.told: dict[int, int] = {}

    def fork(self, channel: socket.socket, wanted: dict[str, Any], descriptors: list[int]) -> int:
        """Fork a process; returns its id, and 0 in the process itself."""
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        id = os.fork()
        if id == 0:
            channel.close()
            for open_one in (*self.told.values(), descriptors[STREAMS]):
                os.close(open_one)
            return 0
        self.told[id] = descriptors[STREAMS]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for stream in descriptors[:STREAMS]:
            os.close(stream)
        return id

    def reap(self, *_: object) -> None:
        """Tell of each that has ended."""
        while self.told:
            try:
                id, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:  # the signal of another came in between, and that one was told meanwhile
                return
            if id == 0:
                return
            told = self.told.pop(id)
            os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(told)


def _import_all() -> None:
    """Import what a program may need."""
    gc.disable()
    for module in (*MODULES, *(FOR_WORKERS if importlib.util.find_spec("temporalio") else ())):
        importlib.import_module(module)
    assert threading.active_count() == 1
    gc.freeze()
    gc.enable()


def listen(listener: socket.socket) -> None:
    """Be a parent for each that connects; returns in each process that was forked, and at last in this one."""
    # Ctrl-C is for the tests: they end this process by closing its standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        channel, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            serve(channel)
            return
        channel.close()


def serve(channel: socket.socket) -> None:
    """Fork what is asked for, until the other end closes; returns in each process that was forked, too."""
    children = _Children()
    signal.signal(signal.SIGCHLD, children.reap)
    while True:
        header, descriptors, _, _ = socket.recv_fds(channel, 8, STREAMS + 1)
        if len(header) < 8:
            return
        wanted = json.loads(_read(channel, int.from_bytes(header, "big")))
        id = children.fork(channel, wanted, descriptors)
        if id == 0:
            _become(wanted, descriptors)
        channel.sendall(id.to_bytes(8, "big"))


if __name__ == "__main__":
    _import_all()
    listen(socket.socket(fileno=int(sys.argv[1])))
