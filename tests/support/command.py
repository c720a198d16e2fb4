"""The `apr` command on a scripted server, run as a user runs it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.forked import PROJECT, Forked, fork
from tests.support.server import ModelServer

APR = str(Path(sys.executable).parent / "apr")
PIPE = asyncio.subprocess.PIPE

Process = asyncio.subprocess.Process | Forked

STEADY = {"APR_SPLIT": "if_independent", "APR_HEAD_START": "off"}
"""For processes that answer many questions: how fast a busy machine was before decides nothing."""


def environment(server: ModelServer, **more: str) -> dict[str, str]:
    """Return the environment in which the command uses a server."""
    return os.environ | {"APR_MODEL": "openai:scripted", "APR_BASE_URL": server.url} | more


async def launch(
    *arguments: str,
    env: Mapping[str, str],
    real: bool = False,
    stdin: int = PIPE,
    stdout: int = PIPE,
    stderr: int = PIPE,
    largest_file: int | None = None,
    folder: Path = PROJECT,
) -> Process:
    """Start the command in an environment.

    Args:
        arguments: Its arguments.
        env: Its environment.
        real: Whether the program itself is started, not a fork of a parent that has it in memory.
        stdin: A descriptor, or what `asyncio.subprocess` has for one.
        stdout: The same.
        stderr: The same.
        largest_file: How many bytes a file may have, in a fork.
        folder: Its working directory.
    """
    if real:
        return await asyncio.create_subprocess_exec(
            *(APR, *arguments), env=env, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder
        )
    where: Any = {"env": env, "folder": folder, "largest_file": largest_file}
    return await fork(*(APR, *arguments), stdin=stdin, stdout=stdout, stderr=stderr, **where)


async def start(server: ModelServer, *arguments: str, **more: str) -> Process:
    """Start the command in a fork; its three streams are pipes."""
    return await launch(*arguments, env=environment(server, **more))


async def apr(server: ModelServer, *arguments: str, **more: str) -> tuple[int, str, str]:
    """Run the command to its end; returns its status, output and errors."""
    return await apr_in(PROJECT, server, *arguments, **more)


async def apr_in(folder: Path, server: ModelServer, *arguments: str, **more: str) -> tuple[int, str, str]:
    """Run the command to its end in a folder; returns its status, output and errors."""
    process = await launch(*arguments, env=environment(server, **more), folder=folder)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()
