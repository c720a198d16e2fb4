"""What a message that misses an extra says to install, and that the project has it."""

import ast
import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nodes.shared.install import how_to_install
from tests.support.command import environment
from tests.support.server import ModelServer

PROJECT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
FILES = [path for folder in ("graphs", "nodes", "prompts", "evals") for path in (PROJECT / folder).rglob("*.py")]
MAY_NAME_PIP = {"nodes/shared/install.py", "nodes/llm/servers/integrations.py"}
"""The hint itself, and LangChain's packages, which the index has."""


def test_every_hint_is_that_of_one_function_and_names_an_extra_that_there_is() -> None:
    named, elsewhere = [], set()
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if "pip install" in text:
            elsewhere.add(path.relative_to(PROJECT).as_posix())
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        named += [
            argument.value
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id == how_to_install.__name__
            for argument in call.args
            if isinstance(argument, ast.Constant)
        ]
    assert elsewhere == MAY_NAME_PIP
    assert len(named) >= 9 and set(named) <= EXTRAS.keys(), named
    assert how_to_install("mcp") == "pip install -e '.[mcp]' in the project's folder"


@pytest.mark.at_most(2)
@pytest.mark.parametrize(
    ("missing", "arguments", "settings", "said"),
    [
        ("mcp", ["mcp"], {}, "apr mcp needs an extra: pip install -e '.[mcp]' in the project's folder"),
        ("mcp", ["Hi."], {"APR_MCP_CONFIG": "FILE"}, "`mcp_config` needs an extra: pip install -e '.[mcp]'"),
        ("uvicorn", ["serve"], {}, "apr serve needs uvicorn: pip install -e '.[serve]' in the project's folder"),
        ("psycopg", ["runs", "--store", "postgresql://h/d"], {}, "need an extra: pip install -e '.[postgres]'"),
        ("redis", ["cache", "stats"], {"APR_REDIS_URL": "redis://127.0.0.1:1"}, "an extra: pip install -e '.[redis]'"),
        ("redis", ["doctor"], {"APR_REDIS_URL": "redis://127.0.0.1:1"}, "the extra `redis`: pip install -e '.[redis]'"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
async def test_the_command_says_how_what_is_missing_is_installed(
    server: ModelServer, tmp_path: Path, missing: str, arguments: list[str], settings: dict[str, str], said: str
) -> None:
    file = tmp_path / "servers.json"
    file.write_text('{"mcpServers": {"one": {"command": "nothing"}}}')
    given = {name: str(file) if value == "FILE" else value for name, value in settings.items()}
    # What stands as nothing among the modules is found and imported by nobody.
    code = f"import sys\nsys.modules[{missing!r}] = None\nfrom graphs.cli.main import main\nmain()"
    command = [sys.executable, "-c", code, *arguments]
    ended = await asyncio.to_thread(
        subprocess.run, command, cwd=PROJECT, env=environment(server, **given), capture_output=True, text=True
    )
    assert ended.returncode in (1, 2) and said in ended.stdout + ended.stderr, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr and not server.asked
