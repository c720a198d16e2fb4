"""A person approves, edits or rejects plans and answers in a terminal."""

import os
import pty
import re

from tests.support.command import apr, environment, launch
from tests.support.server import ModelServer
from tests.support.subjects.oversight import PARTS, QUESTION
from tests.support.terminal import Terminal


async def in_terminal(server: ModelServer, *arguments: str) -> Terminal:
    screen, terminal = pty.openpty()
    process = await launch(
        *arguments, env=environment(server, TERM="dumb", COLUMNS="120"), stdin=terminal, stderr=terminal
    )
    os.close(terminal)
    return Terminal(process, screen)


async def test_a_terminal_is_a_dialogue(split: ModelServer) -> None:
    split.on(PARTS[0], "Result: 1", "Result: one")
    terminal = await in_terminal(split, QUESTION["question"], "--oversight", "both")
    assert "tokens" in await terminal.until("expected, a guess):")
    await terminal.type("help")
    await terminal.until("merge T1 T2 [T3 …]")
    await terminal.type("drop T9")
    await terminal.until("That cannot be: edit 1 (drop): there is no thread `T9`")
    await terminal.type("sing T1")
    await terminal.until("`sing T1` is none of these")
    await terminal.type("drop T3")
    await terminal.type("undo")
    await terminal.until("3 threads")
    await terminal.type("merge T2 T3")
    await terminal.type("reword T2 What are both?")
    await terminal.type("add What is four? reads 1 2")
    await terminal.type("sources T1 1 3")
    await terminal.type("parallel 2")
    await terminal.until("3 threads, 2 at once")
    assert not split.calls("solve")
    await terminal.type("approve")
    await terminal.until("The answer (complete), before it is used:")
    assert {request.key for request in split.calls("solve")} == {"What is one?", "What are both?", "What is four?"}
    await terminal.type("send T1 In words.")
    await terminal.until("before it is used:")
    await terminal.type("edit Mine, then.")
    out = await terminal.process.stdout.read() if terminal.process.stdout else b""
    assert (await terminal.process.wait(), out.decode()) == (0, "Mine, then.\n")
    assert "In words." in split.about(PARTS[0])[1].last


async def test_who_quits_can_resume(split: ModelServer) -> None:
    terminal = await in_terminal(split, QUESTION["question"], "--oversight", "plan")
    await terminal.type("reject Shorter.")
    await terminal.type("quit")
    told = await terminal.until("goes on")
    found = re.search(r"apr resume ([0-9a-f]{16}) ", told)
    assert found and await terminal.process.wait() == 143 and not split.calls("solve")
    again = await in_terminal(split, "resume", found[1])
    await again.type("approve")
    out = await again.process.stdout.read() if again.process.stdout else b""
    assert (await again.process.wait(), out.decode()) == (0, "All of it.\n") and len(split.calls("assess")) == 1


async def test_estimates_rest_on_runs_that_were_kept(split: ModelServer) -> None:
    for _ in range(2):
        assert (await apr(split, QUESTION["question"]))[0] == 0
    terminal = await in_terminal(split, QUESTION["question"], "--oversight", "plan")
    told = await terminal.until("calls of earlier runs):")
    assert told.endswith("expected, from 8 ") and " s expected" in told
    await terminal.type("quit")
    assert await terminal.process.wait() == 143


async def test_without_a_terminal_nobody_is_asked(server: ModelServer) -> None:
    status, _, err = await apr(server, "Why?", "--oversight", "plan")
    assert status == 2 and "asks in a terminal, and standard input is none" in err and not server.asked
