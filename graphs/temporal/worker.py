"""A worker: runs what others hand over, until it is told to stop."""

import asyncio
import logging
import os
import platform
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from graphs.history.store import open_store
from graphs.temporal.activities import BEAT_S, Activities
from graphs.temporal.address import EngineAddress, EngineError, connect
from graphs.temporal.workflow import AdaptiveRun, make_graph
from nodes.reporting.tracing import mask_traces

DEFAULT_CONCURRENCY = 16
"""Steps at a time that a worker does."""
DRAIN_S = 30.0
"""Seconds that a worker which is to stop lets its steps end; what has not ended is begun elsewhere."""
POLLS = 2
"""Requests for work that are open at a time: what is sent to a worker that was cut off is lost for a time-out each."""
STICKY_S = 2.0
"""Seconds after which another worker goes on with the workflow of one that has died."""

_log = logging.getLogger(__name__)


def name_worker() -> str:
    """Name this process, for reports: the machine and the process."""
    return f"{platform.node() or 'worker'}-{os.getpid()}"


async def work(
    address: EngineAddress,
    store: str,
    stop: asyncio.Event,
    *,
    concurrency: int = DEFAULT_CONCURRENCY,
    drain_s: float = DRAIN_S,
    configurable: Mapping[str, Any] | None = None,
    ready: asyncio.Event | None = None,
) -> None:
    """Work until told to stop; then end the steps at work, or leave them to others.

    Args:
        address: The server and the queue.
        store: The runs' store, which all workers share.
        stop: Is set when it is to stop.
        concurrency: Steps at a time.
        drain_s: Seconds that steps at work have to end then.
        configurable: What this worker brings for all runs, such as its tools.
        ready: Is set when it takes work.

    Raises:
        EngineError: The server does not answer.
        StoreError: The store cannot be opened.
    """
    if store.lower() == "none":
        raise EngineError("workers, and who asks them, need a store that they share: set APR_STORE")
    mask_traces()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_store(store))
        client = await connect(address)
        activities = Activities(opened, worker=name_worker(), configurable=configurable or {})
        worker = Worker(
            client,
            task_queue=address.queue,
            identity=name_worker(),
            workflows=[AdaptiveRun],
            activities=activities.list(),
            # The modules are ours, and read neither clock nor chance where it matters.
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_concurrent_activities=concurrency,
            max_concurrent_activity_task_polls=POLLS,
            max_concurrent_workflow_task_polls=POLLS,
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=STICKY_S),
            max_heartbeat_throttle_interval=timedelta(seconds=BEAT_S),
            default_heartbeat_throttle_interval=timedelta(seconds=BEAT_S),
            graceful_shutdown_timeout=timedelta(seconds=drain_s),
            # Else one that is at hand would take the threads which idle ones could.
            disable_eager_activity_execution=True,
        )
        # Else the first decision takes long, which on a busy machine might look like a workflow that hangs.
        make_graph()
        async with worker:
            if ready:
                ready.set()
            await stop.wait()
