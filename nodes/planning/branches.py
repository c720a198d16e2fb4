"""Threads that wait for each other: in which order they run, and which built on which, and which run again (pure)."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from nodes.planning.plan import ThreadSpec
from nodes.threads.results import ThreadResult

Needs = Mapping[str, Collection[str]]
"""By thread id: the threads whose results it needs."""


def sort_by_needs(needs: Needs) -> tuple[list[str], list[str]]:
    """Sort threads so that each comes after those that it needs; else their order stays.

    Returns:
        Their ids, and those that are left: they wait for each other, or for such.
    """
    left, in_order = list(needs), list[str]()
    while ready := [id for id in left if not set(left) & set(needs[id])]:
        in_order += ready
        left = [id for id in left if id not in ready]
    return in_order, left


def in_turn(threads: Iterable[ThreadSpec]) -> list[ThreadSpec]:
    """Sort threads so that each comes after those whose results it needs; those that wait for each other come last."""
    specs = {thread.id: thread for thread in threads}
    in_order, ring = sort_by_needs({id: spec.needs for id, spec in specs.items()})
    return [specs[id] for id in [*in_order, *ring]]


def find_ring(threads: Iterable[ThreadSpec]) -> list[str]:
    """Return the ids of threads that wait for each other, or for such; none if each can run."""
    return sorted(sort_by_needs({thread.id: thread.needs for thread in threads})[1])


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
