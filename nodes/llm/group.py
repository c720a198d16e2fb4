"""The servers that answer for a role: the least loaded one is asked, and one that fails is left out for a while."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nodes.llm.clients import Client, clients_of
from nodes.llm.limits.time_limit import TimeLimit
from nodes.llm.replies.errors import HOPELESS, Kind, ModelError
from nodes.llm.resolve import resolve
from nodes.settings import Role, Seat, Settings

OUT_OF_ORDER: frozenset[Kind] = HOPELESS | {"timed_out", "dropped", "rate_limited", "overloaded", "server_error"}
"""What tells against a server; other failures are the request's own."""


class Group:
    """The servers that answer for a role; most have one."""

    def __init__(self, clients: Sequence[Client]) -> None:
        """Take their clients, at least one, in the order in which they are named."""
        self.clients = tuple(clients)

    @property
    def slots(self) -> int | None:
        """How many requests they work on at once, where all of them tell."""
        known = [client.slots for client in self.clients]
        return sum(slots or 0 for slots in known) if all(known) else None

    def best(self) -> Client:
        """Return the one to ask now: of those that answer the least loaded, the first named of equals."""
        return min(self.clients, key=_rank)

    @contextmanager
    def lease(self) -> Iterator[Client]:
        """Choose whom a request goes to, and take in what becomes of it."""
        client = self.best()
        health = client.learnt.health
        health.busy += 1
        try:
            yield client
        except ModelError as error:
            error.elsewhere = self.fail(client, error.kind, error.retry_after)
            raise
        else:
            health.succeed()
        finally:
            health.busy -= 1

    def fail(self, client: Client, kind: Kind, asked_to_wait: float | None = None) -> bool:
        """Leave a server out if a failure tells against it; returns whether another one may answer instead."""
        if len(self.clients) == 1 or kind not in OUT_OF_ORDER:
            return False
        client.learnt.health.fail(asked_to_wait)
        return not self.best().learnt.health.rest_s


def _rank(client: Client) -> tuple[float, bool, float]:
    health, degree = client.learnt.health, client.limiter.degree
    full = degree is not None and health.busy >= degree
    return health.rest_s, full or (health.doubtful and health.busy > 0), health.busy / (client.slots or 1)


async def group_for(settings: Settings, seat: Seat) -> Group:
    """Return the servers of a role, opening their clients on first use.

    Raises:
        ConfigurationError: A key, an extra or a file of certificates is missing, or the embedded server cannot start.
    """
    return Group(await clients_of(await resolve(settings, seat)))


async def known_group(settings: Settings, role: Role, *, until: float) -> Group | None:
    """Return the servers of a role; nothing where they cannot be had, since the call itself will tell why.

    Args:
        settings: The run's settings.
        role: What they are asked for.
        until: When the run has no more time to find out, in seconds since the epoch.
    """
    try:
        async with TimeLimit(math.inf, until):
            return await group_for(settings, role)
    except Exception:
        return None


async def known_client(settings: Settings, role: Role, *, until: float) -> Client | None:
    """Return the client of the server that would be asked for a role now; nothing where it cannot be had."""
    group = await known_group(settings, role, until=until)
    return group.best() if group else None
