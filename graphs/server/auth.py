"""Who may use the server: nobody without a token, once tokens are configured (`APR_TOKENS`).

`langgraph.json` names `auth` for the API's own routes; `graphs.server.routes` puts `TokenNeeded` before all of them.
Threads and their runs belong to who made them; to others they do not exist.
"""

from collections.abc import Mapping
from typing import Any

from langgraph_sdk import Auth
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from graphs.intake import storable_messages
from graphs.server.refused import refuse
from nodes.boundary.access import find_refusal
from nodes.settings import Settings, nearest_setting, unknown_settings
from nodes.shared.auth_tokens import user_of
from nodes.shared.environment import environment_tokens
from nodes.shared.refusals import say_problems
from nodes.state import Problem

REFUSED = "a valid token is needed: Authorization: Bearer …"
"""Said to all alike, so that a wrong token learns nothing."""
INTERNAL = "/internal"
"""The server's own debugging routes, which show everybody's threads."""
ANYONE = "anyone"
"""Who asks where no tokens are configured."""

CONTEXT_GIVEN = "__context_provided__"
"""What the server marks a configuration with whose request had a context."""

auth = Auth()


def user(authorization: str | None) -> str | None:
    """Name who sends this header; `None` for nobody known."""
    tokens = environment_tokens()
    return user_of(authorization or "", tokens) if tokens else ANYONE


@auth.authenticate
async def authenticate(authorization: str | None) -> Auth.types.MinimalUserDict:
    """Take the bearer token of a request."""
    known = user(authorization)
    if known is None:
        raise Auth.exceptions.HTTPException(status_code=401, detail=REFUSED)
    return {"identity": known, "is_authenticated": True}


@auth.on
async def mark_owner(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Any:
    """Refuse what nobody may ask for; mark what is made with who makes it, and show people what is theirs."""
    if ctx.action in ("create", "update", "create_run") and (why := find_fault(value)):
        raise Auth.exceptions.HTTPException(status_code=422, detail=why)
    if not environment_tokens():
        return None
    if ctx.resource == "assistants":
        # The graphs are everybody's to use, and nobody's to change.
        return ctx.action in ("read", "search")
    if ctx.resource == "store":
        # Of no use to these graphs, and shared by all.
        return False
    owner = {"owner": ctx.user.identity}
    if value.get("metadata") is None:
        value["metadata"] = {}
    # In place: the server keeps hold of this very dict.
    value["metadata"].update(owner)
    return owner


def find_fault(value: Mapping[str, Any]) -> str:
    """Say what is wrong with the settings or the input of a run, an assistant or a schedule; empty for nothing."""
    asked = value.get("kwargs") or value.get("payload") or value
    context, config = asked.get("context") or {}, asked.get("config") or {}
    configurable = config.get("configurable") or {}
    # Without a context, the server writes all that is configurable there, which is LangGraph's and others', too.
    copied = "kwargs" in value and CONTEXT_GIVEN not in configurable
    strange = [name for name in (configurable if copied else context) if name not in Settings.model_fields]
    if strange := [name for name in strange if nearest_setting(name) or not copied]:
        return unknown_settings(strange)
    given = {name: value for name, value in (configurable | context).items() if name in Settings.model_fields}
    try:
        chosen = Settings(**given).given
        _check_input(asked.get("input"))
    except ValidationError as error:
        return "; ".join(say_problems(error))
    except ValueError as error:
        return str(error)
    return find_refusal({name: value for name, value in chosen.items() if value is not None})


def _check_input(given: Any) -> None:
    """Find out what is wrong with a question, or with the messages of a conversation.

    Raises:
        ValueError: Something is; the message says what.
    """
    if isinstance(given, Mapping) and "messages" in given and "question" not in given:
        storable_messages(given)
    elif given is not None:
        Problem.model_validate(given)


def may_read(authorization: str | None, metadata: Mapping[str, Any]) -> bool:
    """Tell whether who sends this header may read what has this metadata."""
    return not environment_tokens() or user(authorization) == metadata.get("owner")


class TokenNeeded:
    """Refuses every request without a token, whatever its route."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an app."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] in ("http", "websocket") and not self._welcome(scope):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": "a valid token is needed"})
                return
            await refuse(scope, 401, REFUSED, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        if environment_tokens() and scope.get("path", "").startswith(INTERNAL):
            await refuse(scope, 404, "Not Found")(scope, receive, send)
            return
        await self.app(scope, receive, send)

    @staticmethod
    def _welcome(scope: Scope) -> bool:
        # A browser asks ahead without its headers; the answer only says what it may send.
        ahead = scope.get("method") == "OPTIONS"
        # Asked by this process itself: no request from outside can set it.
        inside = str(scope.get("root_path", "")).startswith("/noauth")
        return ahead or inside or user(HTTPConnection(scope).headers.get("authorization")) is not None
