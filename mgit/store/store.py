"""The packs of this copy: a folder that only grows. Writing order and damage are decided here."""

import contextlib
import errno
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mgit.digest import Digest
from mgit.errors import FormatError, MachineError, MgitError, PackMissingError
from mgit.objects import PackId, PackKind
from mgit.store.catalog import Catalog, Place
from mgit.store.condemned import Condemned
from mgit.store.facts import Fact, Facts
from mgit.store.files import is_unlocked, machine_errors, replace, sync_folder, write_whole
from mgit.store.format import PackIndex
from mgit.store.leases import Leases
from mgit.store.merged import merged_index
from mgit.store.opening import PACK_NAME, fits, read_index
from mgit.store.reading import Reader
from mgit.store.writing import FinishedPack, PackWriter

_FRESH_S = 60  # between creating a file and locking it lies an instant


@dataclass(slots=True)
class Store:
    """Packs in ``folder/packs``, facts in ``folder/local``, unfinished work in ``folder/incoming``.

    Attributes:
        folder: The ``.mgit`` folder.
        cache: Folder for caches of this copy; may be deleted at any time.
        unready: Files in ``packs`` that are no complete pack, with the reason.
    """

    folder: Path
    cache: Path
    unready: dict[str, str] = field(default_factory=dict)
    _indexes: dict[PackId, PackIndex] = field(default_factory=dict)
    _found_bad: set[tuple[PackId, Digest]] = field(default_factory=set)
    _reader: Reader | None = None

    @property
    def packs_folder(self) -> Path:
        """Where packs lie."""
        return self.folder / "packs"

    @property
    def incoming(self) -> Path:
        """Where packs are written before they count."""
        return self.folder / "incoming"

    @property
    def quarantine(self) -> Path:
        """Where packs lie that nobody is to read."""
        return self.folder / "quarantine"

    @property
    def damage(self) -> Facts:
        """Rows that were found bad."""
        return Facts(self.folder / "local" / "damaged")

    @property
    def condemned(self) -> Condemned:
        """Packs that are going to be removed."""
        return Condemned(Facts(self.folder / "local" / "condemned"))

    @property
    def leases(self) -> Leases:
        """What works here now."""
        return Leases(self.folder / "local" / "leases")

    @property
    def reader(self) -> Reader:
        """Reads objects, as the packs were when ``refresh`` was last called."""
        return self._reader or self.refresh()

    @property
    def catalog(self) -> Catalog:
        """Which objects are here."""
        return self.reader.catalog

    def refresh(self) -> Reader:
        """Looks again which packs are here; returns the reader of them."""
        self.unready = {}
        indexes: dict[PackId, PackIndex] = {}
        for path, pack in self._pack_files():
            try:
                indexes[pack] = self._indexes.get(pack) or _open_index(path, pack)
            except FileNotFoundError:
                continue  # removed between listing and opening
            except (OSError, MgitError) as error:
                self.unready[path.name] = str(error)
        self._indexes = indexes
        merged = merged_index(self.cache / "merged-index", indexes)
        damaged = self._damaged_rows() | self._found_bad
        catalog = Catalog(indexes, damaged, merged, frozenset(self.condemned.since()))
        self._reader = Reader(catalog, self.read, self._report, self._renew)
        return self._reader

    def _renew(self) -> Catalog:
        return self.refresh().catalog

    def _pack_files(self) -> Iterator[tuple[Path, PackId]]:
        with machine_errors("listing packs"):
            paths = sorted(self.packs_folder.iterdir()) if self.packs_folder.is_dir() else []
        for path in paths:
            match = PACK_NAME.fullmatch(path.name)
            if match and path.is_file() and not path.is_symlink():
                yield path, PackId(Digest.from_text(match[1]))
            elif path.name != "list" and not path.name.startswith("."):
                self.unready[path.name] = "not a pack"

    def read(self, pack: PackId, start: int, stop: int) -> bytes:
        """Returns a range of a pack's bytes.

        Raises:
            PackMissingError: The pack is not here, or no more.
            FormatError: The disk cannot give these bytes: another pack may have the same object.
            MachineError: Something else is wrong with this machine.
        """
        if pack not in self._indexes:
            raise PackMissingError(f"pack {pack.short} is gone")
        path = self.path_of(pack)
        with machine_errors(f"reading pack {pack.short}"):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError as error:
                raise PackMissingError(f"pack {pack.short} is gone") from error
            try:
                return os.pread(descriptor, stop - start, start)
            except OSError as error:
                if error.errno == errno.EIO:
                    raise FormatError(f"the disk does not give it: {error.strerror}") from error
                raise
            finally:
                os.close(descriptor)

    def path_of(self, pack: PackId) -> Path:
        """Returns where a pack lies."""
        return self.packs_folder / f"{pack.hex()}.{self._indexes[pack].kind.value}"

    def writer(self, kind: PackKind) -> PackWriter:
        """Returns a writer of packs for this store; unfinished work of dead commands is removed."""
        self.sweep()
        return PackWriter(kind, self.incoming)

    def install(self, packs: Iterable[FinishedPack]) -> None:
        """Makes packs part of the repository: chunks first, so that nothing visible dangles."""
        with machine_errors("installing packs"):
            self.packs_folder.mkdir(parents=True, exist_ok=True)
            for pack in sorted(packs, key=lambda p: p.index.kind is PackKind.META):
                name = f"{pack.pack.hex()}.{pack.index.kind.value}"
                replace(pack.path, self.packs_folder / name)  # the same id is the same bytes
                pack.file.close()
                self.note_healing(pack.pack)
        self.refresh()
        self.write_listing()

    def remove(self, packs: Iterable[PackId]) -> None:
        """Removes packs from the repository: metadata first, so that nothing visible dangles."""
        doomed = sorted(packs, key=lambda pack: self._indexes[pack].kind is not PackKind.META)
        with machine_errors("removing packs"):
            for pack in doomed:
                self.path_of(pack).unlink(missing_ok=True)
            sync_folder(self.packs_folder)
        self.refresh()
        self.write_listing()

    def set_aside(self, packs: Iterable[PackId], files: Iterable[str] = ()) -> None:
        """Moves packs, and files that are no pack, to where nobody reads them: metadata first."""
        doomed = sorted(packs, key=lambda pack: self._indexes[pack].kind is not PackKind.META)
        with machine_errors("setting packs aside"):
            self.quarantine.mkdir(parents=True, exist_ok=True)
            for name in (*files, *(self.path_of(pack).name for pack in doomed)):
                replace(self.packs_folder / name, self.quarantine / name)
            sync_folder(self.packs_folder)
        for pack in doomed:
            self.note_healing(pack)
        self.refresh()
        self.write_listing()

    def write_listing(self) -> None:
        """Lists the packs in a file, for servers that cannot list a folder."""
        lines = [
            f"{pack.hex()}.{index.kind.value} {index.size_bytes}"
            for pack, index in sorted(self._indexes.items())
        ]
        with contextlib.suppress(OSError):  # a hint: what was installed stays installed without it
            write_whole(self.packs_folder / "list", ("\n".join(lines) + "\n").encode())

    def sweep(self) -> None:
        """Removes unfinished work of commands that are dead."""
        for path in (*self.incoming.glob("*.part"), *self.packs_folder.glob(".*.part")):
            with contextlib.suppress(OSError):  # busy, or somebody else sweeps it
                is_fresh = time.time() - path.stat().st_mtime < _FRESH_S
                if not is_fresh and is_unlocked(path):
                    path.unlink()

    def _report(self, place: Place, reason: str) -> None:
        ref = place.row.ref
        self._found_bad.add((place.pack, ref.digest))
        fact = {"pack": place.pack.hex(), "kind": ref.kind, "object": ref.digest.hex()}
        self._note({**fact, "reason": reason})

    def note_healing(self, pack: PackId) -> None:
        """Notes that the rows of a pack are good again, if any was noted as bad."""
        if any(known == pack for known, _ in self._damaged_rows() | self._found_bad):
            self._found_bad = {row for row in self._found_bad if row[0] != pack}
            self._note({"healed": pack.hex()})

    def _note(self, fact: Fact) -> None:
        """Writes a fact about damage, if this copy is ours: another's folder is left as it is."""
        with contextlib.suppress(OSError, MachineError):  # this process knows it all the same
            if self.folder.stat().st_uid == os.getuid():
                self.damage.append(fact)

    def _damaged_rows(self) -> set[tuple[PackId, Digest]]:
        rows: set[tuple[PackId, Digest]] = set()
        for fact in self.damage:
            match fact:
                case {"healed": str(pack)}:
                    rows = {row for row in rows if row[0].hex() != pack}
                case {"pack": str(pack), "object": str(digest)}:
                    with contextlib.suppress(ValueError):  # a line that makes no sense
                        rows.add((PackId(Digest.from_text(pack)), Digest.from_text(digest)))
                case _:
                    continue
        return rows


def _open_index(path: Path, pack: PackId) -> PackIndex:
    named, data = read_index(path)
    if named != pack:
        raise FormatError("the trailer does not match the name: the pack is not complete")
    index = PackIndex(pack, data)
    if not fits(path, index):
        raise FormatError("the size or kind does not match the index: the pack is not complete")
    return index
