"""The `apr` command, run as a user runs it."""

import asyncio
import json
import os
import pty
import re
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.command import APR, PIPE, environment, launch
from tests.support.forked import PROJECT
from tests.support.server import DROP, HANG, STALL, Fault, ModelServer, outline, review

PARTS = ["What is the capital of France?", "What is 12 * 7?", "Who wrote Hamlet?"]
QUESTION = " ".join(PARTS)


class Ended(NamedTuple):
    status: int
    out: str
    err: str


Apr = Callable[..., Coroutine[Any, Any, Ended]]


@pytest.fixture
def apr(server: ModelServer) -> Apr:
    async def run(
        *arguments: str, stdin: bytes = b"", real: bool = False, folder: Path = PROJECT, **more: str
    ) -> Ended:
        process = await launch(*arguments, env=environment(server, **more), real=real, folder=folder)
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    return run


def split(server: ModelServer) -> None:
    server.on("assess", outline("1", "2", "3"))


async def test_the_answer_goes_to_standard_output_and_all_else_to_standard_error(server: ModelServer, apr: Apr) -> None:
    split(server)
    ended = await apr(QUESTION, real=True)
    assert (ended.status, ended.out) == (0, "All of it.\n")
    assert "T2 running: What is 12 * 7?" in ended.err
    assert "3/3 finished (3 answered)" in ended.err
    assert ended.err.splitlines()[-1].startswith(
        "complete: parallel route, 3 threads, 0 extra rounds, 5 calls, 75 tokens"
    )


async def test_a_partial_answer_ends_with_status_3(server: ModelServer, apr: Apr) -> None:
    split(server)
    server.on(PARTS[1], Fault(status=400))
    ended = await apr(QUESTION, APR_MAX_ROUNDS="0")
    assert ended.status == 3
    assert "3/3 finished (2 answered, 1 failed)" in ended.err
    assert ended.out == "All of it.\n" and "\napr: - T2 (What is 12 * 7?): failed: " in ended.err


async def test_a_failure_ends_with_status_1_and_its_reason(server: ModelServer, apr: Apr) -> None:
    server.on("assess", Fault(status=401))
    ended = await apr("Why?")
    assert (ended.status, ended.out) == (1, "")
    assert "HTTP 401" in ended.err and "Traceback" not in ended.err


async def test_json_is_the_whole_solution(server: ModelServer, apr: Apr) -> None:
    split(server)
    solution = json.loads((await apr(QUESTION, "--json")).out)
    assert solution["outcome"] == "complete" and len(solution["threads"]) == 3
    assert solution["report"]["tokens"]["total"] == 75


async def test_files_become_documents_that_only_their_threads_see(
    server: ModelServer, apr: Apr, tmp_path: Path
) -> None:
    names = ["cart.py", "login.py"]
    for name in names:
        (tmp_path / name).write_text(f"the whole text of {name}\n" * 60, encoding="utf-8")
    parts = [f"Which bugs does {name} have?" for name in names]
    server.on("assess", outline(*(f"{number}: {part}" for number, part in enumerate(parts, 1))))
    ended = await apr(
        "Find the bugs.", *(word for name in names for word in ("--file", str(tmp_path / name))), "-i", "Be strict."
    )
    assert ended.status == 0
    for name, other in zip(names, reversed(names), strict=True):
        (request,) = server.about(f"Which bugs does {name} have?")
        assert request.last.count(f"the whole text of {name}") == 60
        assert f"text of {other}" not in request.prompt
        assert "Be strict." in request.last and "Find the bugs." in request.last


async def test_a_dash_reads_the_question_from_standard_input(server: ModelServer, apr: Apr) -> None:
    await apr("-", stdin="Wie heißt du?\n".encode())
    assert server.calls("direct")[0].last.endswith("Question:\nWie heißt du?")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
async def test_text_is_read_in_every_encoding_that_says_its_name(
    server: ModelServer, apr: Apr, tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "a.txt").write_bytes("Größe:\r\n42 €".encode(encoding))
    ended = await apr("-", "--file", str(tmp_path / "a.txt"), "--sequential", stdin="Wie groß?\r\n".encode(encoding))
    (request,) = server.asked
    assert ended.status == 0 and "a.txt>\nGröße:\n42 €\n</document>" in request.last
    assert request.last.endswith("Question:\nWie groß?")


async def test_a_question_that_is_not_text_is_refused(server: ModelServer, apr: Apr) -> None:
    binary = "is a binary file"
    for given, said in ((b"\x7fELF\0", binary), (b"\xff\xfe\0\xd8", binary), (b"\xe9", "is not UTF-8 text")):
        ended = await apr("-", stdin=given)
        assert ended.status == 2 and f"QUESTION: standard input {said}" in ended.err
    assert server.asked == []


