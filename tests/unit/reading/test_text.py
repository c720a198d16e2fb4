"""Reading what a model wrote: reasoning apart from answer, the short result, and what can be stored."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.llm.replies.reasoning import TAGS, split_reasoning
from nodes.llm.replies.text import short_result, shorten
from nodes.shared.cleaning import storable


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("Paris.", "", "Paris."),
        ("<think>Hm.\nFrance…</think>\n\nParis.", "Hm.\nFrance…", "Paris."),
        ("\n <THINK>a</Think>b", "a", "b"),
        ("Hm.\n</think>\nParis.", "Hm.", "Paris."),
        ("Hm.\n</think>Paris.", "Hm.", "Paris."),
        ("<think>Hm. And then", "Hm. And then", ""),
        ("<think>a</think>One.\n<think>\nb\n</think>\nTwo.", "a\nb", "One.\n\nTwo."),
        ("a\n</think>\nOne.\n<think>\nb", "a\nb", "One."),
        ("<think>a<think>b</think>c</think>One.", "a<think>b</think>c", "One."),
        ("<think>What is <think> for?</think>One.", "What is <think> for?", "One."),
        ("<think></think>Paris.", "", "Paris."),
        ("\ufeff<think>Hm.</think>Paris.", "Hm.", "Paris."),
        ("<think>`</think>` closes it. So:</think>Paris.", "`</think>` closes it. So:", "Paris."),
        ("<think>It is `x`</think>`y`", "It is `x`", "`y`"),
        ("<longcat_think>Hm.</longcat_think>Paris.", "Hm.", "Paris."),
        ("[THINK]Hm.[/THINK]Paris.", "Hm.", "Paris."),
        ("<thinking>\nHm.\n</thinking>\nParis.", "Hm.", "Paris."),
        ("<thought>Hm.</thought>Paris.", "Hm.", "Paris."),
        ("<think>```\ncode, never closed</think>So:\n```\nx\n```", "```\ncode, never closed", "So:\n```\nx\n```"),
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Paris.<|return|>",
            "Hm.",
            "Paris.",
        ),
        ("<|channel|>analysis<|message|>Hm. And", "Hm. And", ""),
        ("", "", ""),
    ],
)
def test_reasoning_is_never_taken_for_the_answer(text: str, reasoning: str, answer: str) -> None:
    assert split_reasoning(text) == (reasoning, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Models write `<think>` before they think and `</think>` after it.",
        "Put </think> at the end. <think> opens it.",
        "So:\n```xml\n<think>\nHm.\n</think>\n```\nThat is all.",
        "So:\n~~~\n</think>\n~~~\nThat is all.",
        "So:\n````\n```\n</think>\n````\nThat is all.",
        "So:\n\n    </think>\n\nThat is all.",
        "`[THINK]` and `[/THINK]` are Mistral's, <|channel|> is OpenAI's.",
        "One.\n</thİnk>\nTwo.",
        "One.\n<thınk>\nTwo.",
    ],
)
def test_an_answer_may_speak_of_tags(answer: str) -> None:
    assert split_reasoning(answer) == ("", answer)
    assert split_reasoning(f"<think>Hm.</think>{answer}") == ("Hm.", answer)


@given(st.sampled_from(TAGS), st.lists(st.sampled_from(["OPEN", "CLOSE", "a", " ", ""])).map("\n".join))
def test_no_answer_holds_a_tag_on_a_line_of_its_own(pair: tuple[str, str], text: str) -> None:
    _, answer = split_reasoning(text.replace("OPEN", pair[0]).replace("CLOSE", pair[1]))
    assert not {line.strip() for line in answer.splitlines()} & set(pair)


@given(st.text(), st.text())
def test_what_is_thought_and_what_is_said_come_back_as_they_were(thought: str, said: str) -> None:
    assert split_reasoning(f"<think>{thought}</think>{said}") == (thought.strip(), said.strip())


@pytest.mark.parametrize(
    "text",
    [
        "Result: 42 kg",
        "12 * 3.5 = 42.\nResult: 42 kg",
        "Result: 7\nNo, again.\nresult : 42 kg",
        "FINAL RESULT: 42 kg",
        "**Result:** 42 kg",
        "**Result**: 42 kg",
        "**Result: 42 kg**",
        "__Result__ : 42 kg",
        "*Result:* 42 kg",
        "***Result***: 42 kg",
        "- **Final result:** 42 kg",
        "> Result: 42 kg",
        "### Result:\n\n42 kg",
        "* Result: 42 kg\n",
        "结论。\nResult：42 kg",
        "```md\n# Result: 7\n```\nResult: 42 kg",
        "Result: 42 kg",
    ],
)
def test_the_short_result_is_what_the_thread_marked(text: str) -> None:
    assert short_result(text).strip("*") == short_result(text) == "42 kg"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Result: **42** kg", "**42** kg"),
        ("Result: line one\nline two", "line one\nline two"),
        ("**Result: 42** and **7**", "42 and **7**"),
        ("Result: see\n```md\n# Result:\n7\n```", "see\n```md\n# Result:\n7\n```"),
        ("Result: see\n~~~~\n```\nResult: 7\n~~~~\nthere", "see\n~~~~\n```\nResult: 7\n~~~~\nthere"),
        ("Result: see\n- ```\n  Result: 7\n  ```", "see\n- ```\n  Result: 7\n  ```"),
        ("Result: see\n> ```\n> Result: 7\n> ```", "see\n> ```\n> Result: 7\n> ```"),
        ("Result: see\n1. so\n\n\t```\n\tResult: 7\n\t```", "see\n1. so\n\n\t```\n\tResult: 7\n\t```"),
        ("```py\nnever closed\nResult: 7", "7"),
        ("````\nnever closed\n```\nResult: 6\n```\nResult: 7", "7"),
    ],
)
def test_a_result_keeps_its_own_marks_and_lines(text: str, result: str) -> None:
    assert short_result(text) == result


@pytest.mark.parametrize("text", ["It is 42.", "The result: 42.", "Results vary.", "Result:", "As a result, 42."])
def test_without_a_marked_result_the_whole_text_counts(text: str) -> None:
    assert short_result(f" {text}\n") == text


@given(st.text(max_size=300), st.integers(0, 200))
def test_shortening_keeps_how_a_text_starts_and_ends(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert short == text if len(text) <= limit else len(short) <= limit + 40
    assert short.startswith(text[: limit * 2 // 3]) and short.endswith(text[len(text) - limit // 3 :])


def test_a_long_result_is_whole() -> None:
    result = "a" * 9_000 + "\nend"
    assert short_result(f"Thinking.\nResult: {result}") == result


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "<think>\n",
            "</think>\n",
            "<think>\n</think>\n",
            "[THINK]<think>\n</think>\n",
            "```a\n",
            "```\n",
            "````\n~~~\n",
        ),
        "<|channel|>a<|message|>",
        "<|channel|>",
        *("<think>", "</think>", "<think></think>", "-", "- ", "**", "\n", "Result:", "> # ", "Result:\n"),
    ],
)
def test_hostile_prose_is_read_soon(unit: str) -> None:
    began = time.process_time()
    text = unit * (200_000 // len(unit))
    split_reasoning(text)
    short_result(f"{text}\nx")
    short_result(text)
    assert time.process_time() - began < 8


@given(st.text(st.characters(codec=None)))
def test_every_text_can_be_stored_and_nothing_sound_is_lost(text: str) -> None:
    stored = storable(text)
    stored.encode()
    assert "\0" not in stored and storable(stored) == stored
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert stored == "".join(one for one in text if one in "\t\n\v\f\r\x85" or " " <= one < "\x7f" or one > "\x9f")


def test_halves_of_a_character_that_belong_together_become_it() -> None:
    assert storable("a\ud83d\ude00b") == "a\U0001f600b"
    assert storable("a\ud83d b\0") == "a\ufffd b"
