"""Plain code never overrules the model: what it says of parts, threads, lists and results holds, in every language."""

import re
from typing import Any

import pytest

from graphs import graph
from nodes.input.segments import split_input
from nodes.planning.plan import ThreadSpec
from nodes.shared.cleaning import clean_text
from nodes.state import Solution
from tests.support.overruled import GUERNICA, LANGUAGES, ROWS, Asked, Row, lines_of
from tests.support.server import ModelServer, Reply, outline, plan, review

WRITTEN = "It is so, all in all."


def named(spec: ThreadSpec) -> list[list[int]]:
    return [part.named for part in spec.parts]


async def ask(server: ModelServer, context: dict[str, Any], row: Row, language: str) -> Solution:
    """Run a question whose outline is scripted; the reviewer writes an answer only where it is asked for one."""
    asked = row.asked[language]
    server.asked.clear()
    server.on("assess", outline(*lines_of(asked), answer=row.said))
    server.on("review", review(WRITTEN if row.answer == "text" else ""))
    documents = [{"id": name, "text": f"The text {name}."} for name in row.documents]
    given = {"question": asked.question, "documents": documents}
    return Solution.model_validate(await graph.ainvoke(given, context=context))


def check_that_nothing_is_lost(server: ModelServer, asked: Asked) -> None:
    """All that was asked has reached a thread or the review."""
    (joining,) = server.calls("review")
    solving = "".join(request.last for request in server.calls("solve"))
    for segment in split_input(clean_text(asked.question)):
        assert segment.text.removeprefix(segment.marker).strip() in joining.last + solving
    for line in asked.lines:
        own = line if not re.fullmatch(r"[\d ]+|\*", line) else ""
        assert re.sub(r"#\s?T?(\d)", r"#\1", own) in solving + joining.last


@pytest.mark.every_case
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ROWS)
async def test_the_same_comes_of_a_question_in_every_language_and_nothing_asked_is_lost(
    server: ModelServer, context: dict[str, Any], name: str, language: str
) -> None:
    row = ROWS[name]
    solution = await ask(server, context, row, language)
    assert (solution.route, solution.outcome, solution.stop_reason) == ("parallel", "complete", "")
    assert [request.role for request in server.asked] == ["assess", *["solve"] * row.threads, "review"]
    assert solution.plan and (solution.plan.answer, len(solution.plan.open_parts)) == (row.answer, row.waiting)
    results = [thread.answer for thread in solution.threads]
    if row.answer == "text":
        assert solution.answer == WRITTEN
    else:
        lines = [re.sub(r"^\d\. ", "", line) for line in solution.answer.splitlines()]
        assert lines == [line for result in results for line in result.splitlines()] and all(results)
    check_that_nothing_is_lost(server, row.asked[language])
    english = solution.plan if language == "en" else (await ask(server, context, row, "en")).plan
    assert english and [named(spec) for spec in english.threads] == [named(spec) for spec in solution.plan.threads]
    assert bool(english.shared_context) == bool(solution.plan.shared_context)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_item_that_leans_on_earlier_ones_gets_them_and_loses_none(
    server: ModelServer, context: dict[str, Any], language: str
) -> None:
    solution = await ask(server, context, ROWS["items that lean on earlier ones"], language)
    assert [request.key for request in server.calls("solve")] == list(GUERNICA[language])
    assert solution.plan and [spec.sources for spec in solution.plan.threads] == [[1], [1, 2], [1, 2, 3]]
    assert all(GUERNICA[language][0] in request.last for request in server.calls("solve"))
    assert [line[:3] for line in solution.answer.splitlines()] == ["1. ", "2. ", "3. "]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_holds_for_all_is_told_to_all(server: ModelServer, context: dict[str, Any], language: str) -> None:
    await ask(server, context, ROWS["what seems a story"], language)
    assert all("3000" in request.last for request in server.calls("solve"))


RIGHT = [
    "4 × 2,5 = 10",
    "2 · 3 + 4 = 10",
    "10 – 3 × 2 = 4",
    "2024-12-25 - 2024-12-10 = 15 days",
    "1 + 1 = 10 in binary",
    "3 * 2**2 = 12",
    "3 x 4 = 4 x 3",
    "4 × 2,5 = 10，正好。",
    "Das sind 1.234,5 * 2 = 2.469 Euro.",
    "A pupil might write 7 * 8 = 45, but 7 * 8 = 56",
    "Ein Schüler schreibt vielleicht 7 * 8 = 45, doch 7 * 8 = 56",
    "学生可能写 7 * 8 = 45，但是 7 * 8 = 56",
    "قد يكتب تلميذ 7 * 8 = 45، لكن 7 * 8 = 56",
]


@pytest.mark.parametrize("text", RIGHT)
async def test_a_right_result_stands_at_once(server: ModelServer, context: dict[str, Any], text: str) -> None:
    server.on("assess", outline("One?", "Two?")).on("One?", f"{text}\nResult: {text}").on("review", review("So."))
    solution = await graph.ainvoke({"question": "Both?"}, context=context)
    assert (solution["outcome"], solution["threads"][0].status, len(server.asked)) == ("complete", "answered", 4)
    assert "Done again by a calculator" not in server.calls("review")[0].last


