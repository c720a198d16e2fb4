"""How fast the embedded server writes and reads on this machine, measured once, when it is first set up.

So even the first run can be weighed. How much its replies hold is not measured, since that is the questions' affair:
until calls are seen, lengths that are usual stand for them.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import httpx2

from nodes.llm.embedded.notice import announce
from nodes.llm.endpoints.pace import Pace, Speed, Stage
from nodes.llm.endpoints.pace_store import find_or_measure

MEASURED_TOKENS = 12
"""Written by each request that is measured."""
MAX_MEASURING_S = 15.0
"""Seconds that measuring may take; where a machine is that busy, calls will show its pace instead."""
USUAL_STAGES = {"solve": Stage(output=60, least=15, usual=True), "review": Stage(output=80, least=12, usual=True)}
"""What threads and reviews write: the embedded model's threads were seen to write 15 to 110 tokens on the mean of a
dataset, a review that finds nothing wrong some 12."""

_log = logging.getLogger(__name__)


def measure_once(endpoint: str, address: str, api_key: str, *, at_once: int) -> None:
    """Measure a server of which nothing is known, in a few seconds; what fails leaves its pace to the calls.

    Args:
        endpoint: What later processes know it by.
        address: The server's.
        api_key: The server's.
        at_once: Requests that it works on at once.
    """

    def measure() -> Pace:
        with announce("Measuring how fast the embedded model writes on this machine (once)"):
            # An event loop of its own, not a pool of threads, which would keep the process from ending meanwhile.
            return asyncio.run(measure_pace(address, api_key, at_once=at_once))

    find_or_measure(endpoint, measure)


async def measure_pace(address: str, api_key: str, *, at_once: int) -> Pace:
    """Measure one stream, then several side by side; nothing is known after a failure."""
    pace = Pace(stages={stage: replace(usual) for stage, usual in USUAL_STAGES.items()})
    slots = range(1, at_once + 1)
    try:
        async with (
            asyncio.timeout(MAX_MEASURING_S),
            httpx2.AsyncClient(
                base_url=address, headers={"Authorization": f"Bearer {api_key}"}, timeout=None, trust_env=False
            ) as http,
        ):
            _see(pace.alone, await _write_tokens(http, slots[0]))
            for timings in await asyncio.gather(*(_write_tokens(http, slot) for slot in slots)):
                _see(pace.threads, timings)
            # What idle slots hold slows every request down.
            await asyncio.gather(*(http.post(f"/slots/{slot}?action=erase") for slot in slots))
    except (TimeoutError, httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        _log.info("the embedded server's pace could not be measured: %r", error)
        return Pace()
    return pace


async def _write_tokens(http: httpx2.AsyncClient, slot: int) -> dict[str, Any]:
    """Have some tokens written; return the server's own timings."""
    body = {"messages": [{"role": "user", "content": f"Count from {slot * 100} on."}], "id_slot": slot}
    body |= {"max_tokens": MEASURED_TOKENS, "ignore_eos": True, "cache_prompt": False}
    reply = await http.post("/v1/chat/completions", json=body)
    timings: dict[str, Any] = reply.raise_for_status().json()["timings"]
    return timings


def _see(speed: Speed, timings: dict[str, Any]) -> None:
    """Take in reading and writing, which the server tells apart."""
    speed.see(timings["prompt_n"], 0, timings["prompt_ms"] / 1000)
    speed.see(0, timings["predicted_n"], timings["predicted_ms"] / 1000)
