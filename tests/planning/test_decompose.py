"""From the outline to what threads see: where plain code suffices, and where a model is asked for a plan."""

from typing import Any

import pytest

from graphs import graph
from tests.support.server import ModelServer, Reply, outline, plan


async def ask(context: dict[str, Any], question: str = "Tell me all.", **more: Any) -> Any:
    return await graph.ainvoke({"question": question, **more}, context=context)


@pytest.mark.parametrize(("written", "route"), [(plan("One?", "Two?"), "parallel"), (plan("One?"), "direct")])
async def test_who_always_splits_is_asked_for_a_plan_where_the_outline_has_none(
    server: ModelServer, context: dict[str, Any], written: Any, route: str
) -> None:
    server.on("assess", outline("One?")).on("decompose", written).on("direct", "So.")
    solution = await ask({**context, "split": "always"})
    (asked,) = server.calls("decompose")
    assert "Parts found so far:\n- One?" in asked.last and "At most 16 parts" in asked.last
    assert (solution["route"], solution["outcome"]) == (route, "complete")
    assert len(server.calls("solve")) == (2 if route == "parallel" else 0)


async def test_a_stage_that_was_passed_over_is_reported(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline()).on("decompose", Reply("I will not.", refusal="no"))
    solution = await ask({**context, "split": "always"})
    assert (solution["route"], solution["outcome"]) == ("direct", "complete")
    (told,) = solution["report"].repairs
    assert told.kind == "stage" and str(told).startswith("decompose: ") and "refused" in told.text


MANY = [{"id": f"{name}.txt", "text": f"{name} {number}"} for number, name in enumerate(["Ada", "Bo", "Cy", "Di"])]


@pytest.mark.parametrize("sound", [True, False], ids=["it says", "it fails"])
async def test_a_model_is_asked_which_of_many_documents_parts_need_where_that_is_open(
    server: ModelServer, context: dict[str, Any], sound: bool
) -> None:
    server.on("assess", outline("???", "4: How old is Di?"))
    server.on("decompose", plan("1 2: ???", "4: How old is Di?") if sound else Reply("No.", refusal="no"))
    solution = await ask(context, documents=MANY)
    assert len(server.calls("decompose")) == 1 and solution["outcome"] == "complete"
    read = [thread.sources for thread in solution["plan"].threads]
    assert read == ([[1, 2], [4]] if sound else [[], [4]])
    told = server.about("???")[0].last
    assert ("Ada 0" in told and "Bo 1" in told and "Cy 2" not in told) == sound


async def test_a_thread_sees_what_is_its_own_and_nothing_of_the_others(
    server: ModelServer, context: dict[str, Any]
) -> None:
    question = "Answer in French. How old is Ada? How tall is Bo?"
    documents = [{"id": "ada.txt", "text": "Ada was born in 1990."}, {"id": "bo.txt", "text": "Bo measures 180 cm."}]
    server.on("assess", outline("2 4: Ada?", "3 5: Bo?"))
    await ask(context, question, documents=documents, instructions="Be kind.")
    ada, bo = server.about("Ada?")[0], server.about("Bo?")[0]
    for request in (ada, bo):
        assert "Answer in French." in request.last and "Be kind." in request.last
    assert "born in 1990" in ada.last and "How old is Ada?" in ada.last
    assert "180 cm" not in ada.prompt and "tall" not in ada.prompt
    assert "180 cm" in bo.last and "Ada" not in bo.last


async def test_a_short_item_is_given_those_before_it_back_to_the_first_that_stands_alone(
    server: ModelServer, context: dict[str, Any]
) -> None:
    items = ["How high is Etna?", "Where did the painter of The Night Watch learn?", "Who taught him?", "And her?"]
    server.on("assess", outline("1", "2", "3", "4", answer="list"))
    solution = await ask(context, "\n".join(f"{number}. {item}" for number, item in enumerate(items, 1)))
    assert [thread.sources for thread in solution["plan"].threads] == [[1], [2], [2, 3], [2, 3, 4]]
    assert items[1] in server.about(items[3])[0].last and items[0] not in server.about(items[3])[0].last
    assert [repair.segments for repair in solution["report"].repairs] == [[2], [2, 3]]


async def test_unscoped_threads_read_the_whole_input(server: ModelServer, context: dict[str, Any]) -> None:
    documents = [{"id": "ada.txt", "text": "Ada was born in 1990."}, {"id": "bo.txt", "text": "Bo measures 180 cm."}]
    server.on("assess", outline("1 3: Ada?", "2 4: Bo?"))
    await ask({**context, "scoped": False}, "How old is Ada? How tall is Bo?", documents=documents)
    for request in server.calls("solve"):
        assert "born in 1990" in request.last and "180 cm" in request.last and "How tall is Bo?" in request.last
