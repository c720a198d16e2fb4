"""Threads that need each other's results, and calls that began early, in runs that are killed at any moment."""

import json
import random

import pytest

from tests.support.command import apr
from tests.support.server import Reply, model_server, outline, review
from tests.support.subjects.runs import (
    KILLS,
    MORE_KILLS,
    SEED,
    at_rest,
    finished_threads,
    kill_run,
    resumed,
)

DIAMOND = ["Who wrote Faust?", "Where was #1 born?", "When was #1 born?", "What was in #2 in #3?", "Who wrote Emma?"]
NEEDS: list[list[str]] = [[], ["T1"], ["T1"], ["T2", "T3"], []]


@pytest.mark.parametrize("head_start", ["on", "off"])
@pytest.mark.parametrize(
    "number", [*range(KILLS), *(pytest.param(number, marks=pytest.mark.full) for number in range(KILLS, MORE_KILLS))]
)
async def test_a_killed_diamond_goes_on_with_the_right_results_and_pays_none_twice(
    place: str, number: int, head_start: str
) -> None:
    chance = random.Random(SEED + number)
    async with model_server() as server:
        server.on("assess", Reply(json.dumps(outline(*DIAMOND)), pace=0.02)).on("review", review("All of it."))
        server.on("direct", Reply("Too late.", delay=30))
        for part in DIAMOND:
            server.on(part, Reply(f"Result: so is {part[:-1]}.", delay=chance.uniform(0.0, 0.4)))
        asked = "Tell me of Faust and Emma."
        await kill_run(server, asked, place, chance, (1, 7), APR_HEAD_START=head_start)
        before = {part: len(server.about(part)) for part in DIAMOND}
        (entry,) = await at_rest(place)
        if entry.outcome == "complete":  # it was quicker
            await apr(server, "prune", "--keep", "0", "--store", place)
            return
        kept = await finished_threads(place, entry.id)
        solution = await resumed(place, entry.id)
        assert (solution["answer"], solution["outcome"]) == ("All of it.", "complete")
        for part, needs, thread in zip(DIAMOND, NEEDS, solution["threads"], strict=True):
            assert (thread.subquestion, thread.needs, thread.answer) == (part, needs, f"so is {part[:-1]}.")
            if part in kept:
                assert len(server.about(part)) == before[part], "a finished thread was paid twice"
        last = server.about(DIAMOND[3])[-1].last
        assert all(f"so is {DIAMOND[place][:-1]}." in last for place in (1, 2)) and "so is Who" not in last
