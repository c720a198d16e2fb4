"""The prompts, loaded and checked when this package is imported.

A prompt is a Markdown file with a version and its variables in the front matter and two sections,
`# System` and `# User`; its few-shot examples lie beside it as `<name>.examples.jsonl`. What never
varies comes first (system text, then the examples as turns of the conversation), so that servers can
reuse their prefix cache.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import frontmatter
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel
from yaml import YAMLError

FOLDER = Path(__file__).parent


class PromptError(ValueError):
    """A prompt file does not fit its own front matter or the code that uses it."""


@dataclass(frozen=True)
class Prompt:
    """A versioned prompt."""

    name: str
    version: int
    variables: frozenset[str]
    system: str
    user: Template
    examples: tuple[tuple[Mapping[str, str], str], ...] = ()
    """Pairs of variables and the reply wanted for them."""

    @property
    def label(self) -> str:
        """Name and version, for traces."""
        return f"{self.name}@{self.version}"

    def checked(self, variables: Iterable[str], reply: type[BaseModel] | None = None) -> "Prompt":
        """Return this prompt if it fits the code that uses it.

        Args:
            variables: What the code passes.
            reply: The shape of the replies wanted; every example must fit it.

        Raises:
            PromptError: It does not.
        """
        if self.variables != set(variables):
            raise PromptError(
                f"prompt `{self.name}` has the variables {sorted(self.variables)}, the code passes {sorted(variables)}"
            )
        for number, (_, wanted) in enumerate(self.examples, 1):
            if reply is not None:
                try:
                    reply.model_validate_json(wanted)
                except ValueError as error:
                    raise PromptError(
                        f"example {number} of prompt `{self.name}` is no {reply.__name__}: {error}"
                    ) from error
        return self

    def messages(self, **values: str) -> list[BaseMessage]:
        """Fill the prompt in."""
        turns: list[BaseMessage] = [SystemMessage(self.system)]
        for given, wanted in self.examples:
            turns += [HumanMessage(self.user.substitute(given)), AIMessage(wanted)]
        return [*turns, HumanMessage(self.user.substitute(values))]


def block(title: str, text: str) -> str:
    """Head a part of a prompt with its title; nothing at all when it is empty."""
    return f"{title}:\n{text.strip()}\n\n" if text.strip() else ""


def load(name: str, folder: Path = FOLDER) -> Prompt:
    """Read and check a prompt file and its examples.

    Raises:
        PromptError: The file cannot be read, or a section, a variable or an example is not as it should be.
    """
    try:
        prompt = _read(name, folder)
    except PromptError:
        raise
    except (OSError, ValueError, KeyError, TypeError, YAMLError) as error:
        raise PromptError(f"prompt `{name}` cannot be read: {type(error).__name__}: {error}") from error
    if not prompt.user.is_valid():
        raise PromptError(f"the text of prompt `{name}` holds a `$` that starts no variable; write `$$` for a dollar")
    written = [("text", prompt.user.get_identifiers())]
    written += [(f"example {number}", list(given)) for number, (given, _) in enumerate(prompt.examples, 1)]
    for where, names in written:
        if set(names) != prompt.variables:
            raise PromptError(f"the {where} of prompt `{name}` has {sorted(names)}, not {sorted(prompt.variables)}")
    return prompt


def _read(name: str, folder: Path) -> Prompt:
    post = frontmatter.loads((folder / f"{name}.md").read_text(encoding="utf-8"))
    system, found, user = post.content.partition("\n# User\n")
    if not found or not system.startswith("# System\n"):
        raise PromptError(f"prompt `{name}` needs the sections `# System` and `# User`, in this order")
    return Prompt(
        name=name,
        version=int(str(post["version"])),
        variables=frozenset(post["variables"]),  # type: ignore[call-overload]
        system=system.removeprefix("# System\n").strip(),
        user=Template(user.strip()),
        examples=tuple(_examples(folder / f"{name}.examples.jsonl")),
    )


def _examples(path: Path) -> Iterable[tuple[dict[str, Any], str]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line.strip():
                item = json.loads(line)
                given, wanted = dict(item["input"]), item["output"]
                yield given, wanted if isinstance(wanted, str) else json.dumps(wanted, ensure_ascii=False)


PROMPTS = {name: load(name) for name in ("assess", "decompose", "solve", "review", "refine", "direct")}
