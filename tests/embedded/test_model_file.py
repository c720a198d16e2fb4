"""The embedded model's file: put together once, fetched where data packages are missing, never of other bytes."""

import asyncio
import hashlib
import os
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console
from rich.live import Live

from nodes.llm.embedded.model_file import ModelFile, ensure_model_file
from nodes.llm.replies.errors import ConfigurationError
from tests.support.server import serving
from tests.support.subjects.embedded import Start, line

pytest.importorskip("psutil", reason="needs the `local` extra")
pytest.importorskip("xllamacpp", reason="needs the `local` extra")

CONTENT = bytes(range(256)) * 1024
NAMES = ["demo.gguf", "demo.lock", "demo.sha256"]


def model(content: bytes = CONTENT, **changes: Any) -> ModelFile:
    """A model whose right bytes are `content`, in two data packages."""
    return ModelFile(
        **{
            "name": "demo.gguf",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "parts": (("demo-part1", "demo_part1/data/1.bin"), ("demo-part2", "demo_part2/data/2.bin")),
            "repository": "someone/Demo-GGUF",
            "revision": "0" * 40,
            **changes,
        }
    )


def install(site: Path, *pieces: bytes) -> None:
    """Put data packages into a folder as pip would."""
    for number, piece in enumerate(pieces, 1):
        about = site / f"demo_part{number}-1.0.dist-info" / "METADATA"
        data = site / f"demo_part{number}" / "data" / f"{number}.bin"
        for file in (about, data):
            file.parent.mkdir(parents=True)
        about.write_text(f"Metadata-Version: 2.1\nName: demo-part{number}\nVersion: 1.0\n")
        data.write_bytes(piece)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for data packages that Python looks into."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_file_is_put_together_once(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, CONTENT[:1000], CONTENT[1000:])
    path = ensure_model_file(model(), tmp_path / "models")
    assert path.read_bytes() == CONTENT and names(path.parent) == NAMES
    said = capsys.readouterr()
    assert said.out == "" and said.err == "Putting the embedded model together (0.0 GB, once)\n"
    before = path.stat()
    assert ensure_model_file(model(), tmp_path / "models") == path
    assert path.stat() == before and capsys.readouterr().err == ""


def test_bytes_other_than_the_publishers_are_refused(site: Path, tmp_path: Path) -> None:
    install(site, CONTENT[:1000], b"other" + CONTENT[1005:])
    with pytest.raises(ConfigurationError, match="not those that its publisher released"):
        ensure_model_file(model(), tmp_path)
    assert not {"demo.gguf", "demo.sha256"} & set(names(tmp_path))


@pytest.mark.parametrize("tamper", [lambda path: path.write_bytes(b"short"), lambda path: os.utime(path, (1, 1))])
def test_a_file_that_was_changed_is_written_anew(site: Path, tmp_path: Path, tamper: Callable[[Path], None]) -> None:
    install(site, CONTENT[:1000], CONTENT[1000:])
    folder = tmp_path / "models"
    tamper(ensure_model_file(model(), folder))
    path = ensure_model_file(model(), folder)
    assert path.read_bytes() == CONTENT and path.stat().st_mtime > 1


def test_a_folder_that_cannot_be_written_is_named_with_a_cure(site: Path, tmp_path: Path) -> None:
    install(site, CONTENT[:1000], CONTENT[1000:])
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "models"
    with pytest.raises(ConfigurationError, match="XDG_CACHE_HOME") as caught:
        ensure_model_file(model(), folder)
    assert str(folder) in str(caught.value)


def test_too_little_room_is_found_out_before_anything_is_written(site: Path, tmp_path: Path) -> None:
    install(site, CONTENT[:1000], CONTENT[1000:])
    folder = tmp_path / "models"
    with pytest.raises(ConfigurationError, match=r"needs 1,000,000\.0 GB in .*make room") as caught:
        ensure_model_file(model(size=10**15), folder)
    assert str(folder) in str(caught.value) and names(folder) in ([], ["demo.lock"])


