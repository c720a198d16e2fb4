"""What the server and the workflow say of a run to who follows it."""

import asyncio
from datetime import timedelta
from typing import Any

from graphs.temporal.address import EngineError, OutOfReach
from graphs.temporal.wire import News
from nodes.llm.replies.errors import ConfigurationError

QUERY_TIMEOUT = timedelta(seconds=5)


async def ask_news(handle: Any, seen: int) -> News:
    """Ask the workflow for its news; none where no worker answers just now."""
    from temporalio.client import WorkflowQueryFailedError
    from temporalio.service import RPCError

    try:
        news: News = await handle.query("news", seen, result_type=News, rpc_timeout=QUERY_TIMEOUT)
    except (RPCError, WorkflowQueryFailedError, TimeoutError):
        return News()
    return news


async def list_heartbeats(handle: Any) -> list[dict[str, Any]] | None:
    """List what the steps at work told last; nothing where the server does not answer."""
    from temporalio.service import RPCError

    try:
        about = await handle.describe(rpc_timeout=QUERY_TIMEOUT)
    except RPCError:
        return None
    converter = handle._client.data_converter
    told = []
    for pending in about.raw_description.pending_activities:
        if pending.HasField("heartbeat_details"):
            told += await converter.decode(pending.heartbeat_details.payloads, [dict])
    return told


def is_away(result: "asyncio.Task[Any]") -> bool:
    """Tell whether how a run ended could not be read, since the server does not answer."""
    from temporalio.service import RPCError, RPCStatusCode

    error = result.exception() if result.done() and not result.cancelled() else None
    return isinstance(error, RPCError) and error.status != RPCStatusCode.NOT_FOUND


async def read_result(result: "asyncio.Task[Any]") -> dict[str, Any]:
    """Return how a run ended.

    Raises:
        ConfigurationError: A worker refused its settings.
        EngineError: It broke, or was stopped.
        OutOfReach: The server does not say it.
    """
    from temporalio.client import WorkflowFailureError
    from temporalio.exceptions import ApplicationError, CancelledError
    from temporalio.service import RPCError

    try:
        state: dict[str, Any] = await result
    except RPCError as error:
        raise OutOfReach(f"the Temporal server does not say how the run ended: {error.message}") from error
    except WorkflowFailureError as failure:
        why: BaseException = failure.cause
        while not isinstance(why, ApplicationError | CancelledError) and why.__cause__:
            why = why.__cause__
        if isinstance(why, ApplicationError) and why.type in (ConfigurationError.__name__, "ValidationError"):
            raise ConfigurationError(why.message) from None
        if isinstance(why, CancelledError):
            raise EngineError("the run was stopped") from None
        raise EngineError(f"the run broke at its workers: {getattr(why, 'message', why)}") from failure
    return state
