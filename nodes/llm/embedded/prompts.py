"""What never varies in our prompts, read into the embedded server once and kept on disk.

Reading is most of what a small machine does: rules and examples are up to 500 tokens a prompt, at some 70
a second on 2 cores. The server saves what it has read, and puts it into any slot in milliseconds, also in
later processes. Kept are our own prompts only, nothing of what users ask.
"""

import asyncio
import hashlib
import json
import logging
import secrets
import threading
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
from langchain_core.messages import convert_to_openai_messages

from nodes.llm.endpoints.once import Once
from prompts import PROMPTS, Prompt

_log = logging.getLogger(__name__)


class PreparedPrompts:
    """The prompts that have examples, of one server; the others are short."""

    def __init__(self, address: str, api_key: str, folder: Path | None, model: str, *, reader: int) -> None:
        """Set out where the server is and what is kept.

        Args:
            address: The server's.
            api_key: The server's.
            folder: Where the server keeps what it has read; `None` if it cannot.
            model: What tells its model apart, its version and its parameters.
            reader: The slot in which prompts are read in.
        """
        self._folder, self._model, self._reader = folder, model, reader
        self._reading = threading.Lock()
        every = [prompt for family in PROMPTS.values() for prompt in family.versions.values() if prompt.examples]
        self._stems = {prompt.label: self._stem(prompt) for prompt in every}
        self._files = {prompt.label: Once(partial(self._file, prompt)) for prompt in every if folder}
        # Reading in has no time limit: it is not part of anybody's request.
        self._http = httpx2.Client(
            base_url=address, headers={"Authorization": f"Bearer {api_key}"}, timeout=None, trust_env=False
        )

    async def read(self, label: str) -> str | None:
        """Have a prompt read in, unless it was; what fails here only costs time later.

        Args:
            label: The prompt's name and version.

        Returns:
            The name of the file that holds it; `None` where it is not held.
        """
        if label in self._files:
            try:
                return await self._files[label].result()
            except (httpx2.HTTPError, OSError) as error:
                _log.info("`%s` is not held by the embedded server: %s", label, error)
        return None

    async def put_into(self, slot: int, label: str) -> bool:
        """Put a prompt into a free slot; see `read`.

        Returns:
            False where there was no room for it: what other slots hold has to be removed first.
        """
        if (name := await self.read(label)) is None:
            return True
        return await self._on_slot(slot, "restore", filename=name)

    async def empty(self, slot: int) -> None:
        """Remove what a free slot holds."""
        await self._on_slot(slot, "erase")

    async def _on_slot(self, slot: int, action: str, **body: Any) -> bool:
        try:
            await asyncio.to_thread(self._post, f"/slots/{slot}?action={action}", **body)
        except httpx2.HTTPError as error:
            _log.info("slot %d of the embedded server, %s: %s", slot, action, error)
            return False
        return True

    def _file(self, prompt: Prompt) -> str:
        """Return the name of the prompt's file, which is written if there is none."""
        assert self._folder is not None
        stem = self._stems[prompt.label]
        if (file := self._whole(stem)) is not None:
            return file.name
        with self._reading:
            self._post("/v1/chat/completions", messages=messages(prompt), max_tokens=1, id_slot=self._reader)
            name = f"{stem}-{secrets.token_hex(8)}"
            self._post(f"/slots/{self._reader}?action=save", filename=name)
            self._post(f"/slots/{self._reader}?action=erase")
        written = self._folder / name
        saved = written.rename(self._folder / f"{stem}-{_digest(written)}")
        self._clear(saved, stem)
        return saved.name

    def _clear(self, saved: Path, stem: str) -> None:
        """Remove what is half written, and what belongs to no prompt, model or server in use."""
        others = tuple(set(self._stems.values()) - {stem})
        for old in saved.parent.iterdir():
            if old != saved and not old.name.startswith(others):
                old.unlink(missing_ok=True)

    def _post(self, path: str, **body: Any) -> None:
        self._http.post(path, json=body).raise_for_status()

    def _whole(self, stem: str) -> Path | None:
        """Return a file that is whole: llama.cpp aborts on one that is damaged."""
        assert self._folder is not None
        for file in self._folder.glob(f"{stem}-*"):
            try:
                if file.name.endswith(_digest(file)):
                    return file
            except OSError:
                continue
        return None

    def _stem(self, prompt: Prompt) -> str:
        """Name what the file depends on: the model, the server's version and parameters, the prompt."""
        content = json.dumps([self._model, messages(prompt)])
        return f"{prompt.label}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def messages(prompt: Prompt) -> list[dict[str, Any]]:
    """Return a prompt's messages up to the one that varies."""
    fixed = prompt.messages(**dict.fromkeys(prompt.variables, ""))[:-1]
    return [dict(message) for message in convert_to_openai_messages(fixed)]


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