async def test_half_a_character_in_an_argument_is_replaced(server: ModelServer, apr: Apr) -> None:
    ended = await apr("Why \udce9?", "--sequential")
    assert ended.status == 0 and server.asked[0].last.endswith("Question:\nWhy \ufffd?")


async def test_sequential_asks_once(server: ModelServer, apr: Apr) -> None:
    split(server)
    ended = await apr(QUESTION, "--sequential")
    assert ended.status == 0 and [request.role for request in server.asked] == ["direct"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([" "], "`question` is blank"),
        (["x" * 100_001], "100,001 characters, the limit is 100,000"),
        (["x", "--max-parallel", "0"], "max_parallel: Input should be greater than or equal to 1 (given: '0')"),
        (["x", "--deadline", "0"], "deadline: Input should be greater than 0"),
        (["x", "--max-parallel", "many"], "max_parallel: Input should be a valid integer"),
        (["x", "--model", "foo:bar"], "unknown provider `foo`"),
        (["x", "--model", "gpt-5-mini"], "names no provider"),
        (["x", "--base-url", "localhost"], "base_url: `localhost` is not an address"),
        (["x", "--file", "{tmp}/none.txt"], "none.txt: no such file"),
        (["x", "--file", "{tmp}"], "the limit is 5,000,000"),
        (["x", "--file", "{tmp}/latin.txt"], "is not UTF-8 text"),
        (["x", "--file", "{tmp}/binary.bin"], "is a binary file"),
        (["x", "--file", "{tmp}/half.txt"], "is not UTF-16 text"),
        (["x", "-i", "x" * 100_001], "`instructions` has 100,001 characters, the limit is 100,000"),
        (["x", "--file", "{tmp}/empty.txt"], "is empty"),
        (["x", "--file", "{tmp}/big.txt"], "the limit is 5,000,000"),
        (["x", "--file", "{tmp}/*.none"], "matches no file"),
        (["x", "--no-such-option"], "No such option"),
    ],
)
async def test_bad_input_ends_with_status_2_and_no_call(
    server: ModelServer, apr: Apr, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "latin.txt").write_bytes("Größe".encode("latin-1"))
    (tmp_path / "binary.bin").write_bytes(b"\x7fELF\0\0")
    (tmp_path / "half.txt").write_bytes(b"\xff\xfea\x01\x01")
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    (tmp_path / "ok.txt").write_text("fine", encoding="utf-8")
    (tmp_path / "big.txt").write_text("x" * 5_000_001, encoding="utf-8")
    ended = await apr(*(argument.format(tmp=tmp_path) for argument in arguments), COLUMNS="200")
    assert ended.status == 2
    assert said in ended.err and "Traceback" not in ended.err
    assert server.asked == []


async def test_a_missing_key_is_named_before_anything_is_asked(server: ModelServer, apr: Apr) -> None:
    ended = await apr("x", APR_API_KEY_ENV="NO_SUCH_KEY")
    assert ended.status == 2 and "NO_SUCH_KEY is not set" in ended.err and server.asked == []


async def test_a_missing_file_of_certificates_is_told(server: ModelServer, apr: Apr) -> None:
    ended = await apr("x", SSL_CERT_FILE="/no/such/file")
    assert ended.status == 2 and "SSL_CERT_FILE, if it is set" in ended.err and "Traceback" not in ended.err


async def test_a_proxy_brings_no_word_of_libraries(server: ModelServer, apr: Apr) -> None:
    server.on("assess", outline())
    ended = await apr("Why?", ALL_PROXY="http://127.0.0.1:9", NO_PROXY="127.0.0.1")
    assert ended.status == 0 and server.calls("direct") and "langchain" not in ended.err, ended.err


async def test_interrupting_ends_at_once_and_leaves_nothing_open(server: ModelServer) -> None:
    split(server)
    for part in PARTS:
        server.on(part, HANG)
    process = await launch(QUESTION, env=environment(server))
    await server.wait_for(3, "solve")
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(20):  # far less than a request may take
        _, err = await process.communicate()
    said = err.decode().splitlines()
    assert process.returncode == 130 and re.fullmatch(r"apr: stopped; apr resume [0-9a-f]{16} goes on", said[-1])
    assert not any("kept no longer" in line for line in said)
    async with server.arrived:
        await asyncio.wait_for(server.arrived.wait_for(lambda: server.open == 0), 10)


