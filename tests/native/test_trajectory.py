"""A trajectory as its format defines it, character for character, whatever befalls single threads."""

from typing import Any

import pytest

from nodes.native.grammar import GRAMMARS
from tests.support.server import DROP, STALL, WORDS, Fault, ModelServer
from tests.support.server.texts import Dialect, tokens_of
from tests.support.subjects.native import BEGINNING, BLOCK, ENDING, ONE, PROMPT, TWO, WHOLE, run, script

MARK = GRAMMARS["threadweaver"].unfinished
FIRST = (
    "<think>\nFour of them.\n<Parallel>\n<Outlines>\n<Outline>1: Do the first.</Outline>\n"
    "<Outline>2: Do the second.</Outline>\n<Outline>2: Do the second once more.</Outline>\n"
    "<Outline>3: Do the third.</Outline>\n<Outline> no number </Outline>\n</Outlines>"
)
SECOND = (
    "</Parallel>\nThe third goes on.\n<Parallel>\n<Outlines>\n<Outline>3.1: Its one half.</Outline>\n"
    "<Outline>3.2: Its other half.</Outline>\n</Outlines>"
)
LAST = "</Parallel>\nNow it is clear.\n</think>\n\nThe answer is 7."


def script_two_blocks(server: ModelServer) -> str:
    """Script two blocks, of which one thread dies and one runs into the limit; returns what must come of them."""
    long = " and on" * 200
    texts = server.texts.on("0", FIRST).on("1", SECOND).on("2", LAST)
    texts.on("1:1", " It is 3.</Thread>").on("1:2", Fault(400)).on("1:3", f"{long}</Thread>")
    texts.on("2:3.1", " Half of 8 is 4.</Thread>").on("2:3.2", " A <b>tag</b> & more.</Thread> never read")
    cut = "".join(tokens_of(long)[:100])
    return (
        f"{FIRST}\n<Thread>\n1: It is 3.</Thread><Thread>\n2:{MARK}</Thread><Thread>\n3:{cut}{MARK}</Thread>\n"
        f"{SECOND}\n<Thread>\n3.1: Half of 8 is 4.</Thread><Thread>\n3.2: A <b>tag</b> & more.</Thread>\n{LAST}"
    )


async def test_two_blocks_with_a_dead_a_cut_and_a_doubled_thread(server: ModelServer, context: dict[str, Any]) -> None:
    whole = script_two_blocks(server)
    solution = await run(context, max_tokens=100)
    assert solution.trajectory == whole
    assert tokens_of(solution.trajectory) == tokens_of(whole)
    assert (solution.answer, solution.outcome, solution.route) == ("The answer is 7.", "partial", "parallel")
    told = [(thread.id, thread.status, thread.answer) for thread in solution.threads]
    assert told[:2] == [("B1:1", "answered", "It is 3."), ("B1:2", "failed", "")]
    assert told[2][:2] == ("B1:3", "failed") and "cut at the token limit" in solution.threads[2].error
    assert told[3:] == [
        ("B2:3.1", "answered", "Half of 8 is 4."),
        ("B2:3.2", "answered", "A <b>tag</b> & more."),
    ]
    assert [thread.subquestion for thread in solution.threads][1] == "Do the second."
    assert "HTTP 400" in solution.threads[1].error and "B1:2" in solution.stop_reason


async def test_every_request_begins_with_what_the_server_has_read(server: ModelServer, context: dict[str, Any]) -> None:
    whole = script_two_blocks(server)
    solution = await run(context, max_tokens=100)
    sequel = [request for request in server.texts.asked if ":" not in request.key]
    assert [request.prompt for request in sequel] == [
        PROMPT.replace("What is 12 * 34 + 56 * 78?", solution.question),
        PROMPT + whole[: whole.index(SECOND)],
        PROMPT + whole[: whole.index(LAST)],
    ]
    for earlier, later in zip(sequel, sequel[1:], strict=False):
        assert later.prompt.startswith(earlier.prompt + earlier.written)
    for request in server.texts.asked[1:]:
        before = sequel[int(request.key.partition(":")[0]) - 1]
        assert request.prompt.startswith(before.prompt + before.written)
        assert request.cached >= len(tokens_of(before.prompt + before.written))
        assert request.body["skip_special_tokens"] is request.body["add_special_tokens"] is False
    assert solution.report.tokens.cached == sum(request.cached for request in server.texts.asked if request.written)
    assert solution.report.tokens.cached > solution.report.tokens.input / 2


