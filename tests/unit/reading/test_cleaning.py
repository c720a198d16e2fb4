"""What becomes of a user's text on its way in, and how much of it is taken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from graphs import sequential
from nodes.shared.cleaning import clean_text, storable
from nodes.state import MAX_DOCUMENT_COUNT, Problem
from tests.support.server import ModelServer

ANY = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("\ufeffa\ufeff", "a\ufeff"),
        ("\u200b\u2060\ufeff- a", "- a"),
        ("half \ud83d of it", "half \ufffd of it"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\0b\x1b[31m\tc", "ab[31m\tc"),
        ("page\x0cpage", "page\npage"),
        ('say "a" – “b” \u2028', 'say "a" – “b” \u2028'),
    ],
)
def test_a_text_is_cleaned_and_otherwise_as_written(given_text: str, kept: str) -> None:
    assert clean_text(given_text) == kept


@given(ANY)
def test_whatever_comes_can_be_stored_and_is_cleaned_once(text: str) -> None:
    for clean in (storable, clean_text):
        once = clean(text)
        assert clean(once) == once and "\0" not in once
        assert once.encode("utf-8").decode("utf-8") == once
    assert "\r" not in clean_text(text) and not clean_text(text).startswith(("\ufeff", "\u200b"))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_ordinary_text_is_stored_as_it_is(text: str) -> None:
    assert storable(f"{text}\r\n\t") == f"{text}\r\n\t"


async def test_what_is_asked_reaches_the_model_cleaned(server: ModelServer, context: dict[str, Any]) -> None:
    document = {"id": "a\0.txt", "title": "\ufeffA\ud83d", "text": "\ufeffone\r\ntwo\0"}
    asked = {"question": '\ufeffWhy "so"?\r\nBecause\ud83d', "instructions": "Be\0 brief.", "documents": [document]}
    solution = await sequential.ainvoke(asked, context=context)
    (request,) = server.asked
    assert solution["question"] == 'Why "so"?\nBecause\ufffd' and solution["question"] in request.last
    assert "Be brief." in request.last and "<document A\ufffd>\none\ntwo\n</document>" in request.last


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ({"question": "x" * 100_001}, "`question` has 100,001 characters, the limit is 100,000"),
        ({"question": "\ufeff\0 \r\n"}, "`question` is blank"),
        ({"instructions": "x" * 100_001}, "`instructions` has 100,001 characters, the limit is 100,000"),
        ({"documents": [{"id": "x" * 1_001, "text": "x"}]}, "`id` has 1,001 characters, the limit is 1,000"),
        ({"documents": [{"id": "x", "title": "x" * 1_001, "text": "x"}]}, "`title` has 1,001 characters"),
        ({"documents": [{"id": "\0", "text": "x"}]}, "at least 1 character"),
        ({"documents": [{"id": "x", "text": "\0"}]}, "'x' is empty"),
        ({"documents": [{"id": "a", "text": "x"}, {"id": "a\0", "text": "x"}]}, "the id 'a' occurs twice"),
        ({"documents": [{"id": "x", "text": "x" * 5_000_001}]}, "5,000,001 characters, the limit is 5,000,000"),
        ({"documents": [{}] * (MAX_DOCUMENT_COUNT + 1)}, "`documents` are 1,001, the limit is 1,000"),
    ],
)
def test_what_is_too_much_is_refused_by_name(problem: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Problem(**{"question": "Why?", **problem})
    assert said in str(error.value) and error.value.error_count() == 1


def test_as_many_documents_as_allowed_are_taken() -> None:
    documents = [{"id": str(number), "text": "x"} for number in range(MAX_DOCUMENT_COUNT)]
    assert len(Problem.model_validate({"question": "Why?", "documents": documents}).segments()) == 1_001
