"""Reads everything in this copy and says what is not as it should be."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mgit.digest import Digest
from mgit.errors import FormatError, MgitError, PackMissingError
from mgit.objects import CHUNK, PackId, Ref, decode
from mgit.progress import Progress, silent
from mgit.repair.affecting import Damage, Lost, damages, forged, gaps, lost_nodes
from mgit.repair.settling import history_of, settings_fault
from mgit.repository import Repository
from mgit.selection import Selection
from mgit.store import Place, Store

_LISTED = re.compile(r"([0-9a-f]{64})\.(?:meta|chunks) [0-9]+")


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Attributes:
        packs: Complete packs.
        objects: Objects in them.
        checked_bytes: Stored bytes that were read.
        damage: Rows that are bad.
        unready: Files among the packs that are no complete pack, with the reason.
        gone: Packs that were here and are not any more, as far as that is known.
        lost: Nodes of which something is gone that this copy should have.
        gaps: Entries and root documents that are nowhere here, although others rest on them.
        forged: Entries whose signature is not by their key: they count for nothing.
        settings: What is wrong with the settings; empty if nothing is.
    """

    packs: int
    objects: int
    checked_bytes: int
    damage: tuple[Damage, ...]
    unready: Mapping[str, str]
    gone: tuple[PackId, ...]
    lost: tuple[Lost, ...]
    gaps: tuple[Ref, ...]
    forged: tuple[Digest, ...]
    settings: str

    @property
    def is_clean(self) -> bool:
        """Whether everything that should be here can be read."""
        is_whole = all(damage.has_good_copy for damage in self.damage)
        missing = self.unready or self.gone or self.lost or self.gaps
        return is_whole and not (missing or self.forged or self.settings)


def check(
    repository: Repository, *, is_decoding: bool = False, progress: Progress = silent
) -> Report:
    """Reads every stored byte and compares it with what the indexes promise.

    Rows that are bad are noted and count as absent from now on; rows that were noted and are good
    again count again.

    Args:
        repository: Where.
        is_decoding: Decodes every chunk too and compares it with its id. Without that, the stored
            bytes decide; but chunks that were found bad before are decoded in any case.
        progress: Is told how many stored bytes were read.
    """
    gone = gone_packs(repository.store)  # listed before the packs are: they come first
    bad = bad_rows(repository, is_decoding=is_decoding, progress=progress)
    return told(repository, bad, gone)


def gone_packs(store: Store) -> tuple[PackId, ...]:
    """Returns the packs that the listing of this copy names and that are not here.

    A listing that lacks a pack that is here is out of date and shows nothing.
    """
    listed = _listed(store)
    store.refresh()
    here = {pack.hex() for pack in store.catalog.packs}
    named_here = {name.partition(".")[0] for name in store.unready}
    if not here <= listed:
        return ()
    meant_to_go = {pack.hex() for pack in store.condemned.ever()}
    set_aside = {path.stem for path in store.quarantine.glob("*.*")}
    missing = listed - here - named_here - meant_to_go - set_aside
    return tuple(sorted(PackId(Digest.from_text(pack)) for pack in missing))


def _listed(store: Store) -> frozenset[str]:
    try:
        text = (store.packs_folder / "list").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return frozenset()
    found = (_LISTED.fullmatch(line) for line in text.splitlines())
    return frozenset(match[1] for match in found if match)


def bad_rows(repository: Repository, *, is_decoding: bool, progress: Progress) -> dict[Place, str]:
    """Reads every row; returns those that are bad with the reason, and notes them."""
    catalog = repository.store.catalog
    places = [Place(pack, row) for pack, index in catalog.packs.items() for row in index.rows()]
    total = sum(place.row.stored_bytes for place in places)
    bad: dict[Place, str] = {}
    done = 0
    for place in places:
        is_suspect = (place.pack, place.row.ref.digest) in catalog.damaged
        reason = _fault(repository, place, is_decoding=is_decoding or is_suspect)
        if reason:
            bad[place] = reason
        done += place.row.stored_bytes
        progress(done, total)
    _note(repository, bad)
    return bad


def _fault(repository: Repository, place: Place, *, is_decoding: bool) -> str:
    """Returns what is wrong with a row; empty if nothing is.

    A chunk whose bases cannot be read, or whose codec is not known here, is none the worse itself.
    """
    reader = repository.store.reader
    try:
        reader.stored(place)
    except PackMissingError:
        return ""
    except MgitError as error:  # also where the disk refuses to give the bytes
        return str(error)
    try:
        if place.row.ref.kind != CHUNK:
            decode(reader.decoded(place))
        elif is_decoding:
            reader.decoded(place)
    except FormatError as error:
        return str(error)
    except MgitError:
        return ""
    return ""


def _note(repository: Repository, bad: Mapping[Place, str]) -> None:
    """Notes rows that are bad, and takes back what was noted of rows that are good."""
    store = repository.store
    found = {(place.pack, place.row.ref.digest) for place in bad}
    known = frozenset(store.catalog.damaged)
    healed = {pack for pack, _ in known - found}
    for pack in sorted(healed):
        store.note_healing(pack)
    for place, reason in bad.items():
        row = place.pack, place.row.ref.digest
        if row not in known or place.pack in healed:
            store.reader.report(place, reason)
    store.refresh()


def told(repository: Repository, bad: Mapping[Place, str], gone: Iterable[PackId]) -> Report:
    """Returns the report on a copy in which these rows are bad and these packs are gone."""
    store = repository.store
    fault = settings_fault(repository)
    history = history_of(repository)
    selection = Selection(repository, history)
    lost = list(lost_nodes(repository, history, selection))
    rows = [row for index in store.catalog.packs.values() for row in index.rows()]
    return Report(
        packs=len(store.catalog.packs),
        objects=len(rows),
        checked_bytes=sum(row.stored_bytes for row in rows),
        damage=tuple(damages(repository, history, selection, bad, lost)),
        unready=dict(store.unready),
        gone=tuple(gone),
        lost=tuple(node for node, _ in lost),
        gaps=() if fault else tuple(gaps(repository, history)),
        forged=tuple(forged(history)),
        settings=fault,
    )
