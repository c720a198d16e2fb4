"""How an extra is installed, for every message that misses one (pure)."""


def how_to_install(extra: str) -> str:
    """Say how to install an extra of `pyproject.toml`, where this project is a checkout: no index has it.

    Args:
        extra: Its name.
    """
    return f"pip install -e '.[{extra}]' in the project's folder"
