"""JSON out of prose: the object that was meant, what it lacks, and an end to the search in any text."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nodes.judging.verdicts import Review
from nodes.llm.replies.objects import NoObject, explain, parse_object
from nodes.planning.outline import Outline, Plan
from nodes.shared.record import Record

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


@pytest.mark.at_most(6)
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
