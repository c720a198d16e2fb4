"""Where models are reached, and with which keys."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field


def _join(value: Any) -> Any:
    """Write a list of addresses as the environment does: with commas between."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


Addresses = Annotated[str | list[str] | None, BeforeValidator(_join)]
"""One address of a model server, or several with commas between; a list of them is taken, too, and kept as text."""
KeyName = Annotated[str | None, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable that holds a key."""


class ServerKnobs(BaseModel):
    """Where models are reached, and with which keys."""

    base_url: Addresses = Field(
        None,
        description="Address of an OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`; of several, with "
        "commas between, the least loaded answers. Default: the provider's own, or OPENAI_BASE_URL.",
    )
    api_key_env: KeyName = Field(
        None,
        description="Name of the environment variable that holds the API key, never the key itself. Default: "
        "OPENAI_API_KEY or DEEPSEEK_API_KEY, by provider.",
    )
    assess_base_url: Addresses = Field(
        None, description="Servers of the role's own, if not `base_url`. They get the role's own key, and no other."
    )
    assess_api_key_env: KeyName = Field(None, description="Name of the variable with the role's own key.")
    decompose_base_url: Addresses = Field(None, description="The same for planning again.")
    decompose_api_key_env: KeyName = Field(None, description="The same for planning again.")
    solve_base_url: Addresses = Field(None, description="The same for threads and direct answers.")
    solve_api_key_env: KeyName = Field(None, description="The same for threads and direct answers.")
    easy_base_url: Addresses = Field(None, description="The same for `easy_model`.")
    easy_api_key_env: KeyName = Field(None, description="The same for `easy_model`.")
    review_base_url: Addresses = Field(None, description="The same for the review.")
    review_api_key_env: KeyName = Field(None, description="The same for the review.")
    fallback_base_url: Addresses = Field(None, description="The same for `fallback_model`.")
    fallback_api_key_env: KeyName = Field(None, description="The same for `fallback_model`.")
