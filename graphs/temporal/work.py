"""A run as the workflow holds it: every node is an activity, and what threads wait for is kept here.

All of this is deterministic, as Temporal wants it: no clock, no chance and no reading but Temporal's own.
"""

import asyncio
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from typing import Any

from langgraph.runtime import Runtime
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

from graphs.temporal.lanes import Lane, Round
from graphs.temporal.wire import News, Opened, RunCall, StageCall, StageReply, read_update, write_values
from nodes.boundary.needs import build_on, is_settled, lack
from nodes.boundary.node import Node
from nodes.boundary.progress import tell_result, tell_thread
from nodes.boundary.stopped import is_enough, stop_result
from nodes.llm.limits.budget import left_for
from nodes.settings import Settings
from nodes.state import Problem, State, ThreadTask
from nodes.threads.results import ThreadResult
from nodes.threads.stopping import BY_A_PERSON

HEARTBEAT_TIMEOUT = timedelta(seconds=5)
"""A worker of which nothing is heard for so long has died, and what it did is begun elsewhere."""
MAX_STEP = timedelta(hours=24)
"""The settings of the run bound what a step takes; this bounds one whose worker has lost its mind."""
RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=0.2), maximum_interval=timedelta(seconds=5), maximum_attempts=50
)
"""Of steps whose worker died, or could not read the store."""
STEP: dict[str, Any] = {
    "start_to_close_timeout": MAX_STEP,
    "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    "retry_policy": RETRIES,
    # A thread that is stopped says how far it came.
    "cancellation_type": workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}

WORK: ContextVar["Work"] = ContextVar("work")
"""The run that is at work in this workflow."""


