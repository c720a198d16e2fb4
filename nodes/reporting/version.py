"""Which version of this package runs; read once, when it is imported, so that no event loop waits for the disk."""

from importlib.metadata import PackageNotFoundError, version

from nodes.shared.environment import PACKAGE


def _read_version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:  # run from a folder that was never installed
        return ""


VERSION = _read_version()
