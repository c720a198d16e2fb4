"""What is an address of a model server (pure)."""

from urllib.parse import urlsplit


def sound_addresses(value: str) -> list[str]:
    """Return the addresses between commas, each once and as `sound_address` returns it.

    Raises:
        ValueError: One of them is none.
    """
    return list(dict.fromkeys(sound_address(one) for one in value.split(",") if one.strip())) or [sound_address(value)]


def sound_address(value: str) -> str:
    """Return an address without spaces around it and a slash at its end.

    Raises:
        ValueError: It is none, or holds what may not stand in it; the message never shows a password.
    """
    given = value.strip()
    if not given.isprintable() or " " in given:
        raise ValueError("the address holds spaces or control characters, which may not stand in it")
    try:
        parts = urlsplit(given)
        sound, secret = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0, "@" in parts.netloc
    except ValueError:  # brackets that do not match, or a port that is no number up to 65535
        sound, secret = False, "@" in given
    if secret:
        raise ValueError(
            "the address holds a name or a password; leave it out, and name the variable that holds the key with "
            "`api_key_env`"
        )
    if not sound:
        shown = "what was given" if "@" in given else f"`{value}`"
        raise ValueError(f"{shown} is not an address such as http://127.0.0.1:8000/v1")
    return given.rstrip("/")