@pytest.mark.parametrize("dialect", ["sglang", "vllm", "silent", "inclusive"])
async def test_every_server_leads_to_the_same_text(
    server: ModelServer, context: dict[str, Any], dialect: Dialect
) -> None:
    script(server)
    server.texts.dialect = dialect
    solution = await run(context)
    assert (solution.trajectory, solution.answer, solution.outcome) == (WHOLE, "It is 4776.", "complete")
    assert [(thread.text, thread.answer) for thread in solution.threads] == [(ONE, ONE.strip()), (TWO, TWO.strip())]


@pytest.mark.parametrize("dialect", ["sglang", "vllm", "silent"])
async def test_a_reply_that_speaks_of_the_tags_opens_nothing(
    server: ModelServer, context: dict[str, Any], dialect: Dialect
) -> None:
    server.texts.dialect = dialect
    server.texts.on("0", "<think>\nI open no <Outlines> here</think>\nDone.").on("pass", "No.")
    solution = await run(context, grammar="multiverse")
    assert (solution.answer, solution.threads, len(server.texts.asked)) == ("Done.", [], 1)


async def test_a_list_without_outlines_is_passed_over(server: ModelServer, context: dict[str, Any]) -> None:
    server.texts.on("0", "<think>\n<Outlines>\nnothing\n</Outlines>").on("1", "\nWell.\n</think>\n\nDone.")
    solution = await run(context)
    assert solution.trajectory == "<think>\n<Outlines>\nnothing\n</Outlines>\nWell.\n</think>\n\nDone."
    assert (solution.answer, solution.outcome, solution.route) == ("Done.", "complete", "direct")


@pytest.mark.parametrize(("step", "limit", "status"), [(STALL, 2.5, "timed_out"), (DROP, 60, "failed")])
async def test_a_late_or_broken_thread_costs_only_itself(
    server: ModelServer, context: dict[str, Any], step: Fault, limit: float, status: str
) -> None:
    script(server)
    server.texts.on("1:1", step)
    solution = await run(context, thread_timeout=limit)
    assert solution.trajectory == WHOLE.replace(f"{ONE}<", f"{WORDS}{MARK}<")
    assert [thread.status for thread in solution.threads] == [status, "answered"]
    assert (solution.threads[0].text, solution.answer, solution.outcome) == (WORDS, "It is 4776.", "partial")


async def test_an_empty_thread_is_none(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.texts.on("1:2", "</Thread>")
    solution = await run(context)
    assert solution.trajectory == WHOLE.replace(TWO, MARK)
    assert [thread.status for thread in solution.threads] == ["answered", "failed"]


@pytest.mark.parametrize("text", [TWO, '\nParts: ["one", "two"]', "\nResult: 4"])
async def test_a_thread_that_ends_without_its_tag_is_closed(
    server: ModelServer, context: dict[str, Any], text: str
) -> None:
    script(server)
    server.texts.on("1:2", text)
    solution = await run(context)
    assert (solution.trajectory, solution.outcome) == (WHOLE.replace(TWO, text), "complete")
    assert solution.threads[1].answer == text.strip()


async def test_another_grammar_is_only_other_words(server: ModelServer, context: dict[str, Any]) -> None:
    words = {"Outlines>": "Goal>", "Thread>": "Path>"}

    def translate(text: str) -> str:
        for ours, theirs in words.items():
            text = text.replace(ours, theirs)
        return text

    texts = server.texts.on("0", translate(BEGINNING)).on("1", f"<Conclusion>\nBoth.\n</Conclusion>\n{ENDING}")
    texts.on("1:1", f"{ONE}\n</Path>").on("1:2", f"{TWO}\n</Path>")
    solution = await run(context, grammar="multiverse")
    block = f"\n<Path>\n1:{ONE}\n</Path>\n<Path>\n2:{TWO}\n</Path>\n"
    assert solution.trajectory == f"{translate(BEGINNING)}{block}<Conclusion>\nBoth.\n</Conclusion>\n{ENDING}"
    assert (solution.answer, solution.outcome) == ("It is 4776.", "complete")
    assert translate(BLOCK) != block  # it is more than other tags


async def test_where_the_template_opens_the_thoughts_they_are_no_answer(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server)
    server.texts.template = "llama.cpp"
    server.texts.on("0", BEGINNING.removeprefix("<think>"))
    server.texts.on("1", ENDING.replace("\n</think>", " </think>"))
    solution = await run(context)
    assert (solution.answer, solution.outcome) == ("It is 4776.", "complete")
    assert server.texts.asked[0].prompt == "[user] What is 12 * 34 + 56 * 78?\n[model] <think>"
