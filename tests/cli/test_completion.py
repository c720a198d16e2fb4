"""`apr completion`: what shells make of the Tab key, in shells that are really there."""

import asyncio
import os
import pty
import shutil
import sys
from pathlib import Path

import pytest

from nodes.settings import Settings
from tests.support.command import PIPE, apr, environment, start
from tests.support.forked import PROJECT
from tests.support.server import HANG, ModelServer
from tests.support.subjects.runs import at_rest
from tests.support.terminal import Terminal

# Called as bash does: the words, the number of the one that is typed, and the function with three of them.
BASH = """\
eval "$(apr completion bash)"
ask() {
    COMP_WORDS=(apr "$@"); COMP_CWORD=$#; COMPREPLY=()
    _apr apr "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
    (IFS=' '; echo "${COMPREPLY[*]}")
}
"""


def shell_environment(server: ModelServer, **more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return environment(server, PATH=path, PYTHONPATH=str(PROJECT), **more)


async def complete(server: ModelServer, *cases: str, folder: Path = PROJECT, **more: str) -> list[list[str]]:
    """Complete the last word of each case in bash; returns what came for each."""
    script = BASH + "".join(f"ask {case}\n" for case in cases)
    process = await asyncio.create_subprocess_exec(
        *("bash", "--norc", "-c", script), cwd=folder, env=shell_environment(server, **more), stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    assert err == b"" and server.asked == []
    return [line.split() for line in out.decode().splitlines()]


async def offered(server: ModelServer, *words: str, shell: str = "fish", **more: str) -> list[str]:
    """Return what is offered for the last of some words, to a shell that does not split them."""
    status, out, err = await apr(server, "completion", shell, "--", *words, **more)
    assert (status, err) == (0, "") and server.asked == []
    return out.split()


async def test_bash_completes_commands_options_and_values(server: ModelServer) -> None:
    first, options, value, subcommand = await complete(server, "''", "'Why?' --max", "--set oversight = a", "cache c")
    assert {"report", "resume", "runs", "show", "doctor", "completion"} <= set(first) and "--help" not in first
    assert (options, value, subcommand) == (["--max-cost", "--max-parallel"], ["answer"], ["clear"])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["re"], ["report", "resume"]),
        (["prune", "--"], ["--help", "--keep", "--older-than", "--store"]),
        (["--set", "max_t"], [f"{name}=" for name in sorted(Settings.model_fields) if name.startswith("max_t")]),
        (["--set", "oversight=a"], ["oversight=answer"]),
        (["--set", "cache=t"], ["cache=true"]),
        (["--oversight=p"], ["--oversight=plan"]),
        (["Why?", "--set=spl"], ["--set=split="]),
        (["completion", "f"], ["fish"]),
        (["nothing", "like", "it"], []),
        (["--nothing=a"], []),
        (["--set", "nothing=a"], []),
        (["--model", "local", "W"], []),
    ],
    ids=lambda value: " ".join(value),
)
async def test_words_that_are_not_split_are_completed_whole(
    server: ModelServer, words: list[str], found: list[str]
) -> None:
    assert await offered(server, *words) == found


async def test_ids_of_runs_are_completed_where_a_command_takes_them(server: ModelServer, tmp_path: Path) -> None:
    place = str(tmp_path / "runs.sqlite")
    assert (await apr(server, "Why?", "--store", place))[0] == 0
    server.on("direct", HANG)
    process = await start(server, "And now?", "--store", place)
    await server.wait_for(2, "direct")
    process.kill()
    await process.communicate()
    stopped, ended = [entry.id for entry in await at_rest(place)]
    server.asked.clear()
    (tmp_path / "old.json").write_text("{}")
    assert await complete(server, "report ''", folder=tmp_path, APR_STORE=place) == [[ended, "old.json"]]
    assert await offered(server, "show", "", APR_STORE=place) == [ended]
    assert await offered(server, "resume", stopped[:4], APR_STORE=place) == [stopped]
    assert await offered(server, "cancel", "", APR_STORE=place) == []
    assert await offered(server, "report", ended, "", "--store") == ["--store"]
    assert await offered(server, "show", "--store", place, ended[:4]) == [ended]
    assert await offered(server, "show", f"--store={tmp_path}/nowhere.sqlite", "") == []
    assert not (tmp_path / "nowhere.sqlite").exists()


async def test_the_tab_key_completes_in_a_terminal(server: ModelServer, tmp_path: Path) -> None:
    screen, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *("bash", "--norc", "--noprofile", "-i"),
        env=shell_environment(server, TERM="dumb", INPUTRC="/dev/null", PS1="ready> "),
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        terminal = Terminal(process, screen)
        await terminal.until("ready> ")
        terminal.write('eval "$(apr completion bash)"; echo do"ne"\n')
        await terminal.until("done\r\n")
        terminal.write("apr --set overs\t")
        await terminal.until("oversight=")  # and no blank behind it
        terminal.write("pl\t")
        await terminal.until("plan ")
        terminal.write("'Why?' --seq\t")
        await terminal.until("--sequential ")
    finally:
        process.kill()
        await process.wait()
        os.close(screen)
    assert server.asked == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_each_shell_can_read_its_script(server: ModelServer, tmp_path: Path, shell: str) -> None:
    status, script, _ = await apr(server, "completion", shell)
    assert status == 0 and script.count("apr completion") == 1
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script)
    read = await asyncio.create_subprocess_exec(shell, "-n", str(tmp_path / "script"), stderr=PIPE)
    assert (await read.communicate())[1] == b"" and read.returncode == 0


async def test_no_shell_and_an_unknown_one_are_told_which_there_are(server: ModelServer) -> None:
    assert "apr completion bash" in (await apr(server, "completion"))[1]
    status, out, err = await apr(server, "completion", "tcsh")
    assert (status, out) == (2, "") and "'fish'" in err
    status, _, err = await apr(server, "completoin", "bash")
    assert status == 2 and server.asked == []
    assert "did you mean `apr completion`?" in (await apr(server, "completoin"))[2]
    assert "apr completion" in (await apr(server, "--help"))[1] and server.asked == []
