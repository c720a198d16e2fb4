"""What the embedded model's server has in its slots: prompts that are read once, and a pace that is measured once."""

import json
import os
from pathlib import Path

import pytest

from nodes.llm.embedded.pace import measure_pace
from nodes.llm.endpoints.pace import Pace
from nodes.llm.endpoints.pace_store import PACE_FILE
from nodes.shared.environment import PACKAGE
from tests.support.server import Fault, model_server
from tests.support.subjects.embedded import Start, finish

pytest.importorskip("psutil", reason="needs the `local` extra")
pytest.importorskip("xllamacpp", reason="needs the `local` extra")

PREPARED = """
    from nodes.llm.embedded.prompts import messages
    from nodes.llm.embedded.slots import Purpose
    from prompts import PROMPTS

    async def ask(server, name, run, thread=None, more=""):
        prompt = PROMPTS[name].standard
        turns = [*messages(prompt), {"role": "user", "content": f"Ask {run} {thread}{more}"}]
        await server.slots.prepare(prompt.label)
        async with server.slots.hold(Purpose(prompt.label, "solve", f"run-{run}", thread)) as place:
            reply = await asyncio.to_thread(post, server, turns, max_tokens=2, **place)
        return name, reply["timings"]["prompt_n"], reply["timings"]["cache_n"], place["id_slot"]

    async def at_once(names):
        server = await running_server()
        return await asyncio.gather(*(ask(server, name, number) for number, name in enumerate(names)))

    async def without_room():
        server = await running_server()
        async with server.slots.hold(Purpose("solve@2", "solve", "run-0")):
            for thread in "abc":  # 31,800 of 32,768 tokens, a byte each
                await ask(server, "review", 0, thread, "x" * 8_600)
            return [await ask(server, "decompose", 1)]

    told = []
    for names in (["solve"] * 4, ["decompose", "solve"], ["review", "decompose"], ["refine", "review"], ["solve"] * 4):
        told.append(asyncio.run(at_once(names)))
    told.append(asyncio.run(without_room()))
    print(json.dumps(told))
"""


@pytest.mark.full
def test_prompts_are_read_once_for_all_runs_and_later_processes(serve: Start, tmp_path: Path) -> None:
    def run() -> dict[str, int]:
        out, _ = finish(serve(PREPARED))
        for asked in json.loads(out):
            for prompt, read, cached, _ in asked:
                assert read < 100 < cached, f"the prompt of {prompt} was read again"
            assert len({slot for *_, slot in asked}) == len(asked), "two requests at once waited for one slot"
        return {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("prompts/*")}

    folder = tmp_path / "cache" / PACKAGE / "prompts"
    folder.mkdir(parents=True)
    (folder / "solve@0-of-another-server").write_bytes(b"of no use any more")
    first = run()
    # Those without examples are short, and not kept.
    assert sorted(name.partition("@")[0] for name in first) == ["decompose", "refine", "review", "solve"]
    assert run() == first
    damaged = next(folder.glob("solve@*"))
    damaged.write_bytes(damaged.read_bytes()[:5000])  # llama.cpp would abort on it
    last = run()
    changed = [name for name in last if last[name] != first.get(name)]
    assert len(last) == 4 and [name.partition("@")[0] for name in changed] == ["solve"]


MEASURED = """
    async def slots(server):
        headers = {"Authorization": f"Bearer {server.api_key}"}
        return json.load(urllib.request.urlopen(urllib.request.Request(server.base_url[:-3] + "/slots", None, headers)))

    if "ONE_PROCESSOR" in os.environ:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    server = asyncio.run(running_server())
    print([slot.get("n_prompt_tokens") for slot in asyncio.run(slots(server))[1:5]])
"""


@pytest.mark.full
def test_the_pace_is_measured_once_and_again_for_another_number_of_processors(serve: Start) -> None:
    file = Path(os.environ["APR_STORE"] + ".endpoints") / PACE_FILE
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two processors")
    out, _ = finish(serve(MEASURED))
    assert json.loads(out) == [0] * 4, "what was written to measure is left in the slots"
    first = file.read_bytes()
    (entry,) = json.loads(first).values()
    alone, side_by_side = entry["pace"]["alone"], entry["pace"]["threads"]
    assert alone["ws"] > 0 and alone["rs"] > 0 and alone["rw"] == 0
    assert side_by_side["ww"] > 2 * alone["ww"], "as many streams as the server is sent at once"
    assert {name: (one["calls"], one["usual"]) for name, one in entry["pace"]["stages"].items()} == {
        "solve": (0, True),
        "review": (0, True),
    }
    finish(serve(MEASURED))
    assert file.read_bytes() == first
    finish(serve(MEASURED, ONE_PROCESSOR="1"))
    assert len(json.loads(file.read_bytes())) == 2


async def test_a_server_that_cannot_be_measured_is_left_to_its_calls() -> None:
    async with model_server() as server:
        for step in (Fault(status=500), "a reply without timings"):
            server.on("direct", step)
            assert await measure_pace(server.url.removesuffix("/v1"), "key", at_once=2) == Pace()
        assert server.asked
