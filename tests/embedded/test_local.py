"""The embedded default: its file, and its server, the latter with a model of a few kilobytes."""

import asyncio
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console
from rich.live import Live

from nodes.llm.embedded.model_file import ModelFile, ensure_model_file
from nodes.llm.embedded.pace import measure_pace
from nodes.llm.endpoints.pace import Pace
from nodes.llm.endpoints.pace_store import PACE_FILE
from nodes.llm.replies.errors import ConfigurationError
from nodes.shared.environment import PACKAGE
from tests.support.server import Fault, model_server, serving
from tests.support.tiny_model import write_tiny_model

psutil = pytest.importorskip("psutil", reason="needs the `local` extra")
pytest.importorskip("xllamacpp", reason="needs the `local` extra")

ROOT = Path(__file__).parents[2]
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


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Run Python code in a process of its own."""
    with ExitStack() as ending:

        def run(code: str, **environment: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(code)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            ending.enter_context(process)
            ending.callback(process.kill)
            return process

        yield run


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for data packages that Python looks into."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# ---- the file ----


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


# ---- the hub, where data packages are missing ----


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


# ---- the server ----

SERVER = """
    import asyncio, json, os, sys, threading, urllib.error, urllib.request
    from concurrent.futures import ThreadPoolExecutor
    from nodes.llm.replies.errors import ConfigurationError
    from nodes.llm.embedded.server import running_server

    def post(server, messages, key=None, **more):
        request = urllib.request.Request(
            server.base_url + "/chat/completions",
            json.dumps({"messages": messages, **more}).encode(),
            {"Authorization": f"Bearer {server.api_key if key is None else key}"},
        )
        return json.load(urllib.request.urlopen(request))
"""


def line(process: "subprocess.Popen[str]") -> str:
    """Wait for the process to print a line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Start:
    """Run code with the embedded server set up for a tiny model."""
    tiny = write_tiny_model(tmp_path / "tiny.gguf")

    def run(code: str, gguf: Path = tiny, **environment: str) -> "subprocess.Popen[str]":
        return start(SERVER + code, APR_LOCAL_GGUF=str(gguf), XDG_CACHE_HOME=str(tmp_path / "cache"), **environment)

    return run


