"""What `apr` is told beside its options: files of variables in the user's and in the working folder, and `--set`."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from graphs.cli.refusal import refuse

FILE = "config.env"
FOLDER_FILE = Path(".env")


def config_file() -> Path:
    """Name the user's file of variables: `APR_CONFIG`, else one in the user's folder for configurations."""
    if place := os.environ.get("APR_CONFIG", "").strip():
        return Path(place).expanduser()
    import platformdirs

    from nodes.shared.environment import PACKAGE

    return platformdirs.user_config_path(PACKAGE) / FILE


def load_config() -> None:
    """Take the variables of the user's file, and settings of the working folder's, that the environment does not have.

    Or say what is wrong and leave.
    """
    path = config_file()
    mine = _read(path) if path.is_file() else {}
    if not path.is_file() and os.environ.get("APR_CONFIG", "").strip():
        refuse(f"APR_CONFIG: {path}: no such file")
    folder = _read(FOLDER_FILE) if FOLDER_FILE.is_file() else {}
    nearer = {name: value for name, value in folder.items() if name.startswith("APR_") and not _is_set(name)}
    for name, value in mine.items():
        if not _is_set(name):
            os.environ[name] = value
    _take_settings(nearer)


def _read(path: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    try:
        told = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}")
    return {name: value for name, value in told.items() if value is not None}


def _is_set(name: str) -> bool:
    return bool(os.environ.get(name, "").strip())


def _take_settings(told: dict[str, str]) -> None:
    """Take settings from the working folder: those that a request to the server may choose, and no others.

    Whoever wrote the file there could else send the user's keys, or questions, to a server of theirs.
    """
    if not told:
        return
    from pydantic import ValidationError

    from nodes.boundary.access import find_refusal
    from nodes.settings import Settings
    from nodes.shared.environment import OTHER_NAMES

    for name, value in told.items():
        setting = name.removeprefix("APR_").lower()
        if setting not in Settings.model_fields:
            if name not in OTHER_NAMES:  # a slip, which is told where settings are read
                os.environ[name] = value
            continue
        try:
            refused = find_refusal({setting: getattr(Settings(**{setting: value}), setting)})
        except ValidationError:  # whoever reads it says so
            refused = ""
        if refused:
            sys.stderr.write(
                f"apr: {FOLDER_FILE}: {name} is not taken from the working folder, since it could send your keys or "
                f"texts elsewhere; if it is yours, set it in the environment or in {config_file()}\n"
            )
        else:
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
