"""What a request to the server may choose: nothing that reaches addresses, keys or files, unless the operator lists it.

Whoever calls the graph in Python runs it with their own environment and chooses freely; whoever sends a request uses
somebody else's. The operator is who sets the server's environment.
"""

from collections.abc import Collection, Mapping
from typing import Any

from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.environment import environment_endpoints, environment_settings

OPERATORS = ("base_url", "api_key_env", "prompts", "planner", "mcp_config")
"""Settings that are the operator's."""


def find_refusal(given: Mapping[str, Any]) -> str:
    """Say why a request may not choose these settings; empty where it may.

    Args:
        given: Settings by name, all of them valid ones.
    """
    operator, allowed = Settings(), environment_endpoints()
    address, variable = given.get("base_url"), given.get("api_key_env")
    if address is not None and address not in (operator.base_url, *allowed):
        return (
            "`base_url` is not a request's to choose, since the server's key would go there; whoever runs the server "
            "lists the addresses that requests may name in APR_ALLOW_ENDPOINTS"
        )
    if variable is not None and variable not in (operator.api_key_env, allowed.get(str(address))):
        return (
            "`api_key_env` is not a request's to choose; whoever runs the server pairs addresses with the variables "
            "of their keys in APR_ALLOW_ENDPOINTS"
        )
    if given.get("mcp_config") not in (None, operator.mcp_config):
        # The file names programs that are started.
        return "`mcp_config` is not a request's to choose, but of whoever runs the server"
    prompts = given.get("prompts")
    if prompts not in (None, "", operator.prompts) and "prompts" not in environment_settings():
        return "`prompts` is not a request's to choose, unless whoever runs the server lists it in APR_ALLOW_SETTINGS"
    if given.get("planner") not in (None, "", operator.planner):
        return (
            "`planner` is not a request's to choose, since loading a program runs its code; whoever runs the server "
            "names one in APR_PLANNER"
        )
    return "" if address in allowed else _crossing(given, operator)


def _crossing(given: Mapping[str, Any], operator: Settings) -> str:
    """Keep the key of one provider from the server that was set up for another."""
    if operator.base_url is None and operator.api_key_env is None:
        return ""
    used = {_provider(model) for model in operator.models()} | {"local"}
    for name, value in given.items():
        if name.endswith("model") and value and _provider(value) not in used:
            return (
                f"`{name}`: this server is set up for {', '.join(sorted(used))}, and a key of {_provider(value)} "
                "would go to where it does not belong"
            )
    return ""


def _provider(model: str) -> str:
    return model.partition(":")[0]


def for_request(settings: Settings, *, but: Collection[str] = ()) -> Settings:
    """Return the settings that a request gets.

    Args:
        settings: What it asks for.
        but: Settings of the operator's that it may choose all the same.

    Raises:
        ConfigurationError: It asks for what is the operator's to choose; the message says what and who may.
    """
    given = {name: value for name, value in settings.given.items() if value is not None or name not in OPERATORS}
    if why := find_refusal({name: value for name, value in given.items() if name not in but}):
        raise ConfigurationError(why)
    address, allowed = given.get("base_url"), environment_endpoints()
    if address not in allowed:
        return Settings(**given)
    variable = allowed[address]
    chosen = Settings(**given | {"api_key_env": variable})
    return chosen if variable else chosen.without_key()
