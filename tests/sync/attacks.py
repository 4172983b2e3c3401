"""What an attacker can do to a folder of packs, or answer as a remote."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mgit import canonical
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import PackMissingError
from mgit.objects import (
    ENTRY_TYPE,
    LEVEL,
    Check,
    Code,
    Cut,
    Gate,
    Level,
    Member,
    PackId,
    PackKind,
    Payload,
    Recipe,
    Ref,
    RepositoryRoot,
    Role,
    Severity,
    Signature,
    digest_of,
)
from mgit.remote import PackListing, PackSource, connect
from mgit.repository import Repository, Step, add_objects, new_entry
from mgit.signing import SigningKey
from mgit.store import Row
from mgit.store.format import build_index, check_of, trailer
from tests.family import Person, add, weights

CLAIMED = Digest.of(b"claimed")
RECIPE = Recipe(Code("tools:tune", Digest.of(b"source"), 0, {}, 7, {}, Level.BITWISE))
CHECK = Check(RECIPE.code, (Gate("at_least", {"metric": "f1", "threshold": 0.5}),), Severity.BLOCK)
CODE = RECIPE.code.value()
BOMB = bytes.fromhex("28b52ffde06c06060663636363")  # 13 bytes of zstd that declare gigabytes


@dataclass(frozen=True)
class Planted:
    """A row as an attacker writes it."""

    kind: str
    body: bytes
    digest: Digest | None = None
    codec: int = 0
    bases: tuple[Digest, ...] = ()
    raw_bytes: int = -1


def plant(alice: Repository, *planted: Planted, kind: PackKind = PackKind.META) -> None:
    rows: list[Row] = []
    for p in planted:
        at, size = rows[-1].end if rows else 0, len(p.body)
        ref = Ref(p.kind, p.digest or Digest.of(p.body))
        raw = size if p.raw_bytes < 0 else p.raw_bytes
        rows.append(Row(ref, p.codec, p.bases, at, size, raw, check_of(p.body)))
    index = build_index(kind, rows, {})
    path = alice.folder / "packs" / f"{Digest.of(index).hex()}.{kind.value}"
    path.write_bytes(b"".join(p.body for p in planted) + index + trailer(index))


def publish(alice: Repository, *objects: Payload | Signature) -> None:
    with alice.store.writer(PackKind.META) as writer:
        add_objects(writer, alice, objects)
        alice.store.install(writer.finish())


def object_of(kind: str, fields: Value) -> Planted:
    return Planted(kind, canonical.encode((kind, (), fields)))


def nested(levels: int) -> Value:
    return (nested(levels - 1),) if levels else ()


def signed(alice: Repository, **changes: object) -> tuple[Payload, Signature]:
    """An entry that points base to something else, changed, under Alice's true signature."""
    elsewhere = Step("x", {"base": Digest.of(b"evil")})
    entry = new_entry(alice.history(), alice.identity(), elsewhere)
    payload = replace(entry, **changes).payload()  # type: ignore[arg-type]
    return payload, alice.identity().key.sign(payload)


# --- ignored: the fetch goes on, and nothing of it comes ---

X = b"x" * 100


def forged_signature(alice: Repository) -> None:
    payload, signature = signed(alice)
    publish(alice, payload, replace(signature, value=bytes(64)))


def signature_of_another_key(alice: Repository) -> None:
    payload, _ = signed(alice)
    stranger = SigningKey.generate().sign(payload)
    key = alice.identity().key.public
    publish(alice, payload, stranger, replace(stranger, key=key))


def signature_under_another_type(alice: Repository) -> None:
    payload, _ = signed(alice)
    disguised = Payload("text/plain", payload.content, frozenset())
    value = alice.identity().key.sign(disguised).value
    publish(alice, payload, Signature(digest_of(payload), alice.identity().key.public, value))


def entry_of_another_repository(alice: Repository) -> None:
    publish(alice, *signed(alice, repository=Digest.of(b"another")))


def root_that_the_old_roots_did_not_sign(alice: Repository) -> None:
    old = alice.history().ledger.roots[alice.id]
    eve = SigningKey.generate()
    member = Member(eve.public, "eve", frozenset(Role))
    cut = Cut(next(iter(old.members)), frozenset())
    successor = RepositoryRoot(
        (alice.id,), b"n" * 16, LEVEL, {eve.public: member}, old.thresholds, (cut,)
    ).payload()
    publish(alice, successor, eve.sign(successor))


