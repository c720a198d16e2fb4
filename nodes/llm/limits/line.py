"""Who waits for a turn: first come, first served within a run, and runs take turns."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

W = TypeVar("W")


class Line(Generic[W]):
    """Those who wait, by run; the run whose turn is next comes first."""

    def __init__(self) -> None:
        """Hold nobody."""
        self._runs: OrderedDict[str, deque[W]] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._runs)

    def __len__(self) -> int:
        """Count those who wait."""
        return sum(map(len, self._runs.values()))

    def __iter__(self) -> Iterator[W]:
        """List all who wait now, whoever leaves meanwhile."""
        return iter([waiter for queue in self._runs.values() for waiter in queue])

    def enter(self, run_id: str, waiter: W, *, first: bool = False) -> None:
        """Wait behind others of the same run, or before them."""
        queue = self._runs.setdefault(run_id, deque())
        (queue.appendleft if first else queue.append)(waiter)

    def leave(self, run_id: str, waiter: W) -> None:
        """Wait no more; its run keeps its place."""
        queue = self._runs.get(run_id)
        if queue is not None and waiter in queue:
            queue.remove(waiter)
            if not queue:
                del self._runs[run_id]

    def take(self, run_id: str, waiter: W) -> None:
        """Have one go on; its run's next turn comes after those of the others."""
        self.leave(run_id, waiter)
        if run_id in self._runs:
            self._runs.move_to_end(run_id)

    def heads(self) -> list[W]:
        """List the first of each run, in the order of their turns."""
        return [queue[0] for queue in self._runs.values()]