class Work:
    """A run at work.

    Attributes:
        opened: Its settings, once a worker has chosen them.
    """

    def __init__(self, asked: RunCall) -> None:
        """Begin with nothing done."""
        self._asked = asked
        self.opened = Opened(settings={})
        self._pieces: list[dict[str, Any]] = []
        self._rounds: dict[int, Round] = {}
        self._events: list[dict[str, Any]] = []
        self._asks: dict[str, Any] | None = None
        self._asked_often = 0
        self._replies: list[Any] = []
        self._began, self._paused = 0.0, 0.0

    def begin(self, opened: Opened) -> None:
        """Start the run's clock."""
        self.opened, self._began = opened, workflow.time()

    def elapsed(self) -> float:
        """Seconds that the run has worked; what a person takes does not count."""
        return workflow.time() - self._began - self._paused

    def tell(self, event: dict[str, Any]) -> None:
        """Note what is streamed."""
        self._events.append(event)

    def news(self, seen: int) -> News:
        """Return what was streamed after the first so many events, and what a person is asked."""
        return News(events=self._events[seen:], asks=self._asks, asked=self._asked_often)

    def reply(self, reply: Any) -> None:
        """Take what a person says."""
        self._asks = None
        self._replies.append(reply)

    def stop(self, id: str) -> bool:
        """Stop a thread at work; tells whether there is such a one."""
        lanes = [round.lanes[id] for round in self._rounds.values() if id in round.lanes]
        return any(lane.stop("person", BY_A_PERSON) for lane in lanes)

    async def do(self, stage: str, state: Problem, runtime: Runtime[Settings]) -> dict[str, Any]:
        """Have a node run at a worker, asking a person as often as it wants."""
        if isinstance(state, State):
            self._pieces = write_values({"pieces": state.pieces})["pieces"]
        replies: list[Any] = []
        while True:
            reply = await self._ask(stage, write_values(state), stage, replies=replies)
            for event in reply.events:
                self.tell(event)
            if reply.asks is None:
                return read_update(reply.update or {})
            since = workflow.time()
            self._asks, self._asked_often = reply.asks, self._asked_often + 1
            await workflow.wait_condition(lambda: bool(self._replies))
            self._paused += workflow.time() - since
            replies = [*replies, self._replies.pop(0)]

    async def solve(self, task: ThreadTask, runtime: Runtime[Settings]) -> dict[str, Any]:
        """Work on one thread as soon as what it builds on is there and its turn comes; as in `nodes.solve`."""
        round = self._rounds.setdefault(task.round, Round(asyncio.Semaphore(task.degree)))
        lane = round.lanes[task.spec.id] = Lane(task)
        round.board.expect(task.spec.id)
        tell_thread(runtime, task, round, "queued")
        try:
            lane.work = asyncio.create_task(self._find_result(lane, round, runtime))
            if round.board.enough:
                lane.stop("not_needed", round.board.enough)
            update = await self._end(lane)
        finally:
            del round.lanes[task.spec.id]
        result: ThreadResult = update["results"][task.spec.id]
        round.done += 1
        tell_result(runtime, task, round, result)
        round.board.tell(result)
        if not lane.stopped and (why := is_enough(task, result, runtime.context, round.board)):
            for other in list(round.lanes.values()):
                other.stop("not_needed", why)
        return update

    async def _end(self, lane: Lane) -> dict[str, Any]:
        """Wait until a thread has ended, or has been stopped."""
        assert lane.work is not None
        try:
            update: dict[str, Any] = await lane.work
        except (asyncio.CancelledError, ActivityError) as error:
            # The server may report its step as cancelled, where it could not say how far it came.
            if not lane.stopped or not is_cancelled_exception(error):
                raise
            update = {}
        if not lane.stopped:
            return update
        id = lane.task.spec.id
        came: ThreadResult | None = update.get("results", {}).get(id)
        result = stop_result(lane.task, came, lane)
        return update | {"results": {id: result}}

    async def _find_result(self, lane: Lane, round: Round, runtime: Runtime[Settings]) -> dict[str, Any]:
        sent, ready = lane.task, self.elapsed()
        task, missing = await self._take_needs(sent, round, runtime.context)
        if missing:
            return {"results": {task.spec.id: lack(task, missing)}}
        if is_settled(task, sent):
            return {"results": {task.spec.id: task.previous}}
        async with round.turns:
            # The board is here, and its segments are read again where it is worked on.
            asked = task.model_copy(update={"awaited": [], "needed": False, "segments": []})
            about = f"{task.spec.id} (round {task.round})" if task.round else task.spec.id
            reply = await self._ask("solve", write_values(asked), f"solve {about}", pieces=self._pieces)
        update = read_update(reply.update or {})
        result: ThreadResult = update["results"][task.spec.id]
        queued = max(result.queued_s, round_s(result.started_s - ready)) if result.attempts else result.queued_s
        result = result.model_copy(update={"queued_s": queued, "worker": reply.worker})
        for event in between(reply.events):
            self.tell(event | {"n_done": task.settled + round.done})
        return update | {"results": {task.spec.id: result}}

    async def _take_needs(self, task: ThreadTask, round: Round, settings: Settings) -> tuple[ThreadTask, str]:
        given = {result.id: result for result in task.given}
        try:
            async with asyncio.timeout(left_for(settings, "solve", self.elapsed())):
                for id in task.awaited:
                    given[id] = await round.board.wait_for(id)
        except TimeoutError:
            return task, f"the results that it needs ({', '.join(task.awaited)}) did not come in time"
        return build_on(task, given)

    async def _ask(self, stage: str, state: dict[str, Any], about: str, **more: Any) -> StageReply:
        call = StageCall(
            run=self._asked.run,
            stage=stage,
            state=state,
            opened=self.opened,
            elapsed_s=self.elapsed(),
            trace=self._asked.trace,
            **more,
        )
        reply: StageReply = await workflow.execute_activity(stage, call, result_type=StageReply, summary=about, **STEP)
        return reply


def between(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what the workflow itself tells of a thread: that it is queued, and how it ended."""
    return [event for event in events if event.get("status") == "running"]


def round_s(seconds: float) -> float:
    """Round to milliseconds."""
    return round(seconds, 3)


def remote(node: Node) -> Any:
    """Make of a node what has it run at a worker."""
    stage = node.__name__

    async def ask(state: Any, runtime: Runtime[Settings]) -> dict[str, Any]:
        work = WORK.get()
        # LangGraph's own stream wants threads, which a workflow does not have.
        runtime = replace(runtime, stream_writer=work.tell)
        return await (work.solve(state, runtime) if stage == "solve" else work.do(stage, state, runtime))

    ask.__name__ = stage
    return ask
