"""Where a Temporal server is, and how it is reached."""

import logging
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from nodes.shared.install import how_to_install

SCHEME = "temporal"
DEFAULT_PORT = 7233
DEFAULT_QUEUE = "apr"
"""The task queue on which workers and those who ask meet."""
FORM = "temporal://HOST:PORT/NAMESPACE?queue=NAME"


class EngineAddress(NamedTuple):
    """Where runs are handed over to workers."""

    host: str
    """`host:port`; empty leaves it to Temporal's own configuration."""
    namespace: str
    """Empty leaves it to Temporal's own configuration."""
    queue: str = DEFAULT_QUEUE

    def __str__(self) -> str:
        """Write it as it was read."""
        queue = "" if self.queue == DEFAULT_QUEUE else f"?queue={self.queue}"
        return f"{SCHEME}://{self.host}{f'/{self.namespace}' if self.namespace else ''}{queue}"


def read_engine(address: str) -> EngineAddress:
    """Read the address of an engine, such as `temporal://127.0.0.1:7233/default`.

    What it leaves out, certificates and keys come from Temporal's own variables and file: `TEMPORAL_ADDRESS`,
    `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_CLIENT_CERT_PATH` and so on.

    Raises:
        ValueError: It is none.
    """
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        raise ValueError(f"`engine`: the port of {address!r} is none; write {FORM}") from None
    if parts.scheme != SCHEME:
        raise ValueError(f"`engine`: {address!r} is no address of a Temporal server; write {FORM}")
    if parts.username or parts.password:
        raise ValueError("`engine`: an address holds no key; set TEMPORAL_API_KEY or TEMPORAL_TLS_CLIENT_CERT_PATH")
    asked = dict(parse_qsl(parts.query))
    if unknown := sorted(set(asked) - {"queue"}):
        raise ValueError(f"`engine`: `{unknown[0]}` is nothing that an address may say; write {FORM}")
    named = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    host = f"{named}:{port or DEFAULT_PORT}" if named else ""
    return EngineAddress(host, parts.path.strip("/"), asked.get("queue") or DEFAULT_QUEUE)


async def connect(address: EngineAddress) -> Any:
    """Connect to the server.

    Raises:
        EngineError: It does not answer, or the extra is missing.
    """
    try:
        from temporalio.client import Client
        from temporalio.envconfig import ClientConfig
        from temporalio.service import RPCError

        from graphs.temporal.payloads import make_converter
    except ModuleNotFoundError as error:
        raise EngineError(f"runs on other machines need {error.name}: {how_to_install('temporal')}") from error
    options: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    options |= {"target_host": address.host} if address.host else {}
    options |= {"namespace": address.namespace} if address.namespace else {}
    try:
        return await Client.connect(**options, data_converter=make_converter(), runtime=_runtime())
    except (RPCError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise OutOfReach(
            f"no Temporal server answers at {options.get('target_host')}: {why}; "
            "`temporal server start-dev` starts one for trying"
        ) from error


@cache
def _runtime() -> Any:
    """Make what runs Temporal's client: what it has to say is logged, or it would stand on standard output."""
    from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

    logger = logging.getLogger("temporalio")
    forwarding = LogForwardingConfig(logger, append_target_to_name=False)
    levels = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(levels, forwarding=forwarding)))


class EngineError(Exception):
    """A run cannot be handed over, or broke where it is; the message says why and what to do."""


class OutOfReach(EngineError):
    """The server does not answer; what was handed over before goes on without anybody watching."""
