"""What never varies in the roles' prompts, read into the embedded server once and kept on disk.

Reading is most of what a small machine does: rules and examples are 330 to 850 tokens a role, at some 80
a second on 2 cores. The server saves what it has read, and restores it in milliseconds in every slot and
in every later process. Kept are our own prompts only, nothing of what users ask.
"""

import hashlib
import json
import logging
import secrets
from pathlib import Path
from typing import Any

import httpx2
from langchain_core.messages import convert_to_openai_messages

from nodes.settings import Role
from prompts import PROMPTS

HELD: dict[Role, tuple[int, ...]] = {"assess": (1,), "decompose": (2,), "review": (3,), "solve": (4, 5, 6, 7)}
"""The slots in which a role's prompt is held; threads need it in as many as run at once. The first slot is
free for anything else, because the server takes it first."""
SERVER_SLOTS = 8

_log = logging.getLogger(__name__)


class PreparedPrompts:
    """The roles' prompts in one server."""

    def __init__(self, address: str, api_key: str, folder: Path | None, model: str) -> None:
        """Set out where the server is, where it keeps what it has read, and what tells its model apart."""
        self._folder, self._model = folder, model
        self._held: set[Role] = set()
        # Reading in has no time limit: it is not part of anybody's request.
        self._http = httpx2.Client(
            base_url=address, headers={"Authorization": f"Bearer {api_key}"}, timeout=None, trust_env=False
        )

    def restore(self) -> None:
        """Put back what earlier processes have read."""
        for role in HELD:
            file = self._saved(role)
            if file is not None:
                self._attempt(role, lambda role=role, file=file: self._put_back(role, file.name, HELD[role]))

    def prepare(self, role: Role) -> None:
        """Have the server read a role's prompt, unless it has; what fails here only costs time later."""
        if self._folder is not None and role not in self._held:
            self._attempt(role, lambda: self._read(role))

    def _attempt(self, role: Role, work: Any) -> None:
        try:
            work()
            self._held.add(role)
        except (httpx2.HTTPError, OSError) as error:
            _log.info("the prompt of `%s` is not held by the embedded server: %s", role, error)

    def _read(self, role: Role) -> None:
        assert self._folder is not None
        first, *others = HELD[role]
        self._post("/v1/chat/completions", messages=messages(role), max_tokens=1, id_slot=first)
        name = f"{role}-{secrets.token_hex(8)}"
        self._post(f"/slots/{first}?action=save", filename=name)
        written = self._folder / name
        saved = written.rename(self._folder / f"{self._stem(role)}-{_digest(written)}")
        for old in self._folder.glob(f"{role}-*"):
            if old != saved:
                old.unlink(missing_ok=True)
        self._put_back(role, saved.name, others)

    def _put_back(self, role: Role, name: str, slots: Any) -> None:
        for slot in slots:
            self._post(f"/slots/{slot}?action=restore", filename=name)

    def _post(self, path: str, **body: Any) -> None:
        self._http.post(path, json=body).raise_for_status()

    def _saved(self, role: Role) -> Path | None:
        """Return the role's file if it is whole: llama.cpp aborts on one that is damaged."""
        for file in self._folder.glob(f"{self._stem(role)}-*") if self._folder else ():
            try:
                if file.name.endswith(_digest(file)):
                    return file
            except OSError:
                continue
        return None

    def _stem(self, role: Role) -> str:
        """Name what the file depends on: the model, the server's version, the prompt."""
        content = json.dumps([self._model, messages(role)])
        return f"{role}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def messages(role: Role) -> list[dict[str, Any]]:
    """Return a role's messages up to the one that varies."""
    prompt = PROMPTS[role].standard
    fixed = prompt.messages(**dict.fromkeys(prompt.variables, ""))[:-1]
    return [dict(message) for message in convert_to_openai_messages(fixed)]


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
