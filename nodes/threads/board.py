"""Where the threads of a round leave their results for the others, in this process."""

import asyncio

from nodes.llm.endpoints.recent import Recent
from nodes.threads.results import ThreadResult

MAX_BOARDS = 64
"""Rounds whose results are held; they are also in the runs' state."""
BEGIN_TIMEOUT_S = 60.0
"""Seconds for a thread to end that has not begun here when others need it; all of a round begin at once."""


class Board:
    """The results of the threads of one round, as they come.

    Attributes:
        answers: The answers that are there.
        enough: Why no more of them are needed; empty while they are.
    """

    def __init__(self) -> None:
        """Hold none."""
        self.answers: list[str] = []
        self.enough = ""
        self._results: dict[str, asyncio.Future[ThreadResult]] = {}
        self._begun: set[str] = set()

    def expect(self, id: str) -> None:
        """Note that a thread is at work here, and that what it may have left before no longer counts."""
        if id in self._results and self._results[id].done():
            del self._results[id]
        self._result(id)
        self._begun.add(id)

    def expects(self, id: str) -> bool:
        """Tell whether a thread is at work here, or has been."""
        return id in self._begun

    def tell(self, result: ThreadResult) -> None:
        """Leave a result."""
        if not (future := self._result(result.id)).done():
            future.set_result(result)

    async def wait_for(self, id: str) -> ThreadResult:
        """Return the result of a thread as soon as it is there.

        Raises:
            TimeoutError: The thread does not begin here at all, such as one whose result the run's store has lost.
        """
        if not self.expects(id):
            async with asyncio.timeout(BEGIN_TIMEOUT_S):
                return await asyncio.shield(self._result(id))
        # Shielded: others may wait for the same.
        return await asyncio.shield(self._result(id))

    def _result(self, id: str) -> asyncio.Future[ThreadResult]:
        loop = asyncio.get_running_loop()
        known = self._results.get(id)
        # A run that was stopped may go on in another event loop.
        if known is None or not (known.done() or known.get_loop() is loop):
            known = self._results[id] = loop.create_future()
        return known


_boards: Recent[tuple[str, int], Board] = Recent(MAX_BOARDS)


def board_of(run_id: str, round: int) -> Board:
    """Return the board of a round."""
    return _boards.get_or_make((run_id, round), Board)
