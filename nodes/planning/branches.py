"""Threads that wait for each other: in which order they run, and which built on which (pure)."""

from collections.abc import Iterable

from nodes.planning.plan import ThreadSpec


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
