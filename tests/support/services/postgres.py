"""A PostgreSQL server of the tests' own, from the programs that the machine has."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.services.ports import free_port

PROGRAMS = ("initdb", "pg_ctl", "postgres")


def programs() -> Path | None:
    """Find the folder of the server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found += [Path(named).parent] if (named := shutil.which("initdb")) else []
    return next((folder for folder in found if all((folder / name).exists() for name in PROGRAMS)), None)


class Postgres:
    """A server.

    Attributes:
        url: Its address.
    """

    def __init__(self, folder: Path, bin: Path) -> None:
        """Make a database in an empty folder."""
        self.folder, self.bin = folder, bin
        # The server refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        self._run("initdb", "-D", str(folder / "data"), "-U", "apr", "--auth=trust", "--no-sync")
        self.port = free_port()
        self.url = f"postgresql://apr:secret-word@127.0.0.1:{self.port}/postgres"
        self.running = False

    def start(self) -> None:
        """Start it, and wait until it answers."""
        where = f"-k {self.folder} -h 127.0.0.1 -p {self.port} -c fsync=off"
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", "-o", where, "start")
        self.running = True

    def stop(self) -> None:
        """Stop it at once."""
        if self.running:
            self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
            self.running = False

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.bin / program), *arguments],
            check=True,
            user=self.user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server.

    Raises:
        LookupError: The machine has no programs of it.
    """
    bin = programs()
    if bin is None:
        raise LookupError(f"PostgreSQL's server programs ({', '.join(PROGRAMS)}) are not installed")
    # Not pytest's folder, which other users may not enter.
    with tempfile.TemporaryDirectory(prefix="apr-postgres-") as folder:
        server = Postgres(Path(folder), bin)
        try:
            server.start()
            yield server
        finally:
            server.stop()