def finish(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Wait for a process that should end well; return what it printed."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err


def wait_until_gone(pid: int) -> float:
    """Wait for a process to end; return the seconds that it took."""
    began = time.perf_counter()
    try:
        psutil.Process(pid).wait(10)
    except psutil.NoSuchProcess:
        pass
    return time.perf_counter() - began


def test_all_loops_and_threads_share_one_server_that_ends_with_the_process(serve: Start) -> None:
    process = serve("""
    with ThreadPoolExecutor(6) as pool:
        servers = list(pool.map(lambda _: asyncio.run(running_server()), range(6)))
    try:
        post(servers[0], [], key="wrong")
    except urllib.error.HTTPError as error:
        refused = error.code
    reply = post(servers[0], [{"role": "user", "content": "hi"}], max_tokens=4)
    print(json.dumps([[s.process.pid for s in servers], servers[0].base_url, refused, reply["usage"], reply["model"]]))
    """)
    out, err = finish(process)
    pids, address, refused, usage, served = json.loads(out)
    assert len(set(pids)) == 1 and address.startswith("http://127.0.0.1:") and refused == 401
    assert usage["completion_tokens"] == 4 and served == "local"
    assert err == "", "llama.cpp must not print"
    assert not psutil.pid_exists(pids[0])


LONG_REPLY = """
    async def ask():
        server = await running_server()
        threading.Thread(target=lambda: [post(server, [], max_tokens=4000) for _ in range(99)], daemon=True).start()
        while not any(slot["is_processing"] for slot in slots(server)):
            pass
        print(server.process.pid, flush=True)
        await asyncio.Event().wait()

    def slots(server):
        headers = {"Authorization": f"Bearer {server.api_key}"}
        return json.load(urllib.request.urlopen(urllib.request.Request(server.base_url[:-3] + "/slots", None, headers)))

    asyncio.run(ask())
"""


@pytest.mark.quiet
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_process_ends_its_server_ends_within_a_second(serve: Start, blow: signal.Signals) -> None:
    process = serve(LONG_REPLY)
    server = int(line(process))
    began = time.perf_counter()
    process.send_signal(blow)
    process.communicate(timeout=10)
    wait_until_gone(server)
    assert time.perf_counter() - began < 3  # a second, on a machine that does nothing else
    assert process.returncode != 0


def test_ctrl_c_ends_the_process_while_the_model_is_not_there_yet(serve: Start, tmp_path: Path) -> None:
    slow = tmp_path / "slow.gguf"
    os.mkfifo(slow)  # opening it waits for a writer who never comes
    process = serve(
        """
    async def main():
        waiting = asyncio.ensure_future(running_server())
        await asyncio.sleep(0)
        print("waiting", flush=True)
        await waiting

    asyncio.run(main())
    """,
        slow,
    )
    assert line(process) == "waiting"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert err.splitlines()[-1] == "KeyboardInterrupt"


def test_a_server_that_died_is_started_again(serve: Start) -> None:
    out, _ = finish(
        serve("""
    first = asyncio.run(running_server())
    first.process.kill()
    first.process.wait()
    second = asyncio.run(running_server())
    print(post(second, [{"role": "user", "content": "hi"}], max_tokens=4)["usage"]["completion_tokens"])
    """)
    )
    assert 1 <= int(out) <= 4  # a model of random weights may end its reply early


PREPARED = """
    from nodes.llm.embedded.prompts import messages
    from nodes.llm.embedded.slots import Purpose
    from prompts import PROMPTS

    async def ask(server, name, run, thread=None, more=""):
        prompt = PROMPTS[name].standard
        turns = [*messages(prompt), {"role": "user", "content": f"Ask {run} {thread}{more}"}]
        await server.slots.prepare(prompt.label)
        async with server.slots.hold(Purpose(prompt.label, "solve", f"run-{run}", thread)) as place:
            reply = await asyncio.to_thread(post, server, turns, max_tokens=2, **place)
        return name, reply["timings"]["prompt_n"], reply["timings"]["cache_n"], place["id_slot"]

    async def at_once(names):
        server = await running_server()
        return await asyncio.gather(*(ask(server, name, number) for number, name in enumerate(names)))

    async def without_room():
        server = await running_server()
        async with server.slots.hold(Purpose("solve@2", "solve", "run-0")):
            for thread in "abc":  # 31,800 of 32,768 tokens, a byte each
                await ask(server, "review", 0, thread, "x" * 8_600)
            return [await ask(server, "decompose", 1)]

    told = []
    for names in (["solve"] * 4, ["decompose", "solve"], ["review", "decompose"], ["refine", "review"], ["solve"] * 4):
        told.append(asyncio.run(at_once(names)))
    told.append(asyncio.run(without_room()))
    print(json.dumps(told))
"""


def test_prompts_are_read_once_for_all_runs_and_later_processes(serve: Start, tmp_path: Path) -> None:
    def run() -> dict[str, int]:
        out, _ = finish(serve(PREPARED))
        for asked in json.loads(out):
            for prompt, read, cached, _ in asked:
                assert read < 100 < cached, f"the prompt of {prompt} was read again"
            assert len({slot for *_, slot in asked}) == len(asked), "two requests at once waited for one slot"
        return {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("prompts/*")}

    folder = tmp_path / "cache" / PACKAGE / "prompts"
    folder.mkdir(parents=True)
    (folder / "solve@0-of-another-server").write_bytes(b"of no use any more")
    first = run()
    # Those without examples are short, and not kept.
    assert sorted(name.partition("@")[0] for name in first) == ["decompose", "refine", "review", "solve"]
    assert run() == first
    damaged = next(folder.glob("solve@*"))
    damaged.write_bytes(damaged.read_bytes()[:5000])  # llama.cpp would abort on it
    last = run()
    changed = [name for name in last if last[name] != first.get(name)]
    assert len(last) == 4 and [name.partition("@")[0] for name in changed] == ["solve"]


MEASURED = """
    async def slots(server):
        headers = {"Authorization": f"Bearer {server.api_key}"}
        return json.load(urllib.request.urlopen(urllib.request.Request(server.base_url[:-3] + "/slots", None, headers)))

    if "ONE_PROCESSOR" in os.environ:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    server = asyncio.run(running_server())
    print([slot.get("n_prompt_tokens") for slot in asyncio.run(slots(server))[1:5]])
"""


def test_the_pace_is_measured_once_and_again_for_another_number_of_processors(serve: Start) -> None:
    file = Path(os.environ["APR_STORE"] + ".endpoints") / PACE_FILE
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two processors")
    out, _ = finish(serve(MEASURED))
    assert json.loads(out) == [0] * 4, "what was written to measure is left in the slots"
    first = file.read_bytes()
    (entry,) = json.loads(first).values()
    alone, side_by_side = entry["pace"]["alone"], entry["pace"]["threads"]
    assert alone["ws"] > 0 and alone["rs"] > 0 and alone["rw"] == 0
    assert side_by_side["ww"] > 2 * alone["ww"], "as many streams as the server is sent at once"
    assert {name: (one["calls"], one["usual"]) for name, one in entry["pace"]["stages"].items()} == {
        "solve": (0, True),
        "review": (0, True),
    }
    finish(serve(MEASURED))
    assert file.read_bytes() == first
    finish(serve(MEASURED, ONE_PROCESSOR="1"))
    assert len(json.loads(file.read_bytes())) == 2


async def test_a_server_that_cannot_be_measured_is_left_to_its_calls() -> None:
    async with model_server() as server:
        for step in (Fault(status=500), "a reply without timings"):
            server.on("direct", step)
            assert await measure_pace(server.url.removesuffix("/v1"), "key", at_once=2) == Pace()
        assert server.asked


def refusal(process: "subprocess.Popen[str]") -> str:
    """Return why there is no server, seen from a process that went on undisturbed."""
    out, err = finish(process)
    assert err == ""
    return out


TRY = """
    try:
        asyncio.run(running_server())
    except ConfigurationError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "APR_LOCAL_GGUF names no readable file: {path} (No such file or directory)"),
        (b"", "APR_LOCAL_GGUF names a file that is no GGUF model: {path}"),
        (b"PK\3\4" * 100, "APR_LOCAL_GGUF names a file that is no GGUF model: {path}"),
        (b"GGUF" + bytes(1000), "could not load {path}"),
    ],
)
def test_a_wrong_model_file_is_refused_by_name(
    serve: Start, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "wrong.gguf"
    if content is not None:
        path.write_bytes(content)
    assert message.format(path=path) in refusal(serve(TRY, path))


def test_too_little_memory_is_told_with_both_sizes(serve: Start, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "huge.gguf")
    os.truncate(path, 4 * 10**12)  # takes no room: the rest is a hole
    assert "needs 4,000.9 GB of memory" in refusal(serve(TRY, path))


def test_without_the_extra_its_installation_is_named(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for entry in Path(psutil.__file__).parent.parent.iterdir():
        if not entry.name.startswith("xllamacpp"):
            (site / entry.name).symlink_to(entry)
    setup = f"import sys\nsys.path += [{str(site)!r}, {str(ROOT)!r}]\n"
    code = textwrap.dedent(SERVER + TRY)
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", setup + code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "pip install 'adaptive-parallel-reasoning[local]'" in ran.stdout
