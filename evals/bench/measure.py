"""One measurement, in a process of its own: `python -m evals.bench.measure ORDER BASE_URL CORE` prints its figures."""

import asyncio
import cProfile
import gc
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass

from evals.bench.clients import CLIENTS
from evals.bench.process import settle
from evals.bench.workload import Order


@dataclass
class Figures:
    """What a client's process measured of itself, after one warm-up run."""

    wall_s: float
    """Seconds from the start of the first run to the end of the last."""
    cpu_s: float
    """Seconds of processor time in that span, user and system, of the whole process."""
    rss_mb: float
    """The most resident memory that the process ever held, in MB of 1,000,000 bytes."""
    incomplete: int = 0
    """Runs that came to no whole answer."""
    error: str = ""
    """What the first of these died of."""


async def measure(order: Order, base_url: str) -> Figures:
    """Do one run to warm up, then all runs at once."""
    async with CLIENTS[order.client].open(order, base_url) as run:
        await asyncio.gather(run(0), return_exceptions=True)
        gc.collect()
        profile = cProfile.Profile() if order.profile else None
        cpu, wall = time.process_time(), time.perf_counter()
        if profile:
            profile.enable()
        ends = await asyncio.gather(*(run(number) for number in range(1, order.runs + 1)), return_exceptions=True)
        if profile:
            profile.disable()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if profile and order.profile:
        profile.dump_stats(order.profile)
    faults = [end for end in ends if end is not None]
    error = " ".join(f"{type(faults[0]).__name__}: {faults[0]}".split())[:300] if faults else ""
    return Figures(wall, cpu, _peak_mb(), len(faults), error)


def _peak_mb() -> float:
    # On Linux it starts with what the parent process holds, which is therefore kept small.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


if __name__ == "__main__":
    settle(sys.argv[3])
    figures = asyncio.run(measure(Order(**json.loads(sys.argv[1])), sys.argv[2]))
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")
