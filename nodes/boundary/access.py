"""What a request to the server may choose: nothing that reaches addresses, keys or files, unless the operator lists it.

Whoever calls the graph in Python runs it with their own environment and chooses freely; whoever sends a request uses
somebody else's. The operator is who sets the server's environment.
"""

from collections.abc import Collection, Mapping
from typing import Any

from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import SEATS, Seat, Settings, address_field, key_field
from nodes.shared.environment import environment_endpoints, environment_settings
from nodes.shared.providers.integrations import INTEGRATIONS
from nodes.shared.providers.known import OWN

OPERATORS = (*map(address_field, SEATS), *map(key_field, SEATS), "extra_body", "prompts", "planner", "mcp_config")
"""Settings that are the operator's."""


def find_refusal(given: Mapping[str, Any]) -> str:
    """Say why a request may not choose these settings; empty where it may.

    Args:
        given: Settings by name, all of them valid ones.
    """
    operator, allowed = Settings(), environment_endpoints()
    for seat in SEATS:
        if why := _find_theft(seat, given, operator, allowed):
            return why
    if given.get("mcp_config") not in (None, operator.mcp_config):
        # The file names programs that are started.
        return "`mcp_config` is not a request's to choose, but of whoever runs the server"
    if given.get("extra_body") not in (None, operator.extra_body) and "extra_body" not in environment_settings():
        return (
            "`extra_body` is not a request's to choose, unless whoever runs the server lists it in APR_ALLOW_SETTINGS"
        )
    prompts = given.get("prompts")
    if prompts not in (None, "", operator.prompts) and "prompts" not in environment_settings():
        return "`prompts` is not a request's to choose, unless whoever runs the server lists it in APR_ALLOW_SETTINGS"
    if given.get("planner") not in (None, "", operator.planner):
        return (
            "`planner` is not a request's to choose, since loading a program runs its code; whoever runs the server "
            "names one in APR_PLANNER"
        )
    return _crossing(given, operator, paired=given.get("base_url") in allowed)


def _find_theft(seat: Seat, given: Mapping[str, Any], operator: Settings, allowed: Mapping[str, str | None]) -> str:
    """Say why a request may not choose a role's servers and key; one address, or the operator's own list."""
    at, by = address_field(seat), key_field(seat)
    address, variable = given.get(at), given.get(by)
    if address is not None and address not in (getattr(operator, at), *allowed):
        return (
            f"`{at}` is not a request's to choose, since the server's key would go there; whoever runs the server "
            "lists the addresses that requests may name in APR_ALLOW_ENDPOINTS"
        )
    if variable is not None and variable not in (getattr(operator, by), allowed.get(str(address))):
        return (
            f"`{by}` is not a request's to choose; whoever runs the server pairs addresses with the variables "
            "of their keys in APR_ALLOW_ENDPOINTS"
        )
    return ""


def _crossing(given: Mapping[str, Any], operator: Settings, *, paired: bool) -> str:
    """Keep the key of one provider from the server that was set up for another, and out what nobody set up."""
    chosen = {name: _provider(value) for name, value in given.items() if name.endswith("model") and value}
    ours = {_provider(model) for model in operator.models()}
    for name, provider in chosen.items():
        if provider in INTEGRATIONS and provider not in ours:
            return f"`{name}`: models of {provider} are not a request's to choose, unless the server's own settings do"
    if paired or not any(getattr(operator, name(seat)) for seat in SEATS for name in (address_field, key_field)):
        return ""
    used = ours | {"local", OWN}
    for name, provider in chosen.items():
        if provider not in used:
            return (
                f"`{name}`: this server is set up for {', '.join(sorted(used))}, and a key of {provider} "
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
    allowed = environment_endpoints()
    # Each address that the operator lists gets the key that is listed with it, whatever else the environment names.
    paired: dict[str, Any] = {
        key_field(seat): allowed[address] for seat in SEATS if (address := given.get(address_field(seat))) in allowed
    }
    if key_field("general") not in paired:
        return Settings(**given | paired)
    own = Settings(**given)
    at_general = [seat for seat in SEATS if seat != "general" and not getattr(own, address_field(seat))]
    chosen = Settings(**given | paired | dict.fromkeys(map(key_field, at_general)))
    return chosen if chosen.api_key_env else chosen.without_key()
