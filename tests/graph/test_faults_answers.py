"""Our own words stand beside an answer and never in it: it is what models wrote, in whatever language was asked."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graphs import build_graph, graph, sequential
from nodes.state import Solution
from tests.support.command import apr
from tests.support.server import DROP, HANG, Fault, ModelServer, Reply, Step, Tool, outline, review

PARTS = ["Was ist die Hauptstadt von Frankreich?", "Wer schrieb den Faust?", "Wie hoch ist der Brocken?"]
LIST = "Beantworte:\n" + "\n".join(f"{number}. {part}" for number, part in enumerate(PARTS, 1))
RESULTS = ["Paris ist es.", "Goethe schrieb ihn.", "1141 Meter hoch."]
WRITTEN = "Paris, und Goethe."


@pytest.fixture
def german(server: ModelServer) -> ModelServer:
    for part, result in zip(PARTS, RESULTS, strict=True):
        server.on(part, f"Gedacht.\nResult: {result}")
    return server.on("assess", outline("1", "2", "3")).on("review", review(WRITTEN)).on("join", WRITTEN)


async def ask(context: dict[str, Any], asked: Any = graph, question: str = LIST, **more: Any) -> Solution:
    problem = {"question": question, **more}
    return Solution.model_validate(await asked.ainvoke(problem, context={"max_rounds": 0, **context}))


SIDE_BY_SIDE = "\n\n".join(f"{part}\n{result}" for part, result in zip(PARTS, RESULTS, strict=True))
BAD = Fault(status=400)
T3 = f"- T3 ({PARTS[2]})"


@pytest.mark.parametrize(
    ("steps", "settings", "answer", "said"),
    [
        (
            {PARTS[2]: BAD},
            {},
            WRITTEN,
            [f"1 of 3 threads have no answer that stands after 0 extra rounds:\n{T3}: failed: "],
        ),
        ({PARTS[2]: HANG}, {"thread_timeout": 1}, WRITTEN, [f"{T3}: timed out: "]),
        ({PARTS[2]: Reply("1141", finish_reason="length")}, {}, WRITTEN, ["- T3 (", "cut at the token limit"]),
        ({"review": review(WRITTEN, "T3: falsch")}, {}, WRITTEN, ["- T3 (", "refuted by the review: falsch"]),
        ({"review": BAD}, {}, SIDE_BY_SIDE, ["the results stand unreviewed, since the review failed: "]),
        ({"join": BAD}, {"review": "off"}, SIDE_BY_SIDE, ["joining them failed: "]),
        (
            {PARTS[0]: BAD, PARTS[1]: BAD, "join": BAD},
            {"review": "off"},
            f"{PARTS[2]}\n{RESULTS[2]}",
            ["joining", "T1 (", "T2 ("],
        ),
        (
            dict.fromkeys(PARTS, BAD) | {"direct": "Paris."},
            {},
            "Paris.",
            ["3 of 3 threads", "- T1 (", "- T2 (", "- T3 ("],
        ),
        (
            {"assess": outline("1", "2", "3", answer="list"), PARTS[1]: BAD, "review": review()},
            {},
            f"1. {RESULTS[0]}\n3. {RESULTS[2]}",
            ["- T2 ("],
        ),
        (
            {"assess": outline("1", "2", "3", answer="list"), "review": BAD},
            {},
            "\n".join(f"{n}. {r}" for n, r in enumerate(RESULTS, 1)),
            ["unreviewed"],
        ),
        (
            {"assess": outline(), "direct": Reply("Paris, und", finish_reason="length")},
            {},
            "Paris, und",
            ["cut at the token limit"],
        ),
        (
            {"assess": outline(), "direct": Reply("Paris.", finish_reason="")},
            {},
            "Paris.",
            ["without a finish reason"],
        ),
        ({"assess": outline(), "direct": Reply("Paris.", refusal="Nein.")}, {}, "Paris.", ["refused to answer: Nein."]),
    ],
    ids="failed hangs cut refuted unreviewed unjoined lone none list list-unreviewed direct-cut open refused".split(),
)
async def test_no_word_of_ours_is_in_an_answer(
    german: ModelServer,
    context: dict[str, Any],
    steps: dict[str, Step],
    settings: dict[str, Any],
    answer: str,
    said: list[str],
) -> None:
    for key, step in steps.items():
        german.on(key, step)
    solution = await ask({**context, **settings})
    assert (solution.answer, solution.outcome) == (answer, "partial")
    assert all(words in solution.stop_reason for words in said), solution.stop_reason


async def test_pieces_of_a_long_document_are_told_apart_without_words(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.window = 2_000
    text = "\n\n".join(f"Absatz {number}. " + "Er sagt noch etwas mehr. " * 15 for number in range(30))
    server.on("assess", outline(f"1 4: {PARTS[0]}", "3: Was steht in lang.txt?")).on("review", BAD)
    documents = [{"id": "lang.txt", "text": text}, {"id": "kurz.txt", "text": f"{PARTS[0]} Es ist Paris."}]
    solution = await ask({**context, "max_rounds": 1}, question=f"{PARTS[0]} Was steht darin?", documents=documents)
    pieces = [thread.subquestion for thread in solution.threads[1:]]
    assert len(pieces) > 2 and pieces == [
        f"Was steht in lang.txt? ({place}/{len(pieces)})" for place in range(1, len(pieces) + 1)
    ]
    assert solution.answer == "\n\n".join(f"{one}\nanswer to {one}" for one in [PARTS[0], *pieces])
    assert all(f"(portion {place}/{len(pieces)}: " in server.about(one)[0].last for place, one in enumerate(pieces, 1))


EMPTY: list[Step] = [
    "",
    " \n",
    Reply("", finish_reason="length"),
    Tool({"a": 1}),
    Reply("", reasoning="Hm."),
    DROP,
    BAD,
]


@pytest.mark.parametrize("step", EMPTY, ids=range(len(EMPTY)))
@pytest.mark.parametrize("asked", [graph, sequential], ids=["adaptive", "sequential"])
async def test_an_empty_answer_is_a_failure_with_its_reason(
    server: ModelServer, context: dict[str, Any], step: Step, asked: Any
) -> None:
    server.on("assess", outline()).on("direct", step)
    solution = await ask(context, asked)
    assert (solution.answer, solution.outcome) == ("", "failed") and solution.stop_reason


# What is shown to people


async def test_the_command_prints_the_answer_alone_and_what_is_missing_beside_it(german: ModelServer) -> None:
    german.on(PARTS[2], BAD)
    status, out, err = await apr(german, LIST, APR_MAX_ROUNDS="0")
    assert (status, out) == (3, f"{WRITTEN}\n")
    assert f"\napr: {T3}: failed: " in err
    status, out, err = await apr(german, "show", err_id(await apr(german, "runs")))
    assert out == f"{WRITTEN}\n" and f"\napr: {T3}: failed: " in err


def err_id(listed: tuple[int, str, str]) -> str:
    return listed[1].split()[0]


async def test_the_command_prints_no_answer_where_there_is_none(server: ModelServer) -> None:
    server.on("assess", outline()).on("direct", BAD)
    status, out, err = await apr(server, PARTS[0])
    assert (status, out) == (1, "") and "apr: direct: " in err


async def test_the_page_has_a_block_of_its_own_for_what_is_missing(german: ModelServer, tmp_path: Path) -> None:
    german.on(PARTS[2], BAD)
    page = tmp_path / "run.html"
    await apr(german, LIST, "--report", str(page), APR_MAX_ROUNDS="0")
    html = page.read_text()
    assert f"<p>{WRITTEN}</p>" in html
    after = html.partition("Why it is not complete</p>")[2].partition("</section>")[0]
    assert f"{T3}: failed: " in after


async def test_a_person_who_approves_an_answer_is_told_what_is_missing(
    german: ModelServer, context: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from graphs.cli.terminal.oversee import ask as ask_in_terminal

    german.on(PARTS[2], BAD)
    kept, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    values = await kept.ainvoke({"question": LIST}, config, context={**context, "max_rounds": 0, "oversight": "answer"})
    shown = values["__interrupt__"][0].value
    assert shown["answer"] == WRITTEN and f"{T3}: failed: " in shown["stop_reason"]
    assert ask_in_terminal(shown, lambda _: "approve") == {"action": "approve"}
    assert "Why it is not complete:\n        1 of 3 threads" in capsys.readouterr().err
