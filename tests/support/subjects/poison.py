"""Stored values that would run something if they were read carelessly."""

import json
from pathlib import Path
from typing import Any

import ormsgpack


class Poison:
    """A value that a msgpack extension turns into a call of a function, when LangGraph's own serializer reads it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark
        self.values = [
            ("msgpack", self._call(0, ("pathlib", "Path.touch", str(mark)))),
            ("msgpack", self._call(0, ("os", "mkdir", str(mark)))),
            ("msgpack", self._call(1, ("os", "makedirs", [str(mark)]))),
            ("msgpack", self._call(2, ("os", "makedirs", {"name": str(mark)}))),
            ("msgpack", self._call(4, ("os", "mkdir", {"path": str(mark)}))),
            ("msgpack", self._call(5, ("os", "makedirs", {"name": str(mark)}, "model_validate"))),
            ("json", json.dumps({"lc": 2, "type": "constructor", "id": ["os", "mkdir"], "args": [str(mark)]}).encode()),
            ("pickle", f"cos\nmkdir\n(V{mark}\ntR.".encode()),
            ("plain-json", b"[" * 100_000),
            ("plain-json", b'{"answer": 1}'),
            ("", b""),
        ]

    @staticmethod
    def _call(code: int, said: Any) -> bytes:
        return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(said)))
