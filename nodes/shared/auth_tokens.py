"""The server's tokens: who they belong to (pure)."""

import hmac
from collections.abc import Mapping

MIN_TOKEN_CHARACTERS = 16
"""Characters of a token; shorter ones can be guessed."""


def read_tokens(text: str) -> dict[str, str]:
    """Read `name:token` pairs with spaces or commas between them; the result has names by token.

    Raises:
        ValueError: There is none, a pair is not one, a token is too short, or one is given twice. The message never
            holds a token.
    """
    tokens: dict[str, str] = {}
    if not text.strip(" ,\t\r\n"):
        raise ValueError("APR_TOKENS is set and holds no token: whoever reaches the server could use it; unset it")
    if {"'", '"'} & set(text):
        raise ValueError("APR_TOKENS holds quotation marks, which would become a part of names and tokens")
    for number, pair in enumerate(text.replace(",", " ").split(), 1):
        name, colon, token = pair.partition(":")
        if not (colon and name and token):
            raise ValueError(f"APR_TOKENS: entry {number} is not of the form name:token")
        if len(token) < MIN_TOKEN_CHARACTERS:
            raise ValueError(
                f"APR_TOKENS: the token of `{name}` has {len(token)} characters, the least is {MIN_TOKEN_CHARACTERS}"
            )
        if token in tokens:
            raise ValueError(f"APR_TOKENS: `{tokens[token]}` and `{name}` have the same token")
        tokens[token] = name
    return tokens


def user_of(header: str, tokens: Mapping[str, str]) -> str | None:
    """Name the user whose token an Authorization header bears; in the same time for every wrong one."""
    scheme, _, given = header.strip().partition(" ")
    found = None
    for token, name in tokens.items():
        if hmac.compare_digest(given.strip().encode(), token.encode()):
            found = name
    return found if scheme.lower() == "bearer" else None
