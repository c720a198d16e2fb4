"""Taking secrets out of texts: what this process holds in its environment, and what looks like a key."""

import re
import traceback

from nodes.environment import environment_secrets

MASK = "[secret]"

_KEYS = {
    # OpenAI, Anthropic, DeepSeek and those who follow them
    "sk-": re.compile(r"\bsk-[\w-]{8,}"),
    # LangSmith
    "lsv2_": re.compile(r"\blsv2_\w{8,}"),
    "ls__": re.compile(r"\bls__\w{8,}"),
    # GitHub, GitLab, Hugging Face, Google, Amazon, Slack
    "gh": re.compile(r"\bgh[pousr]_\w{16,}"),
    "github_pat_": re.compile(r"\bgithub_pat_\w{16,}"),
    "glpat-": re.compile(r"\bglpat-[\w-]{16,}"),
    "hf_": re.compile(r"\bhf_\w{16,}"),
    "AIza": re.compile(r"\bAIza[\w-]{16,}"),
    "AKIA": re.compile(r"\bAKIA[A-Z0-9]{12,}"),
    "ASIA": re.compile(r"\bASIA[A-Z0-9]{12,}"),
    "xox": re.compile(r"\bxox[abeoprs]-[\w-]{8,}"),
    # a name and password in an address, and what follows in a header
    "://": re.compile(r"(?<=://)[^\s/:@]{0,100}:[^\s/@]{1,200}(?=@)"),
    "earer ": re.compile(r"(?<=[Bb]earer )[\w.~+/-]{8,}=*"),
}
"""What keys look like, by what they hold in any case: most texts hold none of these, and looking for them is quick."""


def mask(text: str) -> str:
    """Take out what looks like a key, and every secret that this process holds in its environment."""
    for secret in environment_secrets():
        text = text.replace(secret, MASK)
    for sign, pattern in _KEYS.items():
        if sign in text:
            text = pattern.sub(MASK, text)
    return text


def harmless(text: str) -> str:
    """Mask a text, and take out what would move a terminal's cursor or break a database's column."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in mask(text))


def trace_of(error: BaseException) -> str:
    """Write an error with all that led to it, masked."""
    return harmless("".join(traceback.format_exception(error)))
