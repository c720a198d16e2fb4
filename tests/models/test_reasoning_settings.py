"""What reasoning models are asked for: effort by role, nothing that they refuse, and no more than a budget pays."""

from typing import Any

import pytest
from pydantic import ValidationError

from graphs import sequential
from tests.support.server import DIALECTS, Dialect, ModelServer, Reply, outline, refusal
from tests.support.subjects.calls import PARTS
from tests.support.subjects.replies import ask, script

SAMPLING = ("temperature", "max_tokens", "max_completion_tokens", "reasoning_effort")


def sampled(server: ModelServer, role: str) -> list[dict[str, Any]]:
    """What the requests of a role said of sampling, thinking and length."""
    return [{name: request.body[name] for name in SAMPLING if name in request.body} for request in server.calls(role)]


def told(solution: dict[str, Any]) -> list[str]:
    return [repair.text for repair in solution["report"].repairs if repair.kind == "setting"]


async def test_effort_is_set_for_all_roles_or_one_by_one(server: ModelServer) -> None:
    script(server)
    assert not told(await ask(server))
    assert all(request == {} for role in ("assess", "solve", "review") for request in sampled(server, role))
    server.asked.clear()
    await ask(server, reasoning_effort="low", solve_effort="xhigh", review_effort="none", max_tokens=900)
    for role, effort in {"assess": "low", "solve": "xhigh", "review": "none"}.items():
        for request in sampled(server, role):
            assert request == {"reasoning_effort": effort, "max_tokens": 900}, role
    server.asked.clear()
    server.on("assess", outline())
    await ask(server, reasoning_effort="low", decompose_effort="high", split="always")
    assert sampled(server, "decompose")[0] == {"reasoning_effort": "high"}
    with pytest.raises(ValidationError, match="solve_effort"):
        await ask(server, solve_effort="very high")


async def test_what_a_model_refuses_is_left_out_named_and_not_tried_again(server: ModelServer) -> None:
    script(server)
    server.dialect = DIALECTS["openai o-series"]
    settings: dict[str, Any] = {"temperature": 0.2, "max_tokens": 900, "reasoning_effort": "low"}
    settings["review_effort"] = "xhigh"
    for again in (False, True):
        server.asked.clear()
        solution = await ask(server, **settings)
        assert (solution["outcome"], solution["answer"]) == ("complete", "All of it.")
        short: dict[str, Any] = {"max_completion_tokens": 900}
        refused: list[dict[str, Any]] = [{"temperature": 0.2, "max_tokens": 900}, {"max_tokens": 900}]
        expected = [*([] if again else refused), short]
        assert sampled(server, "assess") == [{"reasoning_effort": "low"} | each for each in expected]
        assert sampled(server, "solve") == [{"reasoning_effort": "low"} | short] * 3
        assert sampled(server, "review") == ([] if again else [{"reasoning_effort": "xhigh"} | short]) + [short]
        assert [line.partition(":")[0] for line in told(solution)] == ["`openai"] * 2
        assert [f"`{setting}`" in " ".join(told(solution)) for setting in settings] == [True, False, True, False]
        assert [call.status for call in solution["calls"]].count("bad_request") == (0 if again else 3)
        assert solution["report"].retries == (0 if again else 3)
    # Another value may be taken.
    server.asked.clear()
    await ask(server, review_effort="high")
    assert sampled(server, "review") == [{"reasoning_effort": "high"}]


NO_FIELD = {
    "in words": refusal("Unrecognized request argument supplied: reasoning_effort"),
    "as pydantic does": {"detail": [{"type": "extra_forbidden", "loc": ["body", "reasoning_effort"], "msg": "no"}]},
}


@pytest.mark.parametrize("said", NO_FIELD.values(), ids=NO_FIELD)
async def test_a_server_may_name_the_field_in_its_words(server: ModelServer, said: dict[str, Any]) -> None:
    script(server, "direct")
    server.dialect = Dialect(refuse=lambda body: said if "reasoning_effort" in body else None)
    solution = await ask(server, reasoning_effort="low", temperature=0.5, asked=sequential)
    assert (solution["answer"], solution["outcome"]) == ("Told at once.", "complete")
    assert sampled(server, "direct") == [{"reasoning_effort": "low", "temperature": 0.5}, {"temperature": 0.5}]
    assert len(told(solution)) == 1 and "reasoning_effort" in told(solution)[0]


OLLAMA = {
    "a value": refusal('invalid reasoning value: \'low\' (must be "high", "max", or "none")'),
    "any": refusal('"registry.ollama.ai/library/any:latest" does not support thinking'),
}


@pytest.mark.parametrize("said", OLLAMA.values(), ids=OLLAMA)
async def test_ollama_has_other_words_for_an_effort(server: ModelServer, said: dict[str, Any]) -> None:
    script(server, "direct")
    server.dialect = Dialect(refuse=lambda body: said if "reasoning_effort" in body else None)
    solution = await ask(server, reasoning_effort="low", max_tokens=99, asked=sequential)
    assert (solution["answer"], solution["outcome"]) == ("Told at once.", "complete")
    # It passes over the newer name of the reply's limit without a word.
    assert sampled(server, "direct") == [{"reasoning_effort": "low", "max_tokens": 99}, {"max_tokens": 99}]


async def test_a_refusal_of_something_else_stays_one(server: ModelServer) -> None:
    script(server, "direct")
    server.dialect = Dialect(refuse=lambda body: refusal("Invalid 'messages[0]'", "messages[0]", "invalid_value"))
    solution = await ask(server, reasoning_effort="low", temperature=0.5, asked=sequential)
    assert solution["outcome"] == "failed" and "Invalid 'messages[0]'" in solution["stop_reason"]
    assert len(server.asked) == 1


async def test_what_langchain_knows_of_a_model_is_not_tried(server: ModelServer) -> None:
    script(server, "direct")
    solution = await ask(server, model="openai:o3", temperature=0.2, reasoning_effort="low", asked=sequential)
    assert sampled(server, "direct") == [{"reasoning_effort": "low"}] and len(told(solution)) == 1
    assert server.asked[0].body["messages"][0]["role"] == "developer"


async def test_a_budget_takes_into_account_how_long_a_model_thinks(server: ModelServer) -> None:
    server.on("direct", Reply("It is so.", completion_tokens=3_000, reasoning_tokens=2_900))
    limit = {"max_total_tokens": 2_500, "asked": sequential}
    for _ in range(2):
        assert (await ask(server, **limit))["outcome"] == "complete"
    # Two calls have shown what one takes.
    solution = await ask(server, **limit)
    assert solution["outcome"] == "failed" and "`max_total_tokens`" in solution["stop_reason"]
    assert len(server.asked) == 2


async def test_effort_is_a_part_of_what_a_thread_is_asked(server: ModelServer) -> None:
    script(server)
    for effort, asked in (("low", 3), ("low", 3), ("high", 6)):
        await ask(server, cache=True, solve_effort=effort)
        assert len(server.calls("solve")) == asked
    assert {request.key for request in server.calls("solve")} == set(PARTS)
