"""Many small metadata packs also as one, so that a fresh copy needs few reads.

The new pack says of each pack it stands for in which order its objects lay there, and what its
summary was. From that and the new pack's own rows the other's whole index follows, and its digest
is the id: that everything is there needs no trust in the writer, and no read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mgit import canonical
from mgit.canonical import Value
from mgit.digest import SIZE, Digest
from mgit.errors import FormatError
from mgit.objects import PackId, PackKind
from mgit.store.catalog import Place
from mgit.store.format import MAX_KINDS, MAX_SUMMARY_BYTES, PackIndex, Row, build_index
from mgit.store.writing import FinishedPack, PackWriter

SMALL_BYTES = 1 << 20
MOST_SMALL = 64
_MOST_AT_ONCE_BYTES = 64 << 20
_MOST_ROWS = 1 << 20  # in all the packs that one says it stands for
_SUMMARY_KEY = "replaces"

Stored = Callable[[Place], bytes]


def crowd(packs: Mapping[PackId, PackIndex]) -> list[PackIndex]:
    """Returns the small metadata packs that no other stands for; nothing while they are few."""
    small = [
        index
        for pack, index in sorted(packs.items())
        if index.kind is PackKind.META and index.size_bytes <= SMALL_BYTES
    ]
    if len(small) <= MOST_SMALL:
        return []
    named = {pack for index in packs.values() for pack, _, _ in _claims(index)}
    few = list(_fitting(index for index in small if index.pack not in named))
    return few if len(few) > MOST_SMALL else []


def _fitting(indexes: Iterable[PackIndex]) -> Iterator[PackIndex]:
    """Yields packs as long as one can hold what is in them."""
    kinds, rows, size_bytes = set[str](), 0, 0
    for index in indexes:
        both = kinds.union(index.kinds)
        rows, size_bytes = rows + len(index), size_bytes + index.size_bytes
        if rows > _MOST_ROWS or size_bytes > _MOST_AT_ONCE_BYTES:
            return
        if len(both) <= MAX_KINDS:
            kinds = both
            yield index


def write_together(
    indexes: Sequence[PackIndex], stored: Stored, writer: PackWriter
) -> list[FinishedPack]:
    """Writes the objects of metadata packs into one pack that stands for them.

    Args:
        indexes: The packs. Those that are not sound are left out.
        stored: Returns the body of a row, or raises FormatError where it is damaged.
        writer: Writes the new pack.
    """
    sound = [index for index in indexes if _is_copied(index, stored, writer)]
    if len(sound) < 2:
        writer.discard()
        return []
    ordered = sorted(writer.rows, key=lambda ref: (ref.digest, ref.kind))
    places = {ref: number for number, ref in enumerate(ordered)}
    claims: list[Value] = [
        (index.pack, tuple(places[row.ref] for row in index.rows()), _note(index))
        for index in sound
    ]
    return writer.finish({_SUMMARY_KEY: tuple(claims)})


def _is_copied(index: PackIndex, stored: Stored, writer: PackWriter) -> bool:
    try:
        for row in index.rows():
            if row.ref not in writer:
                writer.copy(row, stored(Place(index.pack, row)))
    except FormatError:
        return False
    return True


def _note(index: PackIndex) -> bytes:
    return canonical.encode(index.summary())


def _value(note: bytes) -> Value:
    return canonical.decode(note, limit_bytes=MAX_SUMMARY_BYTES)


def derived(index: PackIndex, is_wanted: Callable[[PackId], bool]) -> Iterator[PackIndex]:
    """Yields wanted packs that a pack stands for, as far as that is true; nothing else is read."""
    claims = [claim for claim in _claims(index) if is_wanted(claim[0])]
    if sum(len(order) for _, order, _ in claims) > _MOST_ROWS:
        return
    for pack, order, note in claims:
        try:
            data = build_index(PackKind.META, list(_laid(index, order)), _value(note))
            yield PackIndex(pack, data)  # FormatError where that is not its id
        except (FormatError, ValueError):
            continue


def _laid(index: PackIndex, order: Sequence[int]) -> Iterator[Row]:
    at = 0
    for number in order:
        row = replace(index.row(number), offset=at)
        at = row.end
        yield row


def _claims(index: PackIndex) -> list[tuple[PackId, tuple[int, ...], bytes]]:
    """What a pack says it stands for, as far as that makes sense."""
    found = []
    try:
        claims = index.summary().get(_SUMMARY_KEY, ()) if index.kind is PackKind.META else ()
    except FormatError:
        return []
    for claim in claims if isinstance(claims, tuple) else ():
        match claim:
            case (bytes(pack), tuple(order), bytes(note)) if _is_possible(index, pack, order):
                numbers = tuple(number for number in order if isinstance(number, int))
                found.append((PackId(Digest(pack)), numbers, note))
            case _:
                continue
    return found


def _is_possible(index: PackIndex, pack: bytes, order: Sequence[Value]) -> bool:
    are_rows = all(type(number) is int and 0 <= number < len(index) for number in order)
    return are_rows and len(pack) == SIZE
