"""Processes that use the embedded model: how they are started, waited for, and what they begin with."""

import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
Start = Callable[..., "subprocess.Popen[str]"]
SERVER = """
    import asyncio, json, os, sys, threading, urllib.error, urllib.request
    from concurrent.futures import ThreadPoolExecutor
    from nodes.llm.replies.errors import ConfigurationError
    from nodes.llm.embedded.server import running_server

    def post(server, messages, key=None, **more):
        request = urllib.request.Request(
            server.base_url + "/chat/completions",
            json.dumps({"messages": messages, **more}).encode(),
            {"Authorization": f"Bearer {server.api_key if key is None else key}"},
        )
        return json.load(urllib.request.urlopen(request))
"""


def line(process: "subprocess.Popen[str]") -> str:
    """Wait for the process to print a line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Wait for a process that should end well; return what it printed."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err
