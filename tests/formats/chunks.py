"""The golden chunks: what version 1 stores, and how, codec by codec."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from mgit.codecs import (
    CAST,
    FAST,
    INT8,
    LOW_RANK,
    PLANES,
    PLANES_X,
    PRUNE,
    RAW,
    RCB,
    RCB_X,
    STEPS,
    SUM,
    ZSTD,
    Codec,
    fast,
    planes,
    rcb,
    zstd,
)
from mgit.codecs.form import Form
from mgit.digest import Digest
from tests.formats import derivations


@dataclass(frozen=True)
class Chunk:
    """A chunk and how its golden body stores it: of a derivation, with these parameters."""

    dtype: str
    codec: Codec
    raw: bytes
    bases: tuple[str, ...] = ()
    row: int = 1
    parameters: bytes = b""

    @property
    def digest(self) -> Digest:
        return Digest.of(self.raw)


def packed(form: str, bits: Iterable[int]) -> bytes:
    values = list(bits)
    return struct.pack(f"<{len(values)}{form}", *values)


# NaNs with payloads, infinities, zeros, the smallest subnormals; then ordinary numbers
F32 = [0x7FC00001, 0xFF800002, 0x7F800000, 0xFF800000, 0, 0x80000000, 1, 0x80000001]
F32 += [0x3F800000 + 977 * i for i in range(120)]
BF16 = [0x7FC1, 0xFF82, 0x7F80, 0xFF80, 0, 0x8000, 1, 0x8001, *(0x3F80 + i for i in range(24))]

CHUNKS = {
    "raw": Chunk("U8", RAW, b'{"model_type": "tiny"}'),
    "planes-F32": Chunk("F32", PLANES, packed("I", F32)),
    "planes-BF16": Chunk("BF16", PLANES, packed("H", BF16)),
    "planes-I64": Chunk("I64", PLANES, packed("Q", range(64))),
    "fast-F32": Chunk(
        "F32", FAST, packed("I", [bits ^ (i % 3) for i, bits in enumerate(F32)]), ("planes-F32",)
    ),
    "fast-BF16": Chunk("BF16", FAST, packed("H", BF16[::-1]), ("planes-BF16",)),
    "fast-I64": Chunk("I64", FAST, packed("Q", [2**64 - i for i in range(1, 65)]), ("planes-I64",)),
}

# Every third row of 64 moves by far more than the others; one octet in eight is 1, others 0.
ROWS = [0x3F800000 + 977 * i for i in range(64 * 12)]
MOVED = [bits - (i * i % 4099 << 8 if i // 64 % 3 == 0 else i % 3) for i, bits in enumerate(ROWS)]
NOISE = b"".join(Digest.of(i.to_bytes(2, "little")) for i in range(1040))  # more than a piece
SELDOM = [int(octet < 32) for octet in NOISE]
LATER_CHUNKS = {
    "planes-rows": Chunk("F32", PLANES, packed("I", ROWS)),
    "rcb-F32": Chunk("F32", RCB, packed("I", [bits ^ 1 << 31 for bits in F32]), ("planes-F32",)),
    "rcb-BF16": Chunk("BF16", RCB, packed("H", [*BF16[1:], 0x4000]), ("planes-BF16",)),
    "rcb-I64": Chunk("I64", RCB, packed("Q", [2**63 - i for i in range(64)]), ("planes-I64",)),
    "rcb-rows": Chunk("F32", RCB, packed("I", MOVED), ("planes-rows",), 64),
    "planes-x": Chunk("U8", PLANES_X, bytes(SELDOM)),
    "rcb-x": Chunk("U8", RCB_X, bytes(4 - 2 * each for each in SELDOM), ("planes-x",)),
}


def derived(dtype: str, codec: Codec, parameters: bytes, *bases: str, changed: int = 0) -> Chunk:
    """A chunk as the second reader derives it, but for so many elements at its end."""
    given = [(CHUNKS | LATER_CHUNKS)[base].raw for base in bases]
    body, width = b"\0" + parameters, Form(dtype).dtype.lane
    size = len(given[0]) // (2 if codec is CAST else 4 if codec is INT8 else 1)
    raw = bytearray(derivations.decode(codec.number, body, given, size))
    for at in range(size - changed * width, size, width):
        raw[at] ^= 3
    return Chunk(dtype, codec, bytes(raw), bases, 64, parameters)


def standalone(form: str, dtype: str, values: Iterable[int]) -> bytes:
    return planes.encode(packed(form, values), Form(dtype))


FACTORS = standalone("I", "I32", [2**31 + 7 * i % 19 - 9 for i in range(2 * (12 + 64))])
SHIFTS = standalone("B", "U8", [i % 3 for i in range(12 + 64)])
SCALES = planes.encode(struct.pack("<12f", *(1 / (1 + i) for i in range(12))), Form("F32"))
CODES = standalone("B", "U8", [(0, 1, 2, 3, 4, 200)[i % 6] for i in range(len(F32))])
GIVEN = packed("I", (0x7FC00000 + i for i in range(len(F32) // 6 + (len(F32) % 6 > 2))))
DERIVED_CHUNKS = {
    "cast": derived("BF16", CAST, b"\1\3", "planes-F32"),
    "cast-changed": derived("F16", CAST, b"\1\2", "planes-rows", changed=5),
    "prune": derived("F32", PRUNE, struct.pack("<BBQI", 1, 1, ROWS[400], 1), "planes-rows"),
    "mean": derived("F32", SUM, b"\1\0\0\2", "planes-rows", "rcb-rows"),
    "weighted-sum": derived(
        "F32", SUM, struct.pack("<4B2d", 1, 1, 2, 2, 0.7, 0.3), "planes-F32", "fast-F32", changed=9
    ),
    "low-rank": derived(
        "F32",
        LOW_RANK,
        struct.pack("<BBBIhII", 1, 1, 2, 64, 9, len(FACTORS), len(SHIFTS)) + FACTORS + SHIFTS,
        "planes-rows",
    ),
    "int8": derived("I8", INT8, struct.pack("<BBI", 1, 1, 64), "rcb-rows"),
    "int8-scales": derived(
        "I8", INT8, struct.pack("<BBII", 1, 4, 64, len(SCALES)) + SCALES, "planes-rows", changed=3
    ),
    "steps": derived(
        "F32",
        STEPS,
        struct.pack("<BBdI", 1, 1, float(Fraction(1, 512)), len(CODES)) + CODES + GIVEN,
        "planes-F32",
    ),
    "zstd": Chunk("U8", ZSTD, b'{"model_type": "tiny", "layers": [0, 1, 2, 3]}\n' * 40),
}
EVERY_CHUNK = CHUNKS | LATER_CHUNKS | DERIVED_CHUNKS


def bases_of(chunk: Chunk) -> list[bytes]:
    return [EVERY_CHUNK[base].raw for base in chunk.bases]


def body_of(chunk: Chunk) -> bytes:
    """Returns a stored body of a chunk; another zstd may give another one."""
    form, bases = Form(chunk.dtype, chunk.row), bases_of(chunk)
    if chunk.codec is ZSTD:
        return zstd.encode(chunk.raw)
    if chunk.codec in {PLANES, PLANES_X}:
        return planes.encode(chunk.raw, form, entropy_coded=chunk.codec is PLANES_X)
    if chunk.codec in {RCB, RCB_X}:
        return rcb.encode(chunk.raw, bases[0], form, entropy_coded=chunk.codec is RCB_X)
    if chunk.codec is FAST:
        return fast.encode(chunk.raw, bases[0], form)
    return _derived_body(chunk, bases) if chunk.parameters else chunk.raw


def _derived_body(chunk: Chunk, bases: list[bytes]) -> bytes:
    head = b"\0" + chunk.parameters
    rebuilt = chunk.codec.decode(head, bases, len(chunk.raw))
    rest = fast.encode(chunk.raw, rebuilt, Form(chunk.dtype))
    return head if rebuilt == chunk.raw else b"\1" + chunk.parameters + rest
