"""Questions whose results, part by part, are the answer: plain code writes it, under the items' own markers."""

from typing import Any

import pytest

from graphs import graph
from tests.support.server import ModelServer, Reply, outline, review

LISTED = "Work these out.\n1. Two and two?\n2. Three and four?"


async def of_a_list(server: ModelServer, context: dict[str, Any], question: str, *lines: str) -> Any:
    server.on("assess", outline(*lines, answer="list"))
    server.on("Two and two?", "Result: 4").on("Three and four?", "Result: 7").on("review", review())
    return await graph.ainvoke({"question": question}, context=context)


async def test_a_list_is_answered_by_its_threads_own_results(server: ModelServer, context: dict[str, Any]) -> None:
    solution = await of_a_list(server, context, LISTED, "1", "2")
    assert (solution["answer"], solution["outcome"]) == ("1. 4\n2. 7", "complete")
    assert [request.role for request in server.asked] == ["assess", "solve", "solve", "review"]
    unreviewed = await of_a_list(server, {**context, "review": "off"}, LISTED, "2", "1")
    assert unreviewed["answer"] == "2. 7\n1. 4" and not server.calls("join") and len(server.calls("review")) == 1


async def test_a_list_of_several_parts_an_item_has_no_markers(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("2 * 2?", "Result: 4")
    solution = await of_a_list(server, context, LISTED, "1: 2 * 2?", "1 2: Three and four?", "2")
    assert solution["answer"] == "4\n7\n7"


async def test_results_in_a_list_are_whole_and_only_prompts_shorten(
    server: ModelServer, context: dict[str, Any]
) -> None:
    long = " ".join(f"word{number}" for number in range(1_000))
    server.on("assess", outline("1", "2", answer="list")).on("review", review())
    server.on("What is one?", f"Result: {long}").on("What is two?", "Result: two")
    solution = await graph.ainvoke({"question": "What is one? What is two?"}, context=context)
    assert solution["answer"] == f"{long}\ntwo" and solution["threads"][0].answer == long
    assert "characters left out" in server.calls("review")[0].last


FILES = [{"id": name, "text": f"Text of {name}."} for name in ("b.py", "a.py")]


async def of_files(server: ModelServer, context: dict[str, Any], *lines: str, first: str = "Result: a loop") -> Any:
    server.on("assess", outline(*lines, answer="list"))
    server.on("a.py: Which bug is there?", first).on("b.py: Which bug is there?", "Result: a sign")
    server.on("review", review("In short.") if len(lines) > 2 else review())
    return await graph.ainvoke({"question": "Which bug is there?", "documents": FILES}, context=context)


async def test_what_is_asked_of_each_document_is_answered_under_its_name(
    server: ModelServer, context: dict[str, Any]
) -> None:
    solution = await of_files(server, context, "2 3", "1 3")
    assert (solution["answer"], solution["outcome"]) == ("a.py: a loop\nb.py: a sign", "complete")
    ours, theirs = server.about("a.py: Which bug is there?")[0], server.about("b.py: Which bug is there?")[0]
    assert "Text of a.py." in ours.last and "b.py" not in ours.last and "a.py" not in theirs.last


@pytest.mark.parametrize(
    ("question", "shown", "lines"),
    [
        ("Which bug is there?", "Which bug is there?\nDocuments: 1 b.py, 2 a.py", ("1", "2")),
        ("Which bug? Who reads?", "[1] Which bug?\n[2] Who reads?\nDocuments: 3 b.py, 4 a.py", ("3", "4")),
    ],
)
async def test_documents_that_one_question_is_about_are_counted_from_one(
    server: ModelServer, context: dict[str, Any], question: str, shown: str, lines: tuple[str, ...]
) -> None:
    """A model that counts them itself would name the question beside them, and leave the last one out."""
    server.on("assess", outline(*lines, answer="list"))
    solution = await graph.ainvoke({"question": question, "documents": FILES}, context=context)
    assert server.calls("assess")[0].last.endswith(shown)
    read = [
        [source.label for source in solution["sources"] if source.number in thread.sources]
        for thread in solution["plan"].threads
    ]
    assert read == [["b.py"], ["a.py"]]


async def test_entries_of_several_lines_stand_apart(server: ModelServer, context: dict[str, Any]) -> None:
    solution = await of_files(server, context, "2 3", "1 3", first="Result: a loop:\nend")
    assert solution["answer"] == "a.py: a loop:\nend\n\nb.py: a sign"


async def test_only_entries_of_several_lines_stand_apart(server: ModelServer, context: dict[str, Any]) -> None:
    parts = ["One?", "Two?", "Three?", "Four?"]
    server.on("assess", outline(*parts, answer="list")).on("review", review()).on("Three?", "Result: a\nb")
    solution = await graph.ainvoke({"question": "Tell me all."}, context=context)
    assert solution["answer"] == "answer to One?\nanswer to Two?\n\na\nb\n\nanswer to Four?"


async def test_markers_are_those_of_the_whole_plan(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("And both?", Reply("Half", finish_reason="length"))
    solution = await of_a_list(server, {**context, "max_rounds": 0}, LISTED, "1", "2", "1 2: And both?")
    assert (solution["answer"], solution["outcome"]) == ("4\n7", "partial")


async def test_what_is_asked_beyond_the_documents_is_answered_by_the_review(
    server: ModelServer, context: dict[str, Any]
) -> None:
    solution = await of_files(server, context, "1 3", "2 3", "Which of #1 and #2 is worse?")
    assert solution["answer"] == "In short." and "Which of #1 and #2 is worse?" in server.calls("review")[0].last


async def test_parts_beyond_max_threads_share_threads_and_lose_nothing(
    server: ModelServer, context: dict[str, Any]
) -> None:
    parts = [f"What is part {number}?" for number in range(1, 8)]
    server.on("assess", outline(*parts, answer="list"))
    server.on(parts[3], Reply("Half", finish_reason="length"), "Result: four").on("review", review())
    solution = await graph.ainvoke({"question": "Tell me all."}, context={**context, "max_threads": 3})
    assert [len(thread.answers) for thread in solution["threads"]] == [3, 2, 2]
    assert solution["answer"].splitlines() == [
        *(f"answer to {part}" for part in parts[:3]),
        "four",
        *(f"answer to {part}" for part in parts[4:]),
    ]
    # The thread that failed in its first part ran again with both, its siblings did not.
    assert [len(server.about(part)) for part in parts] == [1, 1, 1, 2, 1, 1, 1]
    assert [repair.kind for repair in solution["report"].repairs] == ["shared_thread"]
