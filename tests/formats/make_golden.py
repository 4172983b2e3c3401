"""Makes the golden files: what version 1 writes. If one changes, the format has changed.

What came later has files and a pack of its own beside the old ones. Everything in them is fixed,
the key too. Run from the root of the project, with its folders ``.`` and ``remotes`` on the path:
``python -m tests.formats.make_golden``.
"""

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mgit.canonical import Value
from mgit.codecs import FAST, PLANES, PLANES_X, RAW, RCB, RCB_X, Codec, fast, planes, rcb
from mgit.codecs.form import Form
from mgit.digest import Digest
from mgit.objects import (
    CHUNK,
    NOTE,
    Check,
    Code,
    Content,
    Cut,
    Edge,
    EdgeKind,
    Entry,
    FileEntry,
    Gate,
    Layout,
    Level,
    Manifest,
    Member,
    MetaObject,
    Move,
    Node,
    PackKind,
    Recipe,
    Ref,
    RepositoryRoot,
    Role,
    Severity,
    Shard,
    Statement,
    Subject,
    TensorEntry,
    Unknown,
    Weights,
    digest_of,
    encode,
)
from mgit.signing import SigningKey
from mgit.store import PackWriter

GOLDEN = Path(__file__).parent / "golden"
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@dataclass(frozen=True)
class Chunk:
    """A chunk and how its golden body stores it."""

    dtype: str
    codec: Codec
    raw: bytes
    base: str | None = None
    row: int = 1

    @property
    def digest(self) -> Digest:
        return Digest.of(self.raw)


def floats(form: str, bits: list[int]) -> bytes:
    return struct.pack(f"<{len(bits)}{form}", *bits)


# NaNs with payloads, infinities, zeros, the smallest subnormals; then ordinary numbers
F32 = [0x7FC00001, 0xFF800002, 0x7F800000, 0xFF800000, 0, 0x80000000, 1, 0x80000001]
F32 += [0x3F800000 + 977 * i for i in range(120)]
BF16 = [0x7FC1, 0xFF82, 0x7F80, 0xFF80, 0, 0x8000, 1, 0x8001, *(0x3F80 + i for i in range(24))]

CHUNKS = {
    "raw": Chunk("U8", RAW, b'{"model_type": "tiny"}'),
    "planes-F32": Chunk("F32", PLANES, floats("I", F32)),
    "planes-BF16": Chunk("BF16", PLANES, floats("H", BF16)),
    "planes-I64": Chunk("I64", PLANES, floats("Q", list(range(64)))),
    "fast-F32": Chunk(
        "F32", FAST, floats("I", [bits ^ (i % 3) for i, bits in enumerate(F32)]), "planes-F32"
    ),
    "fast-BF16": Chunk("BF16", FAST, floats("H", BF16[::-1]), "planes-BF16"),
    "fast-I64": Chunk("I64", FAST, floats("Q", [2**64 - i for i in range(1, 65)]), "planes-I64"),
}

