"""Taking secrets out of texts: what this process holds in its environment, and what looks like a key.

The libraries that know such patterns look for leaks in files, line by line, and give numbers of lines; here a text is
rewritten, of any length and in linear time.
"""

import base64
import binascii
import json
import re
import traceback
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

from nodes.shared.environment import MIN_SECRET_CHARACTERS, environment_secrets

MASK = "[secret]"
MIN_LINE_CHARACTERS = 16
"""Characters of a line of a longer secret, from which on it is one by itself."""

_BEGINNINGS = (
    *("sk-", "gsk_", "xai-", "csk-", "pplx-", "nvapi-", "r8_", "tgp_v1_", "hf_", "AIza", "GOCSPX-", "ya29."),
    *("lsv2_", "ls__", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_", "npm_", "pypi-", "dckr_pat_"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "shpat_", "hvs.", "SG.", "sntrys_"),
    *("xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "AKIA", "ASIA"),
)
"""What keys begin with: of models' and tools' makers, of payments, registries, code hosts, clouds and chats."""
_BEGUN = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, _BEGINNINGS))})[\w.-]{{7,}}\w")
_SHAPES = {
    # a signed token; a private key, to its end or the text's
    "eyJ": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),
    "PRIVATE KEY": re.compile(
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        re.DOTALL,
    ),
    # Azure: a client's secret, an account's key, a signature
    "Q~": re.compile(r"(?<![\w.~-])[\w.~-]{3}\dQ~[\w.~-]{31,34}"),
    "JQQJ99": re.compile(r"\b[A-Za-z0-9]{20,80}JQQJ99[A-Za-z0-9]{8,60}"),
    "sig=": re.compile(r"(?<=sig=)[\w%+/-]{16,}=*"),
    # a name and password in an address, and what follows in a header
    "://": re.compile(r"(?<=://)[^\s/:@]{0,100}:[^\s/@]{1,200}(?=@)"),
    "earer ": re.compile(r"(?<=[Bb]earer )[\w.~+/-]{8,}=*"),
    "EARER ": re.compile(r"(?<=BEARER )[\w.~+/-]{8,}=*"),
}
"""What other secrets look like, by what they hold in any case: looking for that is quick."""
_NAMED = re.compile(
    r"((?:api[-_ ]?key|access[-_]?key|account[-_]?key|subscription-key|secret|token|password|passwd|passphrase)"
    r"[\"'\\]{0,3}\s{0,2}[:=]\s{0,2}[\"'\\]{0,3})([^\s\"',;&\\\[]{8,})",
    re.IGNORECASE,
)
"""What is said to be a secret."""
_FORTY = re.compile(r"(?<![\w/+])[A-Za-z0-9/+]{40}(?![\w/+=])")
"""As long as Amazon's secrets; names and hashes of that length have fewer kinds of letters."""
_BASIC = re.compile(r"(?<=asic )[A-Za-z0-9+/]{6,}={0,2}")


def mask(text: str) -> str:
    """Take out what looks like a key, and every secret that this process holds in its environment."""
    return mask_all([text])[text]


def mask_all(texts: Iterable[str]) -> dict[str, str]:
    """Mask many texts, such as all that a trace holds, each of them once.

    Returns:
        What each text becomes, by the text.
    """
    forms = _forms(tuple(environment_secrets()))
    # What is short can hold no secret, and is most of what a trace holds.
    return {text: _mask(text, forms) if len(text) >= MIN_SECRET_CHARACTERS else text for text in set(texts)}


def _mask(text: str, forms: tuple[str, ...]) -> str:
    for form in forms:
        text = text.replace(form, MASK)
    for sign, pattern in _SHAPES.items():
        if sign in text:
            text = pattern.sub(MASK, text)
    if any(sign in text for sign in _BEGINNINGS):
        text = _BEGUN.sub(MASK, text)
    if "asic " in text:
        text = _BASIC.sub(lambda found: MASK if _name_and_password(found[0]) else found[0], text)
    folded = text.casefold()
    if any(sign in folded for sign in ("key", "secret", "token", "pass")):
        text = _NAMED.sub(rf"\1{MASK}", text)
    return _FORTY.sub(lambda found: MASK if _is_mixed(found[0]) else found[0], text)


def _name_and_password(text: str) -> bool:
    """Whether this is what follows `Basic` in a header."""
    try:
        return b":" in base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return False


def _is_mixed(text: str) -> bool:
    kinds = (any(map(str.isupper, text)), any(map(str.islower, text)), any(map(str.isdigit, text)))
    return all(kinds) and len(set(text)) > 15


@lru_cache(maxsize=8)
def _forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """List the forms in which secrets are written, the longest first."""
    found: set[str] = set()
    for secret in secrets:
        lines = [
            line.strip()
            for line in secret.splitlines()
            if len(line.strip()) >= MIN_LINE_CHARACTERS and "-----" not in line
        ]
        for text in {secret, secret.replace("\n", "\r\n"), *lines}:
            found |= {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
            found |= {
                json.dumps(text)[1:-1].replace("/", r"\/"),
                json.dumps(json.dumps(text))[3:-3],
                quote(text),
                quote(text, safe=""),
                quote_plus(text),
            }
            found |= _within_base64(text.encode())
    return tuple(sorted((form for form in found if len(form) >= MIN_SECRET_CHARACTERS), key=len, reverse=True))


def _within_base64(secret: bytes) -> set[str]:
    """Return what stands in base64 for a secret wherever in the encoded bytes it stands, such as after a name."""
    forms = set()
    for before in range(3):
        written = base64.b64encode(b"\0" * before + secret).decode()
        core = written[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms


def mask_text(text: str) -> str:
    """Mask a text, and take out what would move a terminal's cursor or break a database's column."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in mask(text))


def trace_of(error: BaseException) -> str:
    """Write an error with all that led to it, masked."""
    return mask_text("".join(traceback.format_exception(error)))


def leave_out(text: str, secret: str) -> str:
    """Return a text without the secret, should a server have repeated it."""
    return text.replace(secret, "…") if len(secret) >= MIN_SECRET_CHARACTERS else text
