"""Reading what a model wrote: reasoning apart from answer, the short result, JSON out of prose."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nodes.judging.verdicts import Review
from nodes.llm.replies.objects import NoObject, explain, parse_object
from nodes.llm.replies.reasoning import TAGS, split_reasoning
from nodes.llm.replies.text import short_result, shorten
from nodes.planning.outline import Outline, Plan
from nodes.shared.cleaning import storable
from nodes.shared.record import Record


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


PLAN = Outline(parts=["1: Who {is} it?", "2"], answer="list")
SOUND = PLAN.model_dump_json()


@pytest.mark.parametrize(
    "text",
    [
        SOUND,
        f"Here is my plan:\n```json\n{json.dumps(PLAN.model_dump(), indent=2)}\n```\nGood luck! :-}}",
        f"First {{x}} and \\frac{{1}}{{2}}, then {SOUND}",
        f'An example is {{"parts": []}}. Mine: {SOUND} As in {{"id": "T1"}} or {{}}.',
        SOUND.replace("it?", "she?") + f"\nNo, rather:\n{SOUND}",
        f"[{SOUND}]",
        SOUND.replace('"]', '",]'),
        SOUND.replace('"', "'"),
        'Given {x} and {"id": 1}: ' + SOUND.replace('"]', '",]') + " That is all {y}.",
        SOUND[:-1],
    ],
    ids="alone fenced braces decoys last list comma quotes damaged-among-others unclosed".split(),
)
def test_a_plan_is_found_wherever_a_model_puts_it(text: str) -> None:
    assert parse_object(text, Outline) == PLAN


@pytest.mark.parametrize(
    ("text", "found", "said"),
    [
        ("I cannot.", False, "no readable JSON object"),
        ("", False, "no readable JSON object"),
        ("[1, 2]", False, "no readable JSON object"),
        ('{"parts": []}', True, "`answer`: Field required"),
        ('{} {"parts": []} {"x": 1}', True, "`answer`: Field required"),
        (SOUND.replace('"2"', "[2]"), True, "`parts.1`: Input should be a valid string"),
        (SOUND.replace('"list"', '"both"'), True, "`answer`: Input should be 'list' or 'text'"),
    ],
)
def test_a_model_is_told_what_its_object_lacks(text: str, found: bool, said: str) -> None:
    with pytest.raises(NoObject) as error:
        parse_object(text, Outline)
    assert said in str(error.value) and "`parts`" not in str(error.value)
    assert error.value.found_json is found


def test_what_has_nothing_of_a_review_is_none_that_finds_nothing_wrong() -> None:
    for text in ("{}", '{"verdicts": []}', 'So {"id": "T1"}, then {}.'):
        with pytest.raises(NoObject, match="none of the fields redo, conflicts, answer"):
            parse_object(text, Review)
    assert parse_object('{"redo": ["T1: wrong"]} As in {}.', Review) == Review(redo=["T1: wrong"])
    assert parse_object('{"redo": []}', Review) == Review(redo=[])


def test_of_many_faults_the_first_are_named() -> None:
    with pytest.raises(ValidationError) as error:
        Plan.model_validate({"parts": [{}] * 1_000})
    assert explain(error.value).startswith("`parts.0`: Input should be a valid string; ")
    assert explain(error.value).endswith("and 992 more")


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)
PLANS = st.builds(Outline, parts=st.lists(NAMES, max_size=4), answer=st.sampled_from(["list", "text"]))
PROSE = st.text(st.characters(exclude_characters="{}", codec="utf-8"), max_size=40)
DECOYS = st.sampled_from(["", "{}", '{"a": {"b": [1]}}', "{x}", '{"parts": []} ', "```json\n", "\\sum_{i}", '{"a": '])


@given(PLANS, PROSE, DECOYS, DECOYS, PROSE, st.sampled_from([None, 2]), st.booleans())
def test_a_plan_survives_the_noise_around_it(
    plan: Outline, before: str, decoy: str, after: str, end: str, indent: int | None, ascii: bool
) -> None:
    written = json.dumps(plan.model_dump(), indent=indent, ensure_ascii=ascii)
    assert parse_object(f"{before}{decoy}\n{written}\n{after}{end}", Outline) == plan


JSONLIKE = st.lists(
    st.sampled_from(["{", "}", "[", "]", '"', "'", ":", ",", '"parts"', '"redo": []', "1", "\\", "\\ud800", "\n", "a"])
).map("".join)


@pytest.mark.parametrize("shape", [Outline, Plan, Review])
@given(text=st.one_of(st.text(), JSONLIKE))
def test_no_text_breaks_the_search_for_an_object(text: str, shape: type[Record]) -> None:
    try:
        assert isinstance(parse_object(text, shape), shape)
    except NoObject as error:
        assert str(error)


HOSTILE = [
    "{",
    '{"a":',
    '{"a":[',
    "{'a':",
    '{"a":1,',
    '{"',
    '{"a" ',
    "{ ",
    "[{",
    "{}",
    '{"a":"“',
    '{"b":["x",{"a":1},',
    '{"a": 1}\n',
]


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("length", [600, 200_000, 5_000_000])
def test_hostile_json_is_given_up_soon(unit: str, length: int) -> None:
    began = time.process_time()
    with pytest.raises(NoObject):
        parse_object(unit * (length // len(unit)), Plan)
    # Some of these took minutes; the limit leaves room for a slow machine.
    assert time.process_time() - began < 8


def test_one_object_that_never_ends_is_given_up_soon() -> None:
    began = time.process_time()
    with pytest.raises(NoObject):
        parse_object('{"a":[' * 490 + "{}," * 60_000, Plan)
    assert time.process_time() - began < 8


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
