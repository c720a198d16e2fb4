"""Processes that use the embedded model: of Python code, and with a server of a tiny model."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.subjects.embedded import ROOT, SERVER, Start
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def start() -> Iterator[Start]:
    """Run Python code in a process of its own."""
    with ExitStack() as ending:

        def run(code: str, **environment: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(code)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            ending.enter_context(process)
            ending.callback(process.kill)
            return process

        yield run


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Start:
    """Run code with the embedded server set up for a tiny model."""
    tiny = write_tiny_model(tmp_path / "tiny.gguf")

    def run(code: str, gguf: Path = tiny, **environment: str) -> "subprocess.Popen[str]":
        return start(SERVER + code, APR_LOCAL_GGUF=str(gguf), XDG_CACHE_HOME=str(tmp_path / "cache"), **environment)

    return run
