"""Whether a split is expected to pay, from what the endpoints have shown so far."""

from collections.abc import Mapping, Sequence

from nodes.asking.review import ends_with_call
from nodes.llm.clients import Client
from nodes.llm.group import known_client
from nodes.llm.limits.budget import latest
from nodes.llm.limits.ledger import ENGLISH_CHARACTERS_A_TOKEN
from nodes.planning.forecast import Forecast, forecast
from nodes.settings import Role, Settings
from nodes.shared.run import Run
from nodes.state import Problem

ROLES: tuple[Role, ...] = ("assess", "solve", "review")


def roles_to_weigh(settings: Settings, *, joins: bool) -> tuple[Role, ...]:
    """Name the roles that a split takes; what is not asked to review need not be started."""
    return ROLES if ends_with_call(settings, listed=not joins) else ("assess", "solve")


async def known_clients(settings: Settings, run: Run, roles: Sequence[Role] = ROLES) -> dict[Role, Client]:
    """Return the clients of roles, as far as they can be had; the calls themselves will tell why others cannot."""
    until = latest(settings, run, "assess")
    found = {role: await known_client(settings, role, until=until) for role in roles}
    return {role: client for role, client in found.items() if client is not None}


def size_of(problem: Problem) -> int:
    """Estimate the tokens of a question and its documents."""
    texts = (problem.question, *(document.text for document in problem.documents))
    return sum(map(len, texts)) // ENGLISH_CHARACTERS_A_TOKEN


def weigh(
    problem: Problem, settings: Settings, clients: Mapping[Role, Client], *, parts: int, joins: bool
) -> Forecast | None:
    """Weigh a split by what the endpoints have shown, as far as they have.

    Args:
        problem: What is asked.
        settings: The run's settings.
        clients: Those of the roles.
        parts: Parts that can be worked on at the same time.
        joins: Whether the answer is written from the results.
    """
    roles = roles_to_weigh(settings, joins=joins)
    if not clients.keys() >= set(roles):
        return None
    solving = clients["solve"]
    return forecast(
        parts=min(parts, settings.max_threads),
        tokens=size_of(problem),
        at_once=min(settings.max_parallel, solving.slots or settings.max_parallel),
        solving=solving.learnt.pace,
        reviewing=clients["review"].learnt.pace if "review" in roles else None,
        window=solving.window(settings)[0],
        joins=joins,
    )
