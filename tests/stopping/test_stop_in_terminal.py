"""A person types in the terminal while a run goes on, and stops one of its threads."""

import asyncio
import os
import pty
import signal
import termios

from tests.support.command import environment, launch
from tests.support.server import HANG, STALL, ModelServer
from tests.support.subjects.stopping import BY_A_PERSON, PARTS, split
from tests.support.terminal import Terminal


async def in_terminal(server: ModelServer, *arguments: str) -> Terminal:
    screen, terminal = pty.openpty()
    env = environment(server, TERM="xterm", COLUMNS="100", LINES="24")
    process = await launch("What is it all?", *arguments, env=env, stdin=terminal, stderr=terminal)
    os.close(terminal)
    return Terminal(process, screen)


async def test_a_line_stops_a_thread_and_another_line_is_answered(server: ModelServer) -> None:
    split(server, *PARTS)
    server.on(PARTS[1], STALL)
    terminal = await in_terminal(server)
    before = termios.tcgetattr(terminal.screen)
    await terminal.until("s 2 ⏎ stops T2")
    await server.wait_for(3, "solve")
    terminal.write("sing\n")
    await terminal.until("`sing` is no command")
    terminal.write("s 9\n")
    await terminal.until("T9 is not at work")
    assert not server.about(PARTS[1])[0].ended
    terminal.write("s 2\n")
    await terminal.until(f"T2 ({PARTS[1]}): failed: {BY_A_PERSON}")
    out = await terminal.process.stdout.read() if terminal.process.stdout else b""
    assert (await terminal.process.wait(), out.decode()) == (3, "All of it.\n")
    assert server.about(PARTS[1])[0].dropped and termios.tcgetattr(terminal.screen) == before


async def test_ctrl_c_stops_the_run_and_leaves_the_terminal_as_it_was(server: ModelServer) -> None:
    split(server, *PARTS)
    server.on(PARTS[1], HANG)
    terminal = await in_terminal(server)
    before = termios.tcgetattr(terminal.screen)
    await terminal.until("s 2 ⏎ stops T2")
    terminal.process.send_signal(signal.SIGINT)
    await terminal.until("apr: stopped")
    assert await terminal.process.wait() == 130 and termios.tcgetattr(terminal.screen) == before
    await server.wait_until_idle()


async def test_where_nobody_can_type_nothing_is_read_or_offered(server: ModelServer) -> None:
    split(server, *PARTS)
    screen, terminal = pty.openpty()
    env = environment(server, TERM="xterm", COLUMNS="100")
    process = await launch("What is it all?", env=env, stdin=asyncio.subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    out, _ = await process.communicate(b"s 1\ns 2\ns 3\n")
    assert (process.returncode, out.decode()) == (0, "All of it.\n")
    shown = Terminal(process, screen)
    assert "stops" not in await shown.until("complete: parallel")


async def test_what_was_typed_before_a_dialogue_is_no_reply_to_it(server: ModelServer) -> None:
    split(server, *PARTS)
    server.on(PARTS[1], STALL)
    terminal = await in_terminal(server, "--oversight", "both")
    await terminal.type("approve")
    await terminal.until("s 2 ⏎ stops T2")
    terminal.write("s 2\n")
    told = await terminal.until("before it is used:")
    assert "The answer (partial)" in told
    await terminal.type("approve")
    assert await terminal.process.wait() == 3
