"""A Temporal server behind TLS, which takes only those who show a certificate."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from graphs.build import build_graph
from graphs.temporal.address import EngineError
from tests.support.server import ModelServer, outline, review
from tests.support.services.temporal import Temporal, workers

PARTS = ["What is one?", "What is two?"]


def certify(folder: Path, name: str, by: str | None = None) -> None:
    """Write a certificate and its key: of an authority, or by one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = subject, key
    if by:
        issuer = x509.load_pem_x509_certificate((folder / f"{by}.pem").read_bytes()).subject
        signer = serialization.load_pem_private_key((folder / f"{by}.key").read_bytes(), None)  # type: ignore[assignment]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))


@asynccontextmanager
async def guarded(server: str, folder: Path) -> AsyncIterator[str]:
    """Stand before a server, and let only those through who have a certificate of the authority; yields an address."""
    guard = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    guard.load_cert_chain(folder / "server.pem", folder / "server.key")
    guard.load_verify_locations(folder / "authority.pem")
    guard.verify_mode = ssl.CERT_REQUIRED
    guard.set_alpn_protocols(["h2"])
    host, _, port = server.rpartition(":")
    joined: list[asyncio.StreamWriter] = []
    serving: set[asyncio.Task[Any]] = set()

    async def pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(65_536):
                to.write(piece)
                await to.drain()
        to.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        joined.append(writer)
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        joined.append(far_writer)
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=guard)
    try:
        yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        for writer in joined:
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)
        for writer in joined:
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def test_a_server_is_reached_with_the_certificate_that_temporals_own_variables_name(
    server: ModelServer, temporal: Temporal, steady: dict[str, Any], store: str, tmp_path: Path, monkeypatch: Any
) -> None:
    certify(tmp_path, "authority")
    for name in ("server", "client"):
        certify(tmp_path, name, by="authority")
    server.on("assess", outline(*PARTS)).on("review", review("All of it."))
    async with guarded(temporal.address, tmp_path) as address:
        engine = f"temporal://{address}/default?queue=guarded"
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(tmp_path / "authority.pem"))
        with pytest.raises(EngineError, match=f"no Temporal server answers at {address}"):
            await build_graph(engine=engine).ainvoke({"question": "What are they?"}, context=steady)
        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(tmp_path / "client.pem"))
        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", str(tmp_path / "client.key"))
        async with workers(server, engine, store):
            values = await build_graph(engine=engine).ainvoke({"question": "What are they?"}, context=steady)
    assert values["outcome"] == "complete" and all(thread.worker for thread in values["threads"])
