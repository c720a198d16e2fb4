"""Runs with the thread cache, of three threads that read a document each."""

from pathlib import Path
from typing import Any

from graphs import graph
from tests.support.server import ModelServer

PARTS = ["What does a.py do?", "What does b.py do?", "What does c.py do?"]
QUESTION = "What do these files do?"


def documents(**changed: str) -> list[dict[str, str]]:
    return [{"id": f"{name}.py", "text": changed.get(name, f"text of {name}")} for name in "abc"]


def there(file: Path) -> bool:
    return file.exists()


async def run(context: dict[str, Any], use: Any = graph, **more: Any) -> Any:
    return await use.ainvoke({"question": QUESTION, "documents": documents(), **more}, context=context)


async def calls_of_a_second_run(server: ModelServer, first: Any, second: Any) -> int:
    await first
    before = len(server.calls("solve"))
    await second
    return len(server.calls("solve")) - before
