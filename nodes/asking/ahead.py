"""What is asked before its stage comes: the direct answer, and threads whose lines of the outline are complete."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from langchain_core.messages import BaseMessage
from pydantic_core import from_json

from nodes.asking import direct, thread
from nodes.asking.weigh import ROLES, known_clients, size_of, weigh
from nodes.llm import flights
from nodes.llm.clients import Client
from nodes.llm.endpoints.pace import IN_VAIN, Shown
from nodes.llm.endpoints.usage import Call
from nodes.llm.limits.ledger import ENGLISH_CHARACTERS_A_TOKEN
from nodes.llm.limits.limiter import MAX_OPEN_REQUESTS
from nodes.llm.replies.growing import GrowingText
from nodes.planning.head_start import MIN_OUTLINES_SEEN, is_worth_it, preview, short_answer_wait_s
from nodes.settings import Role, Settings
from nodes.shared.masking import trace_of
from nodes.shared.run import Run
from nodes.state import Problem, State, ThreadTask, tasks_of
from nodes.threads.cache import thread_cache
from nodes.tools.toolbox import uses_tools

DIRECT = "direct"
"""What the direct answer is known by among a run's calls."""
MAX_EARLY_TOKENS = 20_000
"""Of a question and its documents: searching larger ones for what a part needs would hold up the event loop."""

_log = logging.getLogger(__name__)


class HeadStart:
    """Begins what a run is likely to ask next, while its outline is being written.

    Attributes:
        threads: Whether threads begin as soon as their lines are complete.
        vain: Requests of a direct answer that was waited for and did not come.
    """

    def __init__(
        self, problem: Problem, settings: Settings, run: Run, clients: Mapping[Role, Client], *, threads: bool
    ) -> None:
        """Begin nothing yet."""
        self.threads = threads
        self.vain: list[Call] = []
        self._problem, self._settings, self._run, self._clients = problem, settings, run, clients
        free = _free(clients["solve"])
        self._free, self._room = free > 0, min(free - 1, settings.max_parallel)
        # How fast servers work side by side that tell of no slots is known too roughly.
        self._alone = bool(clients["solve"].slots) and not clients["solve"].limiter.open
        self._begun: set[str] = set()
        self._lines = self._heard = 0
        self._outline = GrowingText()

    async def begin_direct(self) -> None:
        """Begin the direct answer, if the server has room and it is worth that; a short one is waited for."""
        settings, tokens, beside = self._settings, size_of(self._problem), self._room > 0
        if settings.split == "always" or not self._free:
            return
        solving, assessing = (self._clients[role].learnt.pace for role in ("solve", "assess"))
        always = settings.head_start == "on"
        worth = beside and (always or is_worth_it(tokens=tokens, solving=solving, assessing=assessing))
        wait_s = 0.0
        if self._alone and not always:
            told = tokens + len(self._problem.instructions) // ENGLISH_CHARACTERS_A_TOKEN
            wait_s = short_answer_wait_s(tokens=told, solving=solving, assessing=assessing, beside=beside)
        if not (worth or wait_s):
            return
        asked = direct.messages(self._problem, settings)
        flights.begin(self._run.id, DIRECT, direct.DIRECT.caller(settings, self._run, ahead=True), asked)
        if wait_s:
            await flights.wait_for(self._run.id, DIRECT, wait_s)
        if worth:
            self._room -= 1
        elif not flights.is_answered(self._run.id, DIRECT):
            self.vain = await flights.drop(self._run.id, {DIRECT})
            self._clients["solve"].learnt.shown.see(Shown(IN_VAIN))

    def hear(self, text: str) -> None:
        """Begin the threads whose lines stand in an outline as far as it is written; a fault costs no outline."""
        try:
            self._begin_threads(text)
        except Exception as error:
            _log.error("no thread begins early:\n%s", trace_of(error))

    def _begin_threads(self, text: str) -> None:
        if len(text) < self._heard:  # written anew
            self._heard, self._outline = 0, GrowingText()
        # What the model only thinks of begins no thread.
        lines = complete_lines(self._outline.take(text[self._heard :]))
        self._heard = len(text)
        if len(lines) <= self._lines:
            return
        self._lines = len(lines)
        limits = {"max_threads": self._settings.max_threads, "max_parallel": self._settings.max_parallel}
        plan = preview(lines, self._problem.segments(), **limits)
        if plan is None or not self._pays(len(plan.threads)):
            return
        ids = [spec.id for spec in plan.threads if not spec.needs and spec.id not in self._begun]
        expected = State(**self._problem.model_dump(), run=self._run, plan=plan, redo=ids)
        for task in tasks_of(expected):
            if self._room > 0:
                self._room -= 1
                self._begin(task)

    def _pays(self, parts: int) -> bool:
        """Tell whether the split would be made, as far as is known; results that are the answer are joined for free."""
        weighed = weigh(self._problem, self._settings, self._clients, parts=parts, joins=False)
        return weighed is None or weighed.pays or self._settings.split != "if_faster"

    def _begin(self, task: ThreadTask) -> None:
        self._begun.add(task.spec.id)
        settings, run = self._settings, self._run
        asked = thread.messages(task, settings)
        within = thread.stage_of(task, settings).caller(
            settings, run, thread=task.spec, ahead=True, time_limit=settings.thread_timeout
        )
        flights.begin(run.id, key_of(task, asked), within, asked)


