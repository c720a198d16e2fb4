"""A new version of a prompt, on disk beside the older ones."""

import json
from pathlib import Path
from typing import Any

import frontmatter

from prompts import Prompt, list_files, load


def write_version(prompt: Prompt, about: dict[str, Any], folder: Path) -> Path:
    """Write a prompt's file and its examples, and read them back to see that they are sound.

    Args:
        prompt: The new version.
        about: How it came about: optimiser, scores.
        folder: Where the prompts lie.

    Raises:
        PromptError: What was written is no sound prompt; the files are taken away again.
    """
    text = f"# System\n{prompt.system.strip()}\n\n# User\n{prompt.user.template.strip()}"
    head: dict[str, Any] = {"version": prompt.version, "variables": sorted(prompt.variables), "optimised": about}
    others = list_files(prompt.name, folder)
    path = (others[0].parent if others else folder) / f"{prompt.label}.md"
    examples = path.with_name(f"{prompt.label}.examples.jsonl")
    path.write_text(frontmatter.dumps(frontmatter.Post(text, **head)) + "\n", encoding="utf-8")
    lines = [
        json.dumps({"input": dict(given), "output": json.loads(wanted)}, ensure_ascii=False)
        for given, wanted in prompt.examples
    ]
    examples.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    try:
        load(prompt.label, folder)
    except ValueError:
        path.unlink()
        examples.unlink()
        raise
    return path


def next_version(name: str, folder: Path) -> int:
    """Number the version that comes next."""
    return 1 + max((int(path.stem.rpartition("@")[2]) for path in list_files(name, folder)), default=0)


def make_default(prompt: Prompt, folder: Path) -> None:
    """Let a version be the one in use where nobody names another."""
    path = folder / "defaults.json"
    chosen = json.loads(path.read_text(encoding="utf-8")) | {prompt.name: prompt.version}
    path.write_text(json.dumps(chosen) + "\n", encoding="utf-8")
