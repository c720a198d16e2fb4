"""What is masked wherever something is shown or sent: keys, in whatever form they are written, and nothing else."""

import base64
import json
import os
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.reporting.tracing import anonymizer
from nodes.shared.masking import mask

KEY = "a-key-that-looks-like-nothing-special"
PLANTED = "sk-planted0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (PLANTED, "[secret]"),
        (f"key={PLANTED}, and more", "key=[secret], and more"),
        ("sk-ant-api03-abcdefgh_ijk", "[secret]"),
        ("lsv2_pt_0123456789abcdef_0123", "[secret]"),
        ("ghp_0123456789abcdefghij", "[secret]"),
        ("Authorization: Bearer abc.def.ghi-jkl", "Authorization: Bearer [secret]"),
        ("https://me:hunter2hunter2@host/x", "https://[secret]@host/x"),
        (f"{KEY}{KEY}", "[secret][secret]"),
        (
            "a task-force at https://host:80/x, risk-averse, sk-1",
            "a task-force at https://host:80/x, risk-averse, sk-1",
        ),
    ],
)
def test_keys_are_masked_and_other_words_are_not(monkeypatch: pytest.MonkeyPatch, text: str, masked: str) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    assert mask(text) == masked and anonymizer({"a": [{"b": text}]}) == {"a": [{"b": masked}]}


RSA = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq9\nabcdefgh0123456789\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "secret",
    [
        "gsk_" + "aB3" * 17,
        "xai-" + "aB3" * 26,
        "sk_live_" + "aB3" * 8,
        "rk_test_" + "aB3" * 8,
        "npm_" + "aB3" * 12,
        "pypi-AgEIcHlwaS5vcmc" + "aB3" * 20,
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "Xy08Q~" + "aB3-" * 8,
        "4f1d" + "aB3" * 16 + "JQQJ99" + "BCD4" * 6,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        RSA,
        RSA.replace("\n", "\\n"),
        RSA[:60],
        "SG.aB3aB3aB3aB3aB3aB3aB3a.aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3a",
    ],
)
def test_common_secrets_are_masked_alone_and_in_a_text(secret: str) -> None:
    for text in (secret, f"It is {secret} .", f'{{"a": "{secret}"}}', f"x={secret}&y"):
        assert secret[-12:] not in mask(text) and secret[6:18] not in mask(text), mask(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic [secret]"),
        ("a Basic understanding of basic arithmetic", "a Basic understanding of basic arithmetic"),
        ("AccountKey=abcd+/0123456789==;x", "AccountKey=[secret];x"),
        ("api-key: 0123456789abcdef0123456789abcdef", "api-key: [secret]"),
        ('"password": "hunter2hunter2"', '"password": "[secret]"'),
        ("https://h/c?sv=1&sig=abcdefgh%2B0123456789%3D", "https://h/c?sv=1&sig=[secret]"),
        ("commit 0123456789abcdef0123456789abcdef01234567", "commit 0123456789abcdef0123456789abcdef01234567"),
        ("max_tokens: 12345678, tokens=123456789", "max_tokens: 12345678, tokens=123456789"),
        ("the secret of a good password is its length", "the secret of a good password is its length"),
        ("Which token: a or b?", "Which token: a or b?"),
    ],
)
def test_what_is_said_to_be_secret_is_masked_and_plain_words_are_not(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(st.text(min_size=8).map(str.strip).filter(lambda secret: len(secret) >= 8 and "\0" not in secret))
def test_a_secret_is_masked_in_whatever_form_it_is_written(secret: str) -> None:
    try:
        os.environ["ANY_SECRET"] = secret
        held = secret.encode()
    except UnicodeEncodeError:  # no variable can hold it
        return
    try:
        written = [json.dumps(secret), json.dumps(json.dumps(secret)), repr(secret), quote(secret), quote_plus(secret)]
        written += [base64.b64encode(before + held).decode() for before in (b"", b"u:", b"user:", b"me:")]
        for text in [secret, *written]:
            assert text.strip("'\"") not in mask(f" {text} ")
    finally:
        del os.environ["ANY_SECRET"]


def test_a_long_text_is_masked_in_linear_time() -> None:
    def took(text: str) -> float:
        began = time.perf_counter()
        mask(text)
        return time.perf_counter() - began

    for piece in ("eyJa.", "a" * 39 + "/", "-----BEGIN PRIVATE KEY-----", "sk-", "://a:", "token=", "Basic ", "aQ~"):
        short, long = took(piece * 2_000), took(piece * 20_000)
        assert long < 40 * short + 0.2, piece
