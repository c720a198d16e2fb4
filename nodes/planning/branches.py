"""Threads that wait for each other: in which order they run, and which built on which, and which run again (pure)."""

from collections.abc import Collection, Iterable, Sequence

from nodes.planning.plan import ThreadSpec
from nodes.threads.results import ThreadResult


def in_turn(threads: Iterable[ThreadSpec]) -> list[ThreadSpec]:
    """Sort threads so that each comes after those whose results it needs; else their order stays."""
    left, in_order = list(threads), list[ThreadSpec]()
    while left:
        waiting = {thread.id for thread in left}
        ready = [thread for thread in left if not waiting & set(thread.needs)] or left
        in_order += ready
        left = [thread for thread in left if thread not in ready]
    return in_order


def find_ring(threads: Iterable[ThreadSpec]) -> list[str]:
    """Return the ids of threads that wait for each other, or for such; none if each can run."""
    left = list(threads)
    while left:
        waiting = {thread.id for thread in left}
        still = [thread for thread in left if waiting & set(thread.needs)]
        if len(still) == len(left):
            return sorted(waiting)
        left = still
    return []


def with_dependents(ids: Iterable[str], threads: Iterable[ThreadSpec]) -> set[str]:
    """Add to threads those that built on their results, however far on."""
    found = set(ids)
    for thread in in_turn(threads):
        if found & set(thread.needs):
            found.add(thread.id)
    return found


def find_settled(results: Sequence[ThreadResult], unsound: Collection[str], threads: Iterable[ThreadSpec]) -> set[str]:
    """Return the ids of threads that do not run again: those that were stopped, and those that need what they lack.

    Threads that were not needed may run again where no other thread's answer stands any more.

    Args:
        results: What the threads of the plan came to.
        unsound: Ids of those whose result does not stand.
        threads: The plan's.
    """
    stands = any(result.id not in unsound for result in results)
    stopped = [result for result in results if result.stopped == "person" or (result.stopped and stands)]
    lacking = with_dependents((result.id for result in stopped if result.id in unsound), threads)
    return lacking.union(result.id for result in stopped)
