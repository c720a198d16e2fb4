"""Runs that are kept: a question of many parts, and the list of a store."""

from graphs.history.runs import Entry, Runs
from graphs.history.store import open_store
from tests.support.server import ModelServer, outline

PARTS = [f"What is part {number}?" for number in range(1, 9)]
QUESTION = " ".join(PARTS)
SEED = 20261125


def split(server: ModelServer, count: int = 8) -> None:
    parts = PARTS[:count]
    server.on("assess", outline(*(f"{number}: {part}" for number, part in enumerate(parts, 1))))


async def entries(place: str) -> list[Entry]:
    async with open_store(place) as store:
        return await Runs(store).all()
