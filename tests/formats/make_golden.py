"""Makes the golden files: what version 1 writes. If one changes, the format has changed.

What came later has files and a pack of its own beside the old ones. Everything in them is fixed,
the key too. Run from the root of the project, with its folders ``.`` and ``remotes`` on the path:
``python -m tests.formats.make_golden``.
"""

import shutil
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mgit.canonical import Value
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
from tests.formats.chunks import (
    CHUNKS,
    DERIVED_CHUNKS,
    EVERY_CHUNK,
    LATER_CHUNKS,
    Chunk,
    body_of,
)

GOLDEN = Path(__file__).parent / "golden"
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


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
        bases = ids(*chunk.bases)
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
    for chunks in (CHUNKS, LATER_CHUNKS, DERIVED_CHUNKS):
        with PackWriter(PackKind.CHUNKS, GOLDEN / "packs") as writer:
            add_all_chunks(writer, chunks, bodies)
            writer.finish()
        finished += writer.finished
    for pack in finished:
        pack.path.rename(GOLDEN / "packs" / f"{pack.pack.hex()}.{pack.index.kind.value}")
        pack.file.close()


if __name__ == "__main__":
    main()