async def test_a_terminal_shows_each_thread_while_it_runs(server: ModelServer) -> None:
    split(server)
    server.on(PARTS[2], HANG)
    screen, terminal = pty.openpty()
    process = await launch(QUESTION, env=environment(server, TERM="xterm", COLUMNS="100"), stderr=terminal)
    os.close(terminal)
    shown = ""
    async with asyncio.timeout(60):
        while "2/3 finished (2 answered)" not in shown or "Who wrote Hamlet?" not in shown:
            shown += (await asyncio.to_thread(os.read, screen, 65_536)).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    await process.communicate()
    os.close(screen)
    assert "T3" in shown and "running" in shown


async def test_a_terminal_shows_the_answer_while_it_is_written(server: ModelServer) -> None:
    server.on("assess", outline()).on("direct", DROP, STALL)
    screen, terminal = pty.openpty()
    process = await launch("Why?", env=environment(server, TERM="xterm", COLUMNS="100"), stderr=terminal)
    os.close(terminal)
    shown = ""
    async with asyncio.timeout(60):
        while not ("The answer is withdrawn: the answer is written anew" in shown and shown.count("Half of an") > 1):
            shown += (await asyncio.to_thread(os.read, screen, 65_536)).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    os.close(screen)
    assert out == b"" and all(request.body["stream"] for request in server.calls("direct"))


@pytest.mark.parametrize("how", [[], ["--json"], ["--sequential"]], ids=str)
async def test_a_pipe_gets_the_answer_once_and_whole(server: ModelServer, how: list[str]) -> None:
    server.on("assess", outline()).on("direct", "It is\nfour.")
    screen, terminal = pty.openpty()
    env = environment(server, TERM="xterm", COLUMNS="100")
    out = [await (await launch("Why?", *how, env=env, stderr=where)).communicate() for where in (terminal, PIPE)]
    os.close(terminal)
    watched, unwatched = ((json.loads(one)["answer"] if how == ["--json"] else one.decode()) for one, _ in out)
    assert watched == unwatched == ("It is\nfour." if how == ["--json"] else "It is\nfour.\n")
    assert [request.body["stream"] for request in server.calls("direct")] == [True, False]
    os.close(screen)


async def test_a_terminal_does_not_act_on_what_an_answer_holds(server: ModelServer, apr: Apr) -> None:
    hostile = "red \x1b[31m, title \x9d0;x\x9c, turned \u202eround"
    server.on("assess", outline()).on("direct", hostile)
    screen, terminal = pty.openpty()
    process = await launch("Why?", env=environment(server), stdout=terminal, stderr=asyncio.subprocess.DEVNULL)
    os.close(terminal)
    assert await process.wait() == 0
    shown = os.read(screen, 65_536).decode()
    os.close(screen)
    assert "turned" in shown and not set(shown) & {"\x1b", "\x9d", "\x9c", "\u202e"}
    assert (await apr("Why?")).out == "red [31m, title 0;x, turned \u202eround\n"


async def test_help_teaches_and_version_tells() -> None:
    help = await asyncio.create_subprocess_exec(APR, "--help", stdout=asyncio.subprocess.PIPE)
    out, _ = await help.communicate()
    assert help.returncode == 0
    for word in ("Examples", "--file", "--base-url", "Exit status"):
        assert word in out.decode()
    version = await asyncio.create_subprocess_exec(APR, "--version", stdout=asyncio.subprocess.PIPE)
    out, _ = await version.communicate()
    assert out.decode().startswith("apr 0.")


async def test_a_second_review_is_told_in_the_summary(server: ModelServer, apr: Apr) -> None:
    split(server)
    server.on("review", review("", "T2: it is 84"), review("Paris, 84, Shakespeare."))
    ended = await apr(QUESTION)
    assert ended.out == "Paris, 84, Shakespeare.\n"
    assert "3 threads, 1 extra rounds" in ended.err.splitlines()[-1]


async def test_compare_shows_what_one_call_would_have_taken(server: ModelServer, apr: Apr) -> None:
    split(server)
    server.on("direct", "All in one go.")
    ended = await apr(QUESTION, "--compare")
    assert (ended.status, ended.out) == (0, "All of it.\n")
    summary, line, *answer = ended.err[ended.err.index("complete: ") :].splitlines()
    assert "5 calls, 75 tokens" in summary
    assert line.startswith("baseline: one call, 15 tokens, ") and "tokens of the run / of one call 5.00" in line
    assert answer == ["", "All in one go."]


async def test_compare_and_sequential_exclude_each_other(server: ModelServer, apr: Apr) -> None:
    ended = await apr(QUESTION, "--compare", "--sequential")
    assert ended.status == 2 and "--compare" in ended.err and not server.asked
