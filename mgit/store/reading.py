"""Objects out of packs, every one verified. Works over any set of packs whose bytes can be read."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from mgit.codecs import codec
from mgit.digest import Digest
from mgit.errors import (
    AbsentError,
    DamagedError,
    FormatError,
    MgitError,
    PackMissingError,
    UnknownCodecError,
)
from mgit.objects import CHUNK, PackId, Ref
from mgit.store.catalog import Catalog, Place
from mgit.store.format import check_of

ReadRange = Callable[[PackId, int, int], bytes]
Report = Callable[[Place, str], None]

_PASSED_OVER = (AbsentError, DamagedError, PackMissingError, UnknownCodecError)
_CACHED_BYTES = 96 << 20  # decoded chunks kept: the bases of what is decoded next are among them


@dataclass(slots=True)
class Reader:
    """Reads verified objects. Several threads may do so at once: what they note is locked.

    Attributes:
        catalog: Where they are.
        read: Gives a range of a pack's bytes.
        report: Is told of every row found damaged, once.
        renew: Lists the packs again, because one that was listed is gone.
    """

    catalog: Catalog
    read: ReadRange
    report: Report
    renew: Callable[[], Catalog] | None = None
    _intact: dict[Digest, bool] = field(default_factory=dict)
    _decoded: OrderedDict[Digest, bytes] = field(default_factory=OrderedDict)
    _decoded_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def object(self, ref: Ref) -> bytes:
        """Returns the bytes of a metadata object.

        Raises:
            AbsentError: It is not here.
            DamagedError: No row of it gives the right bytes.
        """
        return self._first_good(ref)

    def chunk(self, digest: Digest) -> bytes:
        """Returns the raw bytes of a chunk; raises as ``object`` does."""
        with self._lock:
            if digest in self._decoded:
                self._decoded.move_to_end(digest)
                return self._decoded[digest]
        raw = self._first_good(Ref(CHUNK, digest))
        with self._lock:
            self._remember(digest, raw)
        return raw

    def is_intact(self, chunk: Digest) -> bool:
        """Returns whether a chunk is here and every stored byte that it rests on is as written."""
        known = self._intact.get(chunk)
        if known is None:
            known = any(self._is_sound(place) for place in self.catalog.choices(chunk))
            self._intact[chunk] = known
        return known

    def _is_sound(self, place: Place) -> bool:
        try:
            self.stored(place)
        except FormatError as error:
            self._exclude(place, error)
            return False
        except PackMissingError:
            self.catalog.exclude(place)
            return False
        return all(self.is_intact(base) for base in place.row.bases)

    def _exclude(self, place: Place, error: FormatError) -> None:
        with self._lock:
            is_known = (place.pack, place.row.ref.digest) in self.catalog.damaged
            self.catalog.exclude(place)
        if not is_known:  # else another thread has told it
            self.report(place, str(error))

    def stored(self, place: Place) -> bytes:
        """Returns the body of a row as it is stored, after checking it.

        Raises:
            FormatError: The bytes are not those that the index promises.
        """
        body = self.read(place.pack, place.row.offset, place.row.end)
        _require_as_written(body, place)
        return body

    def decoded(self, place: Place) -> bytes:
        """Returns the object in this very row, whatever other rows of it there are.

        Raises:
            FormatError: The row is damaged.
            AbsentError, DamagedError: A base of it is not here, or is damaged.
            UnknownCodecError: This version cannot decode it.
        """
        row = place.row
        coding = codec(row.codec)
        if len(row.bases) > coding.bases:  # told before they are read: a row can name 65,535
            raise FormatError(f"{len(row.bases)} bases for codec {coding.name}")
        bases = [self.chunk(base) for base in row.bases]
        body = self.read(place.pack, row.offset, row.end)
        try:
            raw = coding.decode(body, bases, row.raw_bytes)
            if Digest.of(raw) != row.ref.digest:
                raise FormatError("decoded bytes do not have the digest they are stored under")
        except MgitError:
            _require_as_written(body, place)  # else that is what is wrong
            raise
        return raw

    def _first_good(self, ref: Ref) -> bytes:
        """Returns an object from the first row that gives it; lists again where a pack is gone."""
        failure: MgitError = AbsentError(f"{ref.kind} {ref.digest.short} is not here")
        places, renew = self._places(ref), self.renew
        while places:
            place = places.pop(0)
            try:
                return self.decoded(place)
            except FormatError as error:
                self._exclude(place, error)
                failure = DamagedError(
                    f"{ref.kind} {ref.digest.short} is damaged in pack {place.pack.short}",
                    hint="mgit fsck names the models it affects; adding the same checkpoint heals",
                )
            except _PASSED_OVER as error:  # of a base, or of this row
                if renew and isinstance(error, PackMissingError):
                    self.catalog, renew = renew(), None  # it was rewritten: it lies elsewhere now
                    places = self._places(ref)
                    continue
                self.catalog.exclude(place)  # else a cycle over it would never end
                failure = failure if isinstance(failure, DamagedError) else error
        raise failure

    def _places(self, ref: Ref) -> list[Place]:
        is_chunk = ref.kind == CHUNK
        return self.catalog.choices(ref.digest) if is_chunk else self.catalog.places(ref)

    def _remember(self, digest: Digest, raw: bytes) -> None:
        if digest in self._decoded:
            return  # another thread was faster
        self._decoded[digest] = raw
        self._decoded_bytes += len(raw)
        while self._decoded_bytes > _CACHED_BYTES:
            _, dropped = self._decoded.popitem(last=False)
            self._decoded_bytes -= len(dropped)


def _require_as_written(body: bytes, place: Place) -> None:
    if check_of(body) != place.row.check:
        raise FormatError("stored bytes differ from what the index promises")
