"""What Temporal keeps of a run: JSON, by a key of the user's encrypted before it leaves the process."""

import base64
import binascii
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec

KEY_VARIABLE = "APR_TEMPORAL_KEY"
"""Variable with the key: 32 bytes, as base64. Workers and those who ask must have the same."""
KEY_BYTES = 32
NONCE_BYTES = 12
"""Of AES-GCM: NIST SP 800-38D, section 5.2.1.1."""
ENCODING = b"binary/apr-aes-gcm"


class Sealed(PayloadCodec):
    """Encrypts payloads with AES-GCM, which also tells whether one was changed on its way."""

    def __init__(self, key: bytes) -> None:
        """Use a key."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt."""
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what is encrypted.

        Raises:
            ValueError: It was encrypted with another key.
        """
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, payload.SerializeToString(), ENCODING)
        return Payload(metadata={"encoding": ENCODING}, data=sealed)

    def _open(self, payload: Payload) -> Payload:
        from cryptography.exceptions import InvalidTag

        if payload.metadata.get("encoding") != ENCODING:
            return payload
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(self._cipher.decrypt(nonce, sealed, ENCODING))
        except InvalidTag:
            raise ValueError(f"this run is encrypted with another key than that in {KEY_VARIABLE}") from None


def read_key() -> bytes | None:
    """Read the key; `None` where none is set.

    Raises:
        ValueError: It is none; the message does not hold it.
    """
    told = os.environ.get(KEY_VARIABLE, "").strip()
    if not told:
        return None
    try:
        key = base64.b64decode(told, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"{KEY_VARIABLE} is no key of {KEY_BYTES} bytes in base64; make one with: "
            'python -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'
        )
    return key


def make_converter() -> DataConverter:
    """Make what writes and reads payloads; where there is a key, messages of errors are encrypted, too."""
    key = read_key()
    if key is None:
        return pydantic_data_converter
    return replace(
        pydantic_data_converter,
        payload_codec=Sealed(key),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def sizes(payloads: Iterable[Any]) -> int:
    """Sum up the bytes of payloads."""
    return sum(payload.ByteSize() for payload in payloads)
