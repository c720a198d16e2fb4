"""The prompts, loaded and checked when this package is imported.

A prompt is a Markdown file `<name>@<version>.md`, in a folder for what it belongs to. It has the version and its
variables in the front matter and two sections, `# System` and `# User`; its few-shot examples lie beside it as
`<name>@<version>.examples.jsonl`. Versions stay side by side; `defaults.json` names the one in use, a
setting may name another. What never varies comes first (system text, then the examples as turns of the
conversation), so that servers can reuse their prefix cache.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from glob import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import frontmatter
from pydantic import BaseModel
from yaml import YAMLError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

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

    def check(self, variables: Iterable[str], reply: type[BaseModel] | None = None) -> "Prompt":
        """Return this prompt if it fits the code that uses it.

        Args:
            variables: What the code passes.
            reply: The shape of the replies wanted; every example must fit it.

        Raises:
            PromptError: It does not.
        """
        if self.variables != set(variables):
            raise PromptError(
                f"prompt `{self.label}` has the variables {sorted(self.variables)}, the code passes {sorted(variables)}"
            )
        for number, (_, wanted) in enumerate(self.examples, 1):
            if reply is not None:
                try:
                    reply.model_validate_json(wanted)
                except ValueError as error:
                    raise PromptError(
                        f"example {number} of prompt `{self.label}` is no {reply.__name__}: {error}"
                    ) from error
        return self

    def messages(self, **values: str) -> "list[BaseMessage]":
        """Fill the prompt in."""
        from langchain_core.messages import HumanMessage

        # Copies, since a model or a callback of the user's may write into what it is given.
        fixed = [message.model_copy() for message in self._unvarying]
        return [*fixed, HumanMessage(self.user.substitute(values))]

    @cached_property
    def _unvarying(self) -> "list[BaseMessage]":
        # Loaded here, so that whoever reads settings or states need not wait for it.
        from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

        turns: list[BaseMessage] = [SystemMessage(self.system)]
        for given, wanted in self.examples:
            turns += [HumanMessage(self.user.substitute(given)), AIMessage(wanted)]
        return turns


def block(title: str, text: str) -> str:
    """Head a part of a prompt with its title; nothing at all when it is empty."""
    return f"{title}:\n{text.strip()}\n\n" if text.strip() else ""


@dataclass(frozen=True)
class Family:
    """All versions of one prompt."""

    versions: Mapping[int, Prompt]
    default: int

    @property
    def standard(self) -> Prompt:
        """The version in use where nobody names another."""
        return self.versions[self.default]

    def check(self, variables: Iterable[str], reply: type[BaseModel] | None = None) -> "Family":
        """Return this family if every version fits the code that uses it; see `Prompt.check`."""
        wanted = list(variables)
        for prompt in self.versions.values():
            prompt.check(wanted, reply)
        return self

    def choose(self, labels: str) -> Prompt:
        """Return the version that `labels` (see `read_versions`) names, else the standard one."""
        return self.versions[read_versions(labels).get(self.standard.name, self.default)]


def read_versions(labels: str) -> dict[str, int]:
    """Read labels such as `assess@1 review@2`, with spaces or commas between them.

    Raises:
        ValueError: A label is malformed or names a version that there is not.
    """
    chosen = {}
    for label in labels.replace(",", " ").split():
        name, _, version = label.partition("@")
        known = PROMPTS[name].versions if name in PROMPTS else {}
        if not (version.isdecimal() and int(version) in known):
            there = ", ".join(prompt.label for family in PROMPTS.values() for prompt in family.versions.values())
            raise ValueError(f"there is no prompt `{label}`; there are {there}")
        chosen[name] = int(version)
    return chosen


def load_families(folder: Path = FOLDER) -> dict[str, Family]:
    """Read all versions of all prompts that `defaults.json` names.

    Raises:
        PromptError: A prompt or the choice of the defaults is not as it should be.
    """
    try:
        defaults = dict(json.loads((folder / "defaults.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise PromptError(f"`defaults.json` cannot be read: {error}") from error
    families = {}
    for name, default in defaults.items():
        labels = sorted(path.stem for path in list_files(name, folder))
        versions = {prompt.version: prompt for prompt in (load(label, folder) for label in labels)}
        if default not in versions:
            raise PromptError(f"`defaults.json` names `{name}@{default}`, which there is not")
        families[name] = Family(versions, default)
    return families


def list_files(name: str, folder: Path = FOLDER) -> list[Path]:
    """List the files of all versions of a prompt; they lie in the folder or in one inside it."""
    return sorted(folder.rglob(f"{escape(name)}@*.md"))


def load(label: str, folder: Path = FOLDER) -> Prompt:
    """Read and check a prompt file and its examples.

    Args:
        label: Name and version, as in `assess@1`.
        folder: Where the files lie, or the folders that hold them.

    Raises:
        PromptError: The file cannot be read, or a section, a variable or an example is not as it should be.
    """
    try:
        prompt = _read(label, folder)
    except PromptError:
        raise
    except (OSError, ValueError, KeyError, TypeError, YAMLError) as error:
        raise PromptError(f"prompt `{label}` cannot be read: {type(error).__name__}: {error}") from error
    if not prompt.user.is_valid():
        raise PromptError(f"the text of prompt `{label}` holds a `$` that starts no variable; write `$$` for a dollar")
    written = [("text", prompt.user.get_identifiers())]
    written += [(f"example {number}", list(given)) for number, (given, _) in enumerate(prompt.examples, 1)]
    for where, names in written:
        if set(names) != prompt.variables:
            raise PromptError(f"the {where} of prompt `{label}` has {sorted(names)}, not {sorted(prompt.variables)}")
    return prompt


def _read(label: str, folder: Path) -> Prompt:
    path = next(folder.rglob(f"{escape(label)}.md"), folder / f"{label}.md")
    post = frontmatter.loads(path.read_text(encoding="utf-8"))
    system, found, user = post.content.partition("\n# User\n")
    if not found or not system.startswith("# System\n"):
        raise PromptError(f"prompt `{label}` needs the sections `# System` and `# User`, in this order")
    name, version = label.rsplit("@", 1)
    if int(str(post["version"])) != int(version):
        raise PromptError(f"prompt `{label}` says that it is version {post['version']}")
    return Prompt(
        name=name,
        version=int(version),
        variables=frozenset(post["variables"]),  # type: ignore[call-overload]
        system=system.removeprefix("# System\n").strip(),
        user=Template(user.strip()),
        examples=tuple(_examples(path.with_name(f"{label}.examples.jsonl"))),
    )


def _examples(path: Path) -> Iterable[tuple[dict[str, Any], str]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line.strip():
                item = json.loads(line)
                given, wanted = dict(item["input"]), item["output"]
                # Without blanks: models write as they are shown, and these would be a fifth of an outline.
                yield given, wanted if isinstance(wanted, str) else _compact(wanted)


def _compact(wanted: Any) -> str:
    return json.dumps(wanted, ensure_ascii=False, separators=(",", ":"))


PROMPTS = load_families()
