"""The embedded model's server, with a model of a few kilobytes: one for all, gone with its process, else a reason."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.subjects.embedded import ROOT, SERVER, Start, finish, line
from tests.support.tiny_model import write_tiny_model

NOTICE = "Starting the embedded model"
"""What is said where that takes long."""
psutil = pytest.importorskip("psutil", reason="needs the `local` extra")
pytest.importorskip("xllamacpp", reason="needs the `local` extra")


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
    assert 0 < usage["completion_tokens"] <= 4 and served == "local"  # its weights are chance, and so is where it ends
    assert set(err.splitlines()) <= {NOTICE}, "llama.cpp must not print"
    assert not psutil.pid_exists(pids[0])


def test_the_model_loads_while_the_command_imports_the_rest(serve: Start) -> None:
    process = serve("""
    class Watch:
        def find_spec(self, name, *_):
            if name == "graphs.cli.run":
                print([thread.name for thread in threading.enumerate()], flush=True)
                os._exit(0)

    sys.meta_path.insert(0, Watch())
    from graphs.cli.main import main
    sys.argv = ["apr", "Why so?", "--model", "local"]
    main()
    """)
    out, err = finish(process)
    assert "'apr-local'" in out, err


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


@pytest.mark.at_most(1)
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_process_ends_its_server_ends_too(serve: Start, blow: signal.Signals) -> None:
    process = serve(LONG_REPLY)
    server = int(line(process))
    process.send_signal(blow)
    process.communicate(timeout=20)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(server).wait(20)  # it would have gone on writing
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


def refusal(process: "subprocess.Popen[str]") -> str:
    """Return why there is no server, seen from a process that went on undisturbed."""
    out, err = finish(process)
    assert set(err.splitlines()) <= {NOTICE}
    return out


TRY = """
    try:
        asyncio.run(running_server())
    except ConfigurationError as error:
        print(error)
"""


@pytest.mark.at_most(1)
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
    assert "pip install -e '.[local]' in the project's folder" in ran.stdout
