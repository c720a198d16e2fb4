"""Threads that hand parts on, in runs that are killed at any moment."""

import json
import random

import pytest

from tests.support.command import apr
from tests.support.server import Reply, model_server, outline, review
from tests.support.subjects.runs import MORE_KILLS, SEED, at_rest, finished_threads, kill_run, resumed

PICKS, CAPITAL = "How did the first picks bat?", "What is the capital of France?"
PARTS = ["How did Ann bat?", "How did Bo bat?", "How did Cy bat?"]
EVERY = [PICKS, CAPITAL, *PARTS]


@pytest.mark.parametrize(
    "number", [*range(2), *(pytest.param(number, marks=pytest.mark.full) for number in range(2, MORE_KILLS))]
)
async def test_a_killed_run_goes_on_with_the_parts_handed_on_and_pays_none_twice(place: str, number: int) -> None:
    chance = random.Random(SEED + number)
    async with model_server() as server:
        server.on("assess", outline(PICKS, CAPITAL)).on("review", review("All of it."))
        server.on(PICKS, Reply(f"Parts: {json.dumps(PARTS)}", delay=chance.uniform(0.0, 0.4)))
        for part in EVERY[1:]:
            server.on(part, Reply(f"Result: so is {part[:-1]}.", delay=chance.uniform(0.0, 0.4)))
        await kill_run(server, f"{PICKS} {CAPITAL}", place, chance, (2, 6), APR_HEAD_START="off")
        before = {part: len(server.about(part)) for part in EVERY}
        (entry,) = await at_rest(place)
        if entry.outcome == "complete":  # it was quicker
            await apr(server, "prune", "--keep", "0", "--store", place)
            return
        kept = await finished_threads(place, entry.id)
        solution = await resumed(place, entry.id)
        assert (solution["answer"], solution["outcome"]) == ("All of it.", "complete")
        assert [(thread.id, thread.answer) for thread in solution["threads"]] == [
            *((f"T1.{place}", f"so is {part[:-1]}.") for place, part in enumerate(PARTS, 1)),
            ("T2", f"so is {CAPITAL[:-1]}."),
        ]
        assert all(len(server.about(part)) == before[part] for part in kept), "a finished thread was paid twice"
