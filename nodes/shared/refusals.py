"""How settings are refused: in words, and without what may be a key (pure)."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def refuse(title: str, said: str, given: Any) -> ValidationError:
    """Return the error that refuses what was given.

    Args:
        title: What was to be made of it.
        said: Why it is refused.
        given: What was given.
    """
    problem = PydanticCustomError("refused", "{said}", {"said": said})
    return ValidationError.from_exception_data(title, [{"type": problem, "input": given}])


def say_problems(error: ValidationError) -> list[str]:
    """Say of each wrong value its name, what is wrong and what was given."""
    said = []
    for detail in error.errors():
        name = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        # Texts are long, and their messages name what matters.
        given = detail["input"]
        brief = isinstance(given, int | float | str) and len(str(given)) <= 60 and str(given) not in message
        shown = f" (given: {given!r})" if brief else ""
        said.append(f"{name}: {message}{shown}" if name and f"`{name}`" not in message else f"{message}{shown}")
    return said


def without_key(error: ValidationError) -> ValidationError:
    """Leave out what was given as the *name* of the key's variable, where people put the key, and addresses."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("value_error", "{said}", {"said": item["msg"]}),
            loc=item["loc"],
            input="…" if _may_hold_key(item["loc"]) else item["input"],
        )
        for item in error.errors(include_url=False)
    ]
    return ValidationError.from_exception_data(error.title, details)


def _may_hold_key(where: tuple[int | str, ...]) -> bool:
    return str(where[0] if where else "").endswith(("api_key_env", "base_url"))