@pytest.mark.parametrize(
    "text", ["12 * 7 = 74", "12 × 7 = 74。", "Das sind 4 × 2,5 = 11.", "7 * 8 = 45, but 7 * 8 = 54"]
)
async def test_a_wrong_calculation_is_evidence_and_the_verdict_is_the_reviewers(
    server: ModelServer, context: dict[str, Any], text: str
) -> None:
    server.on("assess", outline("One?", "Two?")).on("One?", f"{text}\nResult: it").on("review", review("So."))
    accepted = await graph.ainvoke({"question": "Both?"}, context=context)
    assert "Done again by a calculator:\nT1: " in server.calls("review")[0].last
    assert (accepted["outcome"], len(server.calls("solve"))) == ("complete", 2)
    server.on("review", review("", "T1: wrong"), review("So."))
    refuted = await graph.ainvoke({"question": "Both?"}, context=context)
    assert (refuted["outcome"], len(server.about("One?"))) == ("complete", 3)


PO = {
    "en": ("652 km", "The Po, 690 km", "690 km"),
    "de": ("652 km", "Der Po, 690 km", "690 km"),
    "zh": ("六百五十二公里", "波河，长六百九十公里", "六百九十公里"),
    "ar": ("٦٥٢ كيلومترا", "نهر بو، ٦٩٠ كيلومترا", "٦٩٠ كيلومترا"),
}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_conflict_counts_whatever_the_words(
    server: ModelServer, context: dict[str, Any], language: str
) -> None:
    one, other, quote = PO[language]
    server.on("assess", outline("One?", "Two?")).on("One?", f"Result: {one}").on("Two?", f"Result: {other}")
    server.on("review", review("", conflicts=[(["T1", "t2"], [one, quote])]), review("So."))
    solution = await graph.ainvoke({"question": "Both?"}, context=context)
    again = server.calls("solve")[2:]
    assert sorted(request.key for request in again) == ["One?", "Two?"] and solution["outcome"] == "complete"
    assert all(one in request.last and quote in request.last for request in again)


@pytest.mark.parametrize(
    "line", ["T1: wrong", "t1: wrong", "thread T1: wrong", "1 wrong", "Thread T1 错了", "الخيط T1 خطأ"]
)
async def test_whoever_is_named_goes_back_however_it_is_written(
    server: ModelServer, context: dict[str, Any], line: str
) -> None:
    server.on("assess", outline("One?", "Two?")).on("review", review("", line), review("So."))
    await graph.ainvoke({"question": "Both?"}, context=context)
    assert [request.key for request in server.calls("solve")[2:]] == ["One?"]


@pytest.mark.parametrize(
    "question",
    [
        'What does print("a") do?',
        "What does print('a') do?",
        "Was heißt „so“?",
        "“A” or «B»?",
        "什么是“道”？",
        "$x \\n <b>?",
    ],
)
async def test_a_question_reaches_the_model_as_written(
    server: ModelServer, context: dict[str, Any], question: str
) -> None:
    server.on("direct", "So.")
    await graph.ainvoke({"question": question}, context=context)
    assert f"[1] {question}" in server.calls("assess")[0].last
    assert server.calls("direct")[0].last.endswith(f"Question:\n{question}")
    server.on("assess", outline("1: One?", "Two?"))
    await graph.ainvoke({"question": question}, context=context)
    assert question in server.about("One?")[0].last and question in server.calls("review")[0].last


@pytest.mark.parametrize(("items", "words"), [(2, 500), (30, 5), (30, 500)])
async def test_long_answers_are_whole(server: ModelServer, context: dict[str, Any], items: int, words: int) -> None:
    results = [" ".join(f"word{item}of{word}" for word in range(words)) for item in range(items)]
    for item, result in enumerate(results):
        server.on(f"Item {item}?", f"Result: {result}")
    server.on("assess", outline(*(f"Item {item}?" for item in range(items)), answer="list")).on("review", review())
    solution = await graph.ainvoke({"question": "All of them."}, context=context)
    assert solution["answer"].splitlines() == results and solution["outcome"] == "complete"
    assert len(solution["threads"]) == min(items, 16)


BLOCKS = [
    "1. What are the capitals of these countries:\n   - Peru\n   - Chile",
    "2. What are the longest rivers of these:\n   a. Kenya\n   b. Mali",
    "3. Who wrote Hamlet, and in which years did he do so?",
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_an_item_is_its_whole_block(server: ModelServer, context: dict[str, Any], end: str) -> None:
    question = end.join(BLOCKS).replace("\r\n", "\n").replace("\n", end)
    segments = split_input(question)
    lines = [
        " ".join(str(segment.number) for segment in segments if segment.text.splitlines()[0].strip() in block)
        for block in BLOCKS
    ]
    server.on("assess", outline(*lines))
    solution = await graph.ainvoke({"question": question}, context=context)
    assert len(solution["threads"]) == 3 and solution["plan"].shared_context == ""
    for request, own in zip(server.calls("solve"), (("Peru", "Chile"), ("Kenya", "Mali"), ("Hamlet",)), strict=True):
        assert all(name in request.last for name in own)
        assert sum(name in request.last for name in ("Peru", "Kenya", "Hamlet")) == 1


async def test_a_plan_of_the_models_own_is_not_moved_to_other_segments(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", outline("Who?")).on("decompose", plan("3: Who painted Guernica?", "1: When was it painted?"))
    server.on("Who painted Guernica?", Reply("Result: Picasso"))
    question = "\n".join(f"{n}. {item}" for n, item in enumerate(GUERNICA["en"], 1))
    solution = await graph.ainvoke({"question": question}, context={**context, "split": "always"})
    named = [spec.parts[0].named for spec in solution["plan"].threads]
    assert named == [[3], [1]] and all(
        set(own) <= set(spec.sources) for own, spec in zip(named, solution["plan"].threads, strict=True)
    )