# Every third row of 64 moves by far more than the others; one octet in eight is 1, others 0.
ROWS = [0x3F800000 + 977 * i for i in range(64 * 12)]
MOVED = [bits - (i * i % 4099 << 8 if i // 64 % 3 == 0 else i % 3) for i, bits in enumerate(ROWS)]
NOISE = b"".join(Digest.of(i.to_bytes(2, "little")) for i in range(1040))  # more than a piece
SELDOM = [int(octet < 32) for octet in NOISE]
LATER_CHUNKS = {
    "planes-rows": Chunk("F32", PLANES, floats("I", ROWS)),
    "rcb-F32": Chunk("F32", RCB, floats("I", [bits ^ 1 << 31 for bits in F32]), "planes-F32"),
    "rcb-BF16": Chunk("BF16", RCB, floats("H", [*BF16[1:], 0x4000]), "planes-BF16"),
    "rcb-I64": Chunk("I64", RCB, floats("Q", [2**63 - i for i in range(64)]), "planes-I64"),
    "rcb-rows": Chunk("F32", RCB, floats("I", MOVED), "planes-rows", 64),
    "planes-x": Chunk("U8", PLANES_X, bytes(SELDOM)),
    "rcb-x": Chunk("U8", RCB_X, bytes(4 - 2 * each for each in SELDOM), "planes-x"),
}
EVERY_CHUNK = CHUNKS | LATER_CHUNKS


def ids(*names: str) -> tuple[Digest, ...]:
    return tuple(EVERY_CHUNK[name].digest for name in names)


WEIGHTS = Weights(
    {
        "embed": TensorEntry("F32", (8, 16), ids("planes-F32")),
        "head": TensorEntry("F32", (8, 16), ids("planes-F32"), alias="embed"),
        "norm": TensorEntry("BF16", (32,), ids("planes-BF16")),
        "steps": TensorEntry("I64", (4, 4, 4), ids("planes-I64")),
        "vide ∅": TensorEntry("F64", (0, 3), ()),
    }
)
CONTENT = Content(digest_of(WEIGHTS), {"config.json": FileEntry(22, ids("raw"))})
LAYOUT = Layout(
    (Shard("model.safetensors", b'{"embed":"..."}', ("embed", "norm", "steps")),),
    {"model.safetensors.index.json": FileEntry(22, ids("raw"))},
)
MANIFEST = Manifest(digest_of(CONTENT), {"docs/README.md": FileEntry(0, ())}, digest_of(LAYOUT))
PARENT = Digest.of(b"a parent")
NODE = Node(
    digest_of(MANIFEST),
    frozenset({Edge(EdgeKind.PROVENANCE, PARENT, "base"), Edge(EdgeKind.VERSION, PARENT)}),
    Digest.of(b"a recipe"),
    "finetune",
    "tiny",
)
ROOT = RepositoryRoot(
    predecessors=(Digest.of(b"a predecessor"),),
    nonce=bytes(16),
    level=1,
    members={KEY.public: Member(KEY.public, "alice", frozenset(Role), ("*", "team/*"))},
    thresholds=dict.fromkeys(Role, 1),
    cuts=(Cut(bytes(32), frozenset(ids("raw")), frozenset(ids("planes-F32"))),),
)
STATEMENT = Statement(
    (Subject(Ref("node", digest_of(NODE)), "tiny"),),
    NOTE,
    {"text": "ein Wörtchen", "n": [1, 2.5, None]},
)
ENTRY = Entry(
    repository=digest_of(ROOT.payload()),
    key=KEY.public,
    label="alice",
    previous=(Digest.of(b"an entry"),),
    root=digest_of(ROOT.payload()),
    nonce=bytes(range(16)),
    level=1,
    moves=(Move("old", None, ()), Move("team/tiny", digest_of(NODE), (Digest.of(b"an entry"),))),
    claims=(digest_of(STATEMENT.payload()),),
)

OBJECTS: dict[str, MetaObject] = {
    "weights": WEIGHTS,
    "content": CONTENT,
    "layout": LAYOUT,
    "manifest": MANIFEST,
    "node": NODE,
    "payload-root": ROOT.payload(),
    "payload-statement": STATEMENT.payload(),
    "payload-entry": ENTRY.payload(),
    "signature": KEY.sign(ENTRY.payload()),
    "unknown": Unknown(
        "sketch", frozenset({Ref(CHUNK, bytes_id) for bytes_id in ids("raw")}), (1, 1.0)
    ),
}
RECIPE = Recipe(
    Code(
        "tools.train:finetune",
        Digest.of(b"a source"),
        0,
        {"lr": 1e-4, "steps": 100, "layers": (0, -1), "options": {"warm": True, "name": "é ∅"}},
        2**64 - 1,
        {"train": Digest.of(b"a data set"), "dev": Digest.of(b"another")},
        Level.TOLERANT,
    ),
    "student.a",
)
CHECK = Check(
    Code("mgit.checks:accuracy", None, 1, {}, None, {}, Level.BITWISE),
    (
        Gate("no_worse_than", {"versus": "previous", "metric": "mrr", "margin": 0.01}),
        Gate("at_least", {"metric": "mrr", "value": -0.0}),
    ),
    Severity.WARN,
)
LATER: dict[str, MetaObject] = {"recipe": RECIPE, "check": CHECK}
SUMMARY: Value = {"chunks": ((digest_of(MANIFEST), (Digest.of(b"a pack"),)),)}


def bases_of(chunk: Chunk) -> list[bytes]:
    return [EVERY_CHUNK[chunk.base].raw] if chunk.base else []


def body_of(chunk: Chunk) -> bytes:
    """Returns a stored body of a chunk; another zstd may give another one."""
    form, base = Form(chunk.dtype, chunk.row), b"".join(bases_of(chunk))
    is_coded = chunk.codec in {PLANES_X, RCB_X}
    if chunk.codec is FAST:
        return fast.encode(chunk.raw, base, form)
    if chunk.codec in {RCB, RCB_X}:
        return rcb.encode(chunk.raw, base, form, entropy_coded=is_coded)
    if chunk.codec in {PLANES, PLANES_X}:
        return planes.encode(chunk.raw, form, entropy_coded=is_coded)
    return chunk.raw


def golden_body(name: str) -> bytes:
    """Returns a body as it was stored once, or, of what came later, as it is stored today."""
    path = GOLDEN / "bodies" / name
    return path.read_bytes() if path.exists() else body_of(EVERY_CHUNK[name])


def add_all(writer: PackWriter, objects: dict[str, MetaObject]) -> None:
    for obj in objects.values():
        data = encode(obj)
        writer.add(Ref(obj.kind, Digest.of(data)), data, raw_bytes=len(data))


def add_all_chunks(writer: PackWriter, chunks: dict[str, Chunk], bodies: dict[str, bytes]) -> None:
    for name, chunk in chunks.items():
        bases = ids(chunk.base) if chunk.base else ()
        number, size = chunk.codec.number, len(chunk.raw)
        writer.add(
            Ref(CHUNK, chunk.digest), bodies[name], raw_bytes=size, codec=number, bases=bases
        )


def main() -> None:
    bodies = {name: golden_body(name) for name in EVERY_CHUNK}
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for folder, contents in (
        ("objects", {name: encode(obj) for name, obj in (OBJECTS | LATER).items()}),
        ("bodies", bodies),
    ):
        (GOLDEN / folder).mkdir(parents=True)
        for name, content in contents.items():
            (GOLDEN / folder / name).write_bytes(content)
    with PackWriter(PackKind.META, GOLDEN / "packs") as meta:
        add_all(meta, OBJECTS)
        meta.finish(SUMMARY)
    with PackWriter(PackKind.META, GOLDEN / "packs") as later:
        add_all(later, LATER)
        later.finish()
    finished = [*meta.finished, *later.finished]
    for chunks in (CHUNKS, LATER_CHUNKS):
        with PackWriter(PackKind.CHUNKS, GOLDEN / "packs") as writer:
            add_all_chunks(writer, chunks, bodies)
            writer.finish()
        finished += writer.finished
    for pack in finished:
        pack.path.rename(GOLDEN / "packs" / f"{pack.pack.hex()}.{pack.index.kind.value}")
        pack.file.close()


if __name__ == "__main__":
    main()
