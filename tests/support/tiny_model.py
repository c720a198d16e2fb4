"""A model of a few kilobytes that llama.cpp really loads and serves, so that tests need no gigabyte.

It writes nonsense: its weights are random. The format is GGUF 3: header, metadata, tensors.
"""

import random
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WIDTH = 32
TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581"]
TYPES = [2, 3, 3, *[6] * 256, 1]  # unknown, control, bytes, a usual token
_ALIGNMENT = 32
_UINT32, _INT32, _FLOAT32, _STRING, _ARRAY = 4, 5, 6, 8, 9


def write_tiny_model(path: Path) -> Path:
    """Write the model to `path`."""
    draw = random.Random(7)
    square, norm = (WIDTH, WIDTH), (WIDTH,)
    shapes = {"token_embd": (WIDTH, len(TOKENS)), "output_norm": norm, "blk.0.attn_norm": norm, "blk.0.ffn_norm": norm}
    shapes |= {f"blk.0.{name}": square for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
    shapes |= {f"blk.0.{name}": square for name in ("ffn_gate", "ffn_up", "ffn_down")}
    infos, data = b"", b""
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        infos += _text(f"{name}.weight") + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        infos += struct.pack("<IQ", 0, len(data))  # 32-bit floats, from there
        data += _padded(struct.pack(f"<{count}f", *(draw.gauss(0, 0.3) for _ in range(count))))
    metadata = _metadata()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(metadata)) + b"".join(metadata) + infos
    path.write_bytes(_padded(head) + data)
    return path


def _metadata() -> list[bytes]:
    numbers = {
        "context_length": 32_768,
        "embedding_length": WIDTH,
        "block_count": 1,
        "feed_forward_length": WIDTH,
        "attention.head_count": 1,
    }
    return [
        _entry("general.architecture", _STRING, "llama"),
        *(_entry(f"llama.{name}", _UINT32, value) for name, value in numbers.items()),
        _entry("llama.attention.layer_norm_rms_epsilon", _FLOAT32, 1e-5),
        _entry("tokenizer.ggml.model", _STRING, "llama"),
        _entries("tokenizer.ggml.tokens", _STRING, TOKENS),
        _entries("tokenizer.ggml.scores", _FLOAT32, [0.0] * len(TOKENS)),
        _entries("tokenizer.ggml.token_type", _INT32, TYPES),
        _entry("tokenizer.ggml.bos_token_id", _UINT32, 1),
        _entry("tokenizer.ggml.eos_token_id", _UINT32, 2),
    ]


def _entry(key: str, kind: int, value: Any) -> bytes:
    return _text(key) + struct.pack("<I", kind) + _value(kind, value)


def _entries(key: str, kind: int, values: Sequence[Any]) -> bytes:
    items = b"".join(_value(kind, value) for value in values)
    return _text(key) + struct.pack("<IIQ", _ARRAY, kind, len(values)) + items


def _value(kind: int, value: Any) -> bytes:
    return _text(value) if kind == _STRING else struct.pack({_UINT32: "<I", _INT32: "<i", _FLOAT32: "<f"}[kind], value)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)
