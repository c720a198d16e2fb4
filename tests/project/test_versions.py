"""The versions that the project is tested with lie within those that it allows, at either end."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).parents[2]
TESTED = ("local", "deepseek", "dev")


def requirements(*extras: str) -> list[Requirement]:
    about = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*about["dependencies"], *(line for extra in extras for line in about["optional-dependencies"][extra])]
    return [Requirement(line) for line in named]


def pins(name: str) -> dict[str, Version]:
    lines = (PROJECT / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(package): Version(version) for package, version in pairs}


def test_what_is_pinned_is_allowed_and_nothing_is_missing() -> None:
    for file in ("constraints.txt", ".ci/constraints-lowest.txt"):
        pinned = pins(file)
        for wanted in requirements(*TESTED):
            assert pinned[canonicalize_name(wanted.name)] in wanted.specifier, (file, wanted)


def test_the_lowest_versions_are_the_lowest_that_are_allowed() -> None:
    pinned = pins(".ci/constraints-lowest.txt")
    for wanted in requirements(*TESTED):
        for lower in wanted.specifier:
            if lower.operator == ">=":
                # `>=2026.10` is met first by 2026.10.11549, and by no 2026.11.
                bound = Version(lower.version).release
                assert pinned[canonicalize_name(wanted.name)].release[: len(bound)] == bound, wanted
