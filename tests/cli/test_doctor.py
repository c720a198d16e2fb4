"""`apr doctor`, `apr models`, and words that are nearly commands: each thing is missing in turn."""

import socket

import pytest

from tests.support.command import apr, launch
from tests.support.command import environment as in_use
from tests.support.server import ModelServer

KEY = "sk-0123456789abcdefghij"


async def lines(server: ModelServer, **environment: str) -> tuple[int, dict[str, str]]:
    """Run it; returns its status, and its lines by what they are about."""
    # What is read as it is imported needs a process that has imported nothing yet.
    real = any(name.startswith("LANGSMITH_") for name in environment)
    process = await launch("doctor", env=in_use(server, **environment), real=real)
    out, err = await process.communicate()
    assert err == b"" and server.asked == [] and process.returncode is not None
    return process.returncode, {line[6:].partition(": ")[0]: line for line in out.decode().splitlines()}


async def test_nothing_is_to_be_mended_where_nothing_is_missing(server: ModelServer) -> None:
    status, found = await lines(server)
    assert status == 0 and not [line for line in found.values() if line.startswith("mend")]
    assert found["model openai:scripted"].startswith(f"ok    model openai:scripted: {server.url} offers it")
    assert {"settings", "tokens", "saved runs", "server", "tracing"} <= set(found)


MISSING = {
    "a misspelt variable": ({"APR_MAX_PARALEL": "4"}, "settings", "did you mean `APR_MAX_PARALLEL`?"),
    "a value out of bounds": ({"APR_MAX_PARALLEL": "999"}, "settings", "less than or equal to 64"),
    "a key": (
        {"APR_BASE_URL": "", "OPENAI_BASE_URL": ""},
        "model openai:scripted",
        "the environment variable OPENAI_API_KEY is not set; set it",
    ),
    "the server": (
        {"APR_BASE_URL": "http://127.0.0.1:1/v1"},
        "model openai:scripted",
        "cannot be reached (",
    ),
    "the model": ({"APR_MODEL": "openai:none"}, "model openai:none", "does not offer it: `apr models` lists"),
    "a tokens' form": ({"APR_TOKENS": "ann:short"}, "tokens", "the least is 16"),
    "a tracer's key": ({"LANGSMITH_TRACING": "true"}, "tracing", "set LANGSMITH_API_KEY"),
    "a place for runs": ({"APR_STORE": "/dev/null/runs.sqlite"}, "saved runs", "name another place in APR_STORE"),
    "an embedded model's file": ({"APR_MODEL": "local", "APR_LOCAL_GGUF": "/none.gguf"}, "model local", "local"),
    "a price": ({"APR_MAX_COST": "1"}, "prices", "`max_cost` needs the price of every model"),
    "an engine's form": ({"APR_ENGINE": "http://x"}, "workers", "is no address of a Temporal server"),
    "an engine": ({"APR_ENGINE": "temporal://127.0.0.1:1"}, "workers", ""),
    "a file of tools": ({"APR_MCP_CONFIG": "/none.json"}, "tools", "No such file"),
}


@pytest.mark.parametrize(("environment", "what", "words"), MISSING.values(), ids=list(MISSING))
async def test_each_thing_that_is_missing_has_a_line(
    server: ModelServer, environment: dict[str, str], what: str, words: str
) -> None:
    status, found = await lines(server, **environment)
    assert status == 1 and found[what].startswith("mend") and words.lower() in found[what].lower()
    assert [line for line in found.values() if line.startswith("mend")] == [found[what]]


async def test_a_key_that_is_refused_is_not_shown(server: ModelServer) -> None:
    server.refuses_key = True
    status, found = await lines(server, OPENAI_API_KEY=KEY)
    line = found["model openai:scripted"]
    assert status == 1 and "refuses the key in OPENAI_API_KEY (HTTP 401)" in line and KEY not in "".join(found.values())


async def test_a_port_that_is_taken_is_a_note(server: ModelServer) -> None:
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", 2024))
            taken.listen()
        except OSError:
            pass  # by another program, which is what this asks for
        status, found = await lines(server)
    assert status == 0 and found["server"].startswith("note  server: port 2024 is taken")


async def test_models_are_listed_as_names_for_the_option(server: ModelServer) -> None:
    assert await apr(server, "models") == (0, "openai:other\nopenai:scripted\nlocal\n", "")
    status, out, err = await apr(server, "models", APR_BASE_URL="http://127.0.0.1:1/v1")
    assert (status, out) == (1, "local\n") and "cannot be reached" in err


@pytest.mark.parametrize(("word", "meant"), [("docter", "doctor"), ("model", "models"), ("Reports", "report")])
async def test_a_slip_of_a_command_is_no_question(server: ModelServer, word: str, meant: str) -> None:
    status, out, err = await apr(server, word)
    assert (status, out, server.asked) == (2, "", []) and f"did you mean `apr {meant}`?" in err
    assert (await apr(server, "--", word))[0] == 0 and server.asked


@pytest.mark.parametrize("question", ["Why?", "What does a doctor do?", "runs?"])
async def test_questions_are_asked(server: ModelServer, question: str) -> None:
    assert (await apr(server, question))[0] == 0 and server.asked
