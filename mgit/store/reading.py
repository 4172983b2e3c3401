"""Objects out of packs, every one verified. Works over any set of packs whose bytes can be read."""

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
    """Reads verified objects.

    Attributes:
        catalog: Where they are.
        read: Gives a range of a pack's bytes.
        report: Is told of every row found damaged, once.
    """

    catalog: Catalog
    read: ReadRange
    report: Report
    _intact: dict[Digest, bool] = field(default_factory=dict)
    _decoded: OrderedDict[Digest, bytes] = field(default_factory=OrderedDict)
    _decoded_bytes: int = 0

    def object(self, ref: Ref) -> bytes:
        """Returns the bytes of a metadata object.

        Raises:
            AbsentError: It is not here.
            DamagedError: No row of it gives the right bytes.
        """
        return self._first_good(ref, self.catalog.places(ref))

    def chunk(self, digest: Digest) -> bytes:
        """Returns the raw bytes of a chunk; raises as ``object`` does."""
        if digest in self._decoded:
            self._decoded.move_to_end(digest)
            return self._decoded[digest]
        raw = self._first_good(Ref(CHUNK, digest), self.catalog.choices(digest))
        self._remember(digest, raw)
        return raw

    def is_intact(self, chunk: Digest) -> bool:
        """Returns whether a chunk is here and every stored byte that it rests on is as written."""
        if chunk not in self._intact:
            found = any(self._is_sound(place) for place in self.catalog.choices(chunk))
            self._intact[chunk] = found
        return self._intact[chunk]

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
        self.catalog.exclude(place)
        self.report(place, str(error))

    def stored(self, place: Place) -> bytes:
        """Returns the body of a row as it is stored, after checking it.

        Raises:
            FormatError: The bytes are not those that the index promises.
        """
        body = self.read(place.pack, place.row.offset, place.row.end)
        if check_of(body) != place.row.check:
            raise FormatError("stored bytes differ from what the index promises")
        return body

    def _first_good(self, ref: Ref, places: list[Place]) -> bytes:
        failure: MgitError = AbsentError(f"{ref.kind} {ref.digest.short} is not here")
        for place in places:
            try:
                return self._decode(place)
            except FormatError as error:
                self._exclude(place, error)
                failure = DamagedError(
                    f"{ref.kind} {ref.digest.short} is damaged in pack {place.pack.short}",
                    hint="mgit fsck names the models it affects; adding the same checkpoint heals",
                )
            except _PASSED_OVER as error:  # of a base, or of this row
                self.catalog.exclude(place)  # else a cycle over it would never end
                failure = failure if isinstance(failure, DamagedError) else error
        raise failure

    def _decode(self, place: Place) -> bytes:
        row = place.row
        coding = codec(row.codec)
        bases = [self.chunk(base) for base in row.bases]
        raw = coding.decode(self.stored(place), bases, row.raw_bytes)
        if Digest.of(raw) != row.ref.digest:
            raise FormatError("decoded bytes do not have the digest they are stored under")
        return raw

    def _remember(self, digest: Digest, raw: bytes) -> None:
        self._decoded[digest] = raw
        self._decoded_bytes += len(raw)
        while self._decoded_bytes > _CACHED_BYTES:
            _, dropped = self._decoded.popitem(last=False)
            self._decoded_bytes -= len(dropped)
