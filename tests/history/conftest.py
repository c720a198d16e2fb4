"""What the tests of stores share: an empty store of either kind, and a cache of their own."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ModelServer, outline
from tests.support.services.postgres import Postgres
from tests.support.subjects.cache import PARTS


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store that is empty at first, of either kind."""
    if request.param == "sqlite":
        return str(tmp_path / "state" / "runs.sqlite")
    database: Postgres = request.getfixturevalue("database")
    name = f"of_{tmp_path.name}".lower().replace("-", "_").replace("[", "_").replace("]", "_")
    import psycopg

    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return database.url.replace("/postgres", f"/{name}")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache file of the test's own."""
    path = tmp_path / "kept" / "threads.sqlite"
    monkeypatch.setenv("APR_CACHE_FILE", str(path))
    return path


@pytest.fixture
def cached(server: ModelServer, context: dict[str, Any], file: Path) -> dict[str, Any]:
    """Settings with the cache; three threads read a document each."""
    server.on("assess", outline(*(f"{number}: {part}" for number, part in enumerate(PARTS, 1))))
    return {**context, "cache": True}