def old_state(alice: Repository) -> None:
    packs = alice.folder / "packs"
    newest = max(packs.glob("*.meta"), key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()


def linked_pack(alice: Repository) -> None:
    outside = Person("carl", alice.folder.parent.parent).init()
    add(outside, "secret", weights("secret"))
    for path in (outside.folder / "packs").glob("*.*"):
        (alice.folder / "packs" / path.name).symlink_to(path)


def garbage(name: str) -> Callable[[Repository], None]:
    def attack(alice: Repository) -> None:
        (alice.folder / "packs" / name).write_bytes(X)

    return attack


def planting(*planted: Planted) -> Callable[[Repository], None]:
    return lambda alice: plant(alice, *planted)


def deep(levels: int) -> bytes:
    return b"\x91" * levels + b"\x90"


IGNORED: dict[str, Callable[[Repository], None]] = {
    "an object that is not what its digest says": planting(Planted("node", X, CLAIMED)),
    "an unknown codec": planting(Planted("node", X, CLAIMED, codec=99)),
    "a difference among metadata": planting(Planted("payload", X, CLAIMED, codec=2)),
    "bases among metadata": planting(Planted("signature", X, CLAIMED, bases=(CLAIMED,))),
    "lanes among metadata": planting(Planted("node", X, CLAIMED, codec=1)),
    "a raw size that is a lie": planting(Planted("node", X, raw_bytes=99)),
    "a kind that nobody cites": planting(Planted("zzz", X)),
    "a bomb of zstd": planting(Planted("node", BOMB, CLAIMED, codec=1, raw_bytes=1000)),
    "lists in lists in lists": planting(Planted("node", deep(100_000))),
    "a list of four billion": planting(Planted("payload", b"\xdd\xff\xff\xff\xff")),
    "a map with one key twice": planting(Planted("node", b"\x82\xa1a\x01\xa1a\x02")),
    "an extension type": planting(Planted("signature", b"\xd4\x01\x00")),
    "a node without fields": planting(object_of("node", {})),
    "a recipe without fields": planting(object_of("recipe", {})),
    "a recipe that is not what its digest says": planting(
        replace(object_of("recipe", dict(RECIPE.body())), digest=CLAIMED)
    ),
    "a recipe that names no function": planting(
        object_of("recipe", {"code": {**CODE, "function": "os.system"}, "output": ""})
    ),
    "a recipe of megabytes": planting(
        object_of("recipe", {"code": {**CODE, "arguments": {"x": "x" * (1 << 20)}}, "output": ""})
    ),
    "a recipe of lists in lists": planting(
        object_of("recipe", {"code": {**CODE, "arguments": {"x": nested(9)}}, "output": ""})
    ),
    "a check without fields": planting(object_of("check", {})),
    "a check of no severity": planting(object_of("check", {**CHECK.body(), "severity": "none"})),
    "a check whose gate is a program": planting(
        object_of("check", {**CHECK.body(), "gates": (("__import__('os')", {}),)})
    ),
    "a check that calls itself a recipe": planting(object_of("recipe", dict(CHECK.body()))),
    "a recipe that nobody cites": planting(object_of("recipe", dict(RECIPE.body()))),
    "a check that nobody registered": planting(object_of("check", dict(CHECK.body()))),
    "a signature of no size": planting(
        object_of("signature", {"payload": CLAIMED, "key": b"", "signature": b""})
    ),
    "a payload that is no entry": planting(
        object_of("payload", {"type": ENTRY_TYPE, "payload": b"\xc1"})
    ),
    "a payload that is no statement": planting(
        object_of("payload", {"type": "application/vnd.in-toto+json", "payload": b"[" * 10_000})
    ),
    "a forged signature": forged_signature,
    "a signature of another key": signature_of_another_key,
    "a signature under another type": signature_under_another_type,
    "an entry of another repository": entry_of_another_repository,
    "a root document that takes over": root_that_the_old_roots_did_not_sign,
    "an old state": old_state,
    "packs behind links": linked_pack,
    "a pack that is garbage": garbage(f"{CLAIMED.hex()}.meta"),
    "a name that leads elsewhere": garbage("..%2f..%2fx.meta"),
    "a trailer of another pack": garbage(f"{'f' * 64}.chunks"),
}


def encode_loosely(obj: Payload | Signature) -> bytes:
    keeps = tuple(sorted((ref.kind, ref.digest) for ref in obj.keeps()))
    return canonical.encode((obj.kind, keeps, dict(obj.body())))


class Lying:
    """A remote that lists and returns what the attacker likes."""

    def __init__(self, alice: Repository) -> None:
        self.honest = connect(str(alice.folder.parent))

    def packs(self) -> Iterable[PackListing]:
        return self.honest.packs()

    def read(self, pack: PackId, start: int, stop: int) -> bytes:
        return self.honest.read(pack, start, stop)

    def write(self, pack: PackId, source: PackSource) -> None:
        self.honest.write(pack, source)


class Endless(Lying):
    def packs(self) -> Iterable[PackListing]:
        for number in itertools.count():
            assert number < 150_000, "still going"
            yield PackListing(PackId(Digest.of(b"%d" % number)), PackKind.META, 1000)


class Gone(Lying):
    def read(self, pack: PackId, _start: int, _stop: int) -> bytes:
        raise PackMissingError(f"no {pack.short}")


def flipped_chunk(alice: Repository) -> Lying:
    return Flipping(alice, PackKind.CHUNKS)


def flipped_metadata(alice: Repository) -> Lying:
    return Flipping(alice, PackKind.META)


class Flipping(Lying):
    """The newest pack of a kind has a bit flipped in its first and last bodies."""

    def __init__(self, alice: Repository, kind: PackKind) -> None:
        super().__init__(alice)
        paths = (alice.folder / "packs").glob(f"*.{kind.value}")
        newest = max(paths, key=lambda path: path.stat().st_mtime_ns)
        data = bytearray(newest.read_bytes())
        alice.store.refresh()
        for row in alice.store.catalog.packs[PackId(Digest.from_text(newest.stem))].rows():
            if row.ref.kind not in {"node", "payload", "signature"}:
                data[row.offset] ^= 1
        newest.write_bytes(data)