def test_a_disk_that_fills_up_leaves_nothing_behind(site: Path, tmp_path: Path) -> None:
    install(site, CONTENT[:1000], CONTENT[1000:])
    folder = tmp_path / "models"
    with largest_file(len(CONTENT) // 2), pytest.raises(ConfigurationError, match="cannot be written to"):
        ensure_model_file(model(), folder)
    assert names(folder) in ([], ["demo.lock"])
    assert ensure_model_file(model(), folder).read_bytes() == CONTENT


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have the system refuse to write files beyond a size, in bytes."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_processes_that_need_the_file_at_once_all_get_it(start: Start, site: Path, tmp_path: Path) -> None:
    content = CONTENT * 100
    install(site, content[:1000], content[1000:])
    code = f"""
        import sys
        from pathlib import Path
        from nodes.llm.embedded.model_file import ModelFile, ensure_model_file
        sys.path.insert(0, {str(site)!r})
        print("ready", flush=True)
        sys.stdin.readline()
        print(ensure_model_file({model(content)!r}, Path({str(tmp_path / "models")!r})).stat().st_ino)
    """
    processes = [start(code) for _ in range(3)]
    for process in processes:
        assert line(process) == "ready"
    told = [process.communicate("go\n", timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], told
    assert len({out for out, _ in told}) == 1, "each wrote a file of its own"
    assert (tmp_path / "models" / "demo.gguf").read_bytes() == content


def test_no_bar_is_drawn_into_a_live_display(site: Path, tmp_path: Path) -> None:
    install(site, CONTENT[:1000], CONTENT[1000:])
    terminal = StringIO()
    with Live("threads", console=Console(file=terminal, force_terminal=True), auto_refresh=False):
        ensure_model_file(model(), tmp_path / "models")
    assert "Putting the embedded model together" in terminal.getvalue() and "%|" not in terminal.getvalue()


# The hub, where data packages are missing


class Hub:
    """A hub on the loopback interface that has one file; a fault is a status, or bytes after which it stalls."""

    def __init__(self) -> None:
        self.content, self.status, self.stall_after = CONTENT, 200, len(CONTENT)
        self.url = ""
        self.stalled = asyncio.Event()
        self.paths: set[str] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.paths.add(request.path)
        # The hub's client would repeat a HEAD that gets 5xx for half a minute.
        if self.status >= 400 and (request.method == "GET" or self.status < 500):
            return web.Response(status=self.status, text="no")
        response = web.StreamResponse(headers={"ETag": '"1"', "X-Repo-Commit": "0" * 40})
        response.content_length = len(self.content)
        await response.prepare(request)
        if request.method == "GET":
            await response.write(self.content[: self.stall_after])
            if self.stall_after < len(self.content):
                self.stalled.set()
                await asyncio.Event().wait()
        return response


@asynccontextmanager
async def loopback_hub() -> AsyncIterator[Hub]:
    hub = Hub()
    app = web.Application()
    app.router.add_get("/{path:.*}", hub.handle)
    async with serving(app) as hub.url:
        yield hub


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with loopback_hub() as running:
        yield running


async def test_the_hub_gives_what_no_data_package_holds(hub: Hub, site: Path, tmp_path: Path) -> None:
    install(site, CONTENT[:1000])  # the second one is missing
    path = await asyncio.to_thread(ensure_model_file, model(), tmp_path / "models", hub=hub.url)
    assert path.read_bytes() == CONTENT and names(path.parent) == NAMES
    assert f"/someone/Demo-GGUF/resolve/{'0' * 40}/demo.gguf" in hub.paths


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"content": b"other" + CONTENT[5:]}, "not those that its publisher released"),
        ({"status": 404}, r"the Hugging Face hub did not give its file \(.*404"),
        ({"status": 500}, r"the Hugging Face hub did not give its file \(.*500"),
    ],
)
async def test_a_hub_that_gives_no_right_file_is_told_apart(
    hub: Hub, tmp_path: Path, fault: dict[str, Any], message: str
) -> None:
    vars(hub).update(fault)
    with pytest.raises(ConfigurationError, match=message) as caught:
        await asyncio.to_thread(ensure_model_file, model(), tmp_path, hub=hub.url)
    assert "APR_LOCAL_GGUF" in str(caught.value)
    assert not {"demo.gguf", "demo.sha256"} & set(names(tmp_path))


async def test_a_process_killed_while_fetching_leaves_no_file_and_no_waste(
    start: Start, hub: Hub, tmp_path: Path
) -> None:
    hub.stall_after = len(CONTENT) // 2
    process = start(f"""
        from pathlib import Path
        from nodes.llm.embedded.model_file import ModelFile, ensure_model_file
        ensure_model_file({model()!r}, Path({str(tmp_path)!r}), hub={hub.url!r})
    """)
    await hub.stalled.wait()
    process.kill()
    process.communicate()
    assert not (tmp_path / "demo.gguf").exists()
    hub.stall_after = len(CONTENT)
    path = await asyncio.to_thread(ensure_model_file, model(), tmp_path, hub=hub.url)
    assert path.read_bytes() == CONTENT and names(tmp_path) == NAMES
