"""Which settings a run has: what its caller passes, what the graph is bound to, what it was begun with.

A graph is also a node or a tool of other people's graphs. What those keep in their context and configuration is theirs:
it counts only where it is meant for us.
"""

from collections.abc import Mapping
from typing import Any

from langgraph.config import get_config
from langgraph.runtime import Runtime, get_runtime
from pydantic import ValidationError

from nodes.boundary.access import for_request
from nodes.llm.endpoints.own import MODELS
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.providers.known import OWN
from nodes.shared.run import Run

CONTEXT_KEY = "__apr_context"
"""Where a graph's configuration holds the context that it is bound to."""


def choose(runtime: Runtime[Any], begun_with: Mapping[str, Any]) -> Settings:
    """Return a run's settings: the context's, else the configuration's, else those that it was begun with.

    Args:
        runtime: The run.
        begun_with: Settings by name.

    Raises:
        ConfigurationError: They are no good; the message says which and why.
    """
    configurable = _configurable()
    # In a node of another graph, or called by one.
    inside = "|" in str(configurable.get("checkpoint_ns", ""))
    bound = {name: configurable[name] for name in Settings.model_fields if name in configurable}
    own = {"model" if name == "model" else f"{name}_model": f"{OWN}:{name}" for name in configurable.get(MODELS, ())}
    bound |= _own_settings(configurable.get(CONTEXT_KEY), inside=False)
    given = _own_settings(runtime.context, inside=inside)
    try:
        settings = _make_settings(runtime.context, {**own, **begun_with, **bound, **given})
    except ValidationError as error:
        if not inside:
            raise _wrong(error) from None
        settings = _make_settings(None, {**own, **begun_with, **_keep_valid(bound), **_keep_valid(given)})
    # What a server runs was asked for in a request, whatever way it took to get here.
    return for_request(settings) if runtime.server_info else settings


def settings_for_routing(run: Run) -> Settings:
    """Return a run's settings where the graph decides what comes next.

    Where a state is edited (`update_state`), LangGraph has no runtime for a router, and one that asks for it breaks.
    Those settings count then that the run was begun with.
    """
    try:
        runtime = get_runtime(Settings)
    except (KeyError, RuntimeError):  # not within a graph
        runtime = None
    return choose(runtime or Runtime(), run.settings)


def _configurable() -> Mapping[str, Any]:
    try:
        return get_config().get("configurable", {})
    except RuntimeError:  # not within a graph
        return {}


def _own_settings(context: Any, *, inside: bool) -> dict[str, Any]:
    """Return the settings in a context; another graph's holds none."""
    if isinstance(context, Settings):
        return context.given
    if isinstance(context, Mapping) and set(context) <= set(Settings.model_fields):
        return dict(context)
    if context is None or inside:
        return {}
    raise ConfigurationError(
        f"the context is a {type(context).__name__}; pass settings, as a dict or as nodes.settings.Settings"
    )


def _make_settings(context: Any, values: dict[str, Any]) -> Settings:
    if isinstance(context, Settings):
        if values == context.given:
            return context
        return Settings(**values).without_key() if context.keyless else Settings(**values)
    return Settings(**values)


def _keep_valid(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is no value of ours: another graph has a `model`, too."""
    sound = {}
    for name, value in values.items():
        try:
            Settings(**{name: value})
        except ValidationError:
            continue
        sound[name] = value
    return sound


def _wrong(error: ValidationError) -> ConfigurationError:
    said = [
        f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" if detail["loc"] else detail["msg"]
        for detail in error.errors(include_url=False, include_input=False)
    ]
    return ConfigurationError("; ".join(said))
