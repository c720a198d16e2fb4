"""A measurement from outside: a fresh server and a fresh client, ended when the time is up."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, Any

from evals.bench.clients import CLIENTS
from evals.bench.process import environment, two_cores
from evals.bench.workload import CALLS, Order


@dataclass
class Sample:
    """What one measurement gave."""

    wall_s: float
    """Seconds from the start of the first run to the end of the last."""
    multiple: float
    """The same as a multiple of the shortest possible run."""
    cpu_ms: float
    """Processor time of the client per run, in milliseconds."""
    rss_mb: float
    """The client's peak resident memory, in MB of 1,000,000 bytes."""
    incomplete: int
    """Runs that came to no whole answer."""
    error: str
    requests: int
    """What the server counted, the warm-up included."""
    peak: int
    faults: int
    server_busy: float
    """The server's processor time as a share of the wall time: near 1, it was the bottleneck."""


class NoSample(Exception):
    """A measurement that gave nothing; says why in a few words."""


def sample(order: Order) -> Sample:
    """Measure once.

    Raises:
        NoSample: The client cannot run here, broke, or did not end in time.
    """
    if CLIENTS[order.client].missing:
        raise NoSample(CLIENTS[order.client].missing)
    cores = two_cores() or ("", "")
    with process("evals.bench.server", json.dumps(asdict(order)), cores[0]) as server:
        port = int(out_of(server).readline() or 0)
        if not port:
            raise NoSample("the server did not start")
        figures = _figures(order, f"http://127.0.0.1:{port}/v1", cores[1])
        counts = json.loads(server.communicate()[0])
    wanted = CALLS * (order.runs + 1)
    if not order.fault_rate and not figures["incomplete"] and counts["requests"] < wanted:
        # A client that answers from a cache, say: its figures would compare with nothing.
        raise NoSample(f"made {counts['requests']} requests instead of {wanted}")
    return Sample(
        wall_s=figures["wall_s"],
        multiple=figures["wall_s"] / order.shortest,
        cpu_ms=figures["cpu_s"] / order.runs * 1000,
        rss_mb=figures["rss_mb"],
        incomplete=figures["incomplete"],
        error=figures["error"],
        requests=counts["requests"],
        peak=counts["peak"],
        faults=counts["faults"],
        server_busy=counts["cpu_s"] * order.runs / (order.runs + 1) / figures["wall_s"],
    )


def _figures(order: Order, base_url: str, core: str) -> Any:
    with process("evals.bench.measure", json.dumps(asdict(order)), base_url, core) as client:
        try:
            out, _ = client.communicate(timeout=order.time_limit)
        except subprocess.TimeoutExpired:
            raise NoSample(f"> {order.time_limit:g} s") from None
    if client.returncode:
        raise NoSample(f"broke with exit status {client.returncode}")
    return json.loads(out.splitlines()[-1])


@contextmanager
def process(module: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a module in a process of its own, which is ended with the block."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(
        # In a session of its own: Ctrl-C ends this process, which then ends that one.
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def out_of(process: "subprocess.Popen[str]") -> IO[str]:
    """Return what it prints."""
    assert process.stdout is not None
    return process.stdout
