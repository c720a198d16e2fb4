"""What `apr` is told beside its options: a file of variables in the user's folder, and `--set`."""

import os
from collections.abc import Iterable
from pathlib import Path

from graphs.cli.refusal import refuse

FILE = "config.env"


def config_file() -> Path:
    """Name the user's file of variables: `APR_CONFIG`, else one in the user's folder for configurations."""
    if place := os.environ.get("APR_CONFIG", "").strip():
        return Path(place).expanduser()
    import platformdirs

    from nodes.shared.environment import PACKAGE

    return platformdirs.user_config_path(PACKAGE) / FILE


def load_config() -> None:
    """Take the variables of the user's file that the environment does not have; or say what is wrong and leave.

    No file of the working folder is read: whoever wrote it could send the user's keys to a server of theirs.
    """
    path = config_file()
    if not path.is_file():
        if os.environ.get("APR_CONFIG", "").strip():
            refuse(f"APR_CONFIG: {path}: no such file")
        return
    from dotenv import dotenv_values

    try:
        told = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}")
    for name, value in told.items():
        if value is not None and not os.environ.get(name, "").strip():
            os.environ[name] = value


def read_assignments(given: Iterable[str]) -> dict[str, str]:
    """Read `name=value` pairs; or say what is wrong with one and leave."""
    values: dict[str, str] = {}
    for item in given:
        name, sign, value = item.partition("=")
        name = name.strip().lower().removeprefix("apr_")
        if not sign or not name:
            refuse(f"--set {item}: write it as name=value, such as thread_timeout=60")
        if name in values:
            refuse(f"--set {name}: is set twice")
        values[name] = value.strip()
    return values