def key_of(task: ThreadTask, messages: Sequence[BaseMessage]) -> str:
    """Name a thread's call by all that it asks: it is the thread's only if it asks the very same."""
    return flights.key_of(task.spec.id, messages)


def take_thread(task: ThreadTask, messages: Sequence[BaseMessage]) -> flights.Flight | None:
    """Take over the call of a thread that has begun early, if it asks the very same."""
    begun = not task.round and flights.any_begun(task.run.id)
    return flights.take(task.run.id, key_of(task, messages)) if begun else None


async def drop_thread(pieces: Sequence[ThreadTask], settings: Settings) -> list[Call]:
    """Break off the calls of a thread that have begun early, and return the requests that were made in vain."""
    run_id = pieces[0].run.id
    if pieces[0].round or not flights.any_begun(run_id):
        return []
    return await flights.drop(run_id, [key_of(piece, thread.messages(piece, settings)) for piece in pieces])


async def keep_threads(state: State, settings: Settings) -> list[Call]:
    """Keep of the threads that began early those that the plan asks the very same; returns what was asked in vain."""
    if not flights.any_begun(state.run.id):
        return []
    asked = [key_of(task, thread.messages(task, settings)) for task in tasks_of(state) if not task.spec.needs]
    vain = await flights.drop_others(state.run.id, asked)
    flights.leash(state.run.id)
    return vain


async def _head_start(problem: Problem, settings: Settings, run: Run) -> HeadStart | None:
    """Prepare to begin calls early, where that is wanted and worth it; the direct answer begins at once.

    What a person is to approve first does not begin early, nor what has a limit that it would use up unseen: of tokens
    or dollars, of requests a minute, of a server's slots. Nor do threads that may call tools: some cannot be undone.
    """
    if settings.solver != "chain":
        return None
    limited = (
        settings.max_total_tokens or settings.max_cost or settings.requests_per_minute or settings.tokens_per_minute
    )
    if settings.head_start == "off" or limited or settings.oversight in ("plan", "both") or uses_tools(settings):
        return None
    if settings.head_start == "auto" and not await _enough_seen(settings, run):
        return None
    clients = await known_clients(settings, run)
    if clients.keys() != set(ROLES):
        return None
    small = size_of(problem) <= MAX_EARLY_TOKENS
    # Which threads are easy stands behind the last line of an outline.
    threads = small and settings.scoped and not settings.easy_model and await thread_cache(settings) is None
    seen = clients["assess"].learnt.pace.of("assess").calls >= MIN_OUTLINES_SEEN
    threads = threads and (seen or settings.head_start == "on")
    begun = HeadStart(problem, settings, run, clients, threads=threads)
    await begun.begin_direct()
    return begun


async def _enough_seen(settings: Settings, run: Run) -> bool:
    """Whether there is a pace from which to expect something. Servers of other roles need not be started for it."""
    clients = await known_clients(settings, run, ("assess",))
    return "assess" in clients and clients["assess"].learnt.pace.known


@asynccontextmanager
async def begin_ahead(problem: Problem, settings: Settings, run: Run) -> AsyncIterator[HeadStart | None]:
    """Begin what is likely to be asked next; what is begun then must soon be taken over, and ends if this breaks off.

    Yields:
        Who begins threads while the outline is written; nothing where nothing begins early.
    """
    try:
        yield await _head_start(problem, settings, run)
    except BaseException:
        await flights.drop_others(run.id, ())
        raise
    finally:
        flights.leash(run.id)


def _free(client: Client) -> int:
    """Return how many more requests its server would work on at once."""
    degree = client.limiter.degree
    return MAX_OPEN_REQUESTS if degree is None else max(0, degree - client.limiter.open)


def complete_lines(text: str) -> list[str]:
    """Return the parts of an outline that are complete, as far as it is written.

    Args:
        text: A JSON object that may be cut anywhere, and may stand behind other text.
    """
    try:
        found = from_json(text[text.index("{") :], allow_partial=True)
    except ValueError:
        return []
    parts = found.get("parts") if isinstance(found, dict) else None
    return [part for part in parts if isinstance(part, str)] if isinstance(parts, list) else []
