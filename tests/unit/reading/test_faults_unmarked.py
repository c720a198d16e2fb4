"""Questions in scripts that need no question mark: where nothing is marked, each sentence is a segment."""

from typing import Any

import pytest

from graphs import graph
from tests.support.server import ModelServer, outline

UNMARKED = [
    ["首都はどこですか。", "書いたのは誰ですか"],
    ["パリはどこですか。", "東京はどこですか。"],
    ["法国的首都是哪里。", "谁写了红楼梦。"],
    ["फ्रांस की राजधानी क्या है।", "हैमलेट किसने लिखा।"],
    ["پیرس کہاں ہے۔", "ہیملٹ کس نے لکھا۔"],
    ["ဒါဘာလဲ။", "သူဘယ်သူလဲ။"],
    ["Ի՞նչ է սա։", "Ո՞վ է նա։"],
]


@pytest.mark.parametrize("told", UNMARKED, ids=[told[0] for told in UNMARKED])
async def test_each_sentence_reaches_the_model_by_number_and_its_thread_as_asked(
    server: ModelServer, context: dict[str, Any], told: list[str]
) -> None:
    server.on("assess", outline("1", "2", answer="list"))
    solution = await graph.ainvoke({"question": " ".join(told)}, context=context)
    (asked,) = server.calls("assess")
    assert asked.last.endswith(f"[1] {told[0]}\n[2] {told[1]}")
    assert [thread.subquestion for thread in solution["threads"]] == told


@pytest.mark.parametrize(
    "whole",
    [
        "小明有5个苹果。他吃了2个。还剩几个？",
        "Tell one. Tell two.",
        "Wait… Tell me…",
        "Sag es! Und das!",
        "太郎はりんごを五個持っています。二個食べました。何個残りますか？",
    ],
)
async def test_facts_before_one_marked_question_stay_with_it(
    server: ModelServer, context: dict[str, Any], whole: str
) -> None:
    await graph.ainvoke({"question": whole}, context=context)
    (asked,) = server.calls("assess")
    assert asked.last.endswith(f"[1] {whole}")
