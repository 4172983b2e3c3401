"""Carries a plan out: files are joined, tensors combined, chunk by chunk, and stored."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

from mgit.adding.chunking import store_bytes, store_pieces
from mgit.adding.layout import layout_of
from mgit.adding.pieces import Piece
from mgit.adding.relating import Bases
from mgit.codecs.form import Form
from mgit.combine import Chunks, Formula, Side, Statistics, combine, measure
from mgit.digest import Digest
from mgit.errors import AbsentError, ConflictError
from mgit.merging.configs import MAX_BYTES, Clashing, join
from mgit.merging.plan import (
    ByKeys,
    Combined,
    Conflicted,
    FileDecision,
    Plan,
    Reason,
    Taken,
    TensorDecision,
)
from mgit.objects import DTYPES, Content, FileEntry, Manifest, TensorEntry, Weights, digest_of
from mgit.objects.dtypes import row_elements
from mgit.progress import Progress
from mgit.repository import Parts
from mgit.store import PackWriter, Reader

# --- before it is decided ---


def join_files(plan: Plan, reader: Reader) -> Plan:
    """Returns the plan with the configuration files joined whose versions are here."""
    return replace(plan, files=tuple(_joined(file, reader) for file in plan.files))


def _joined(decision: FileDecision, reader: Reader) -> FileDecision:
    if not isinstance(decision, ByKeys):
        return decision
    name, versions = decision.name, decision.versions
    entries = [versions.of(side) for side in (Side.BASE, Side.OURS, Side.THEIRS)]
    known = [entry for entry in entries if entry and entry.size_bytes <= MAX_BYTES]
    if len(known) < len(entries):
        return Conflicted(name, versions, Reason.EDITED)
    try:
        base, ours, theirs = (b"".join(map(reader.chunk, entry.chunks)) for entry in known)
    except AbsentError:
        return decision
    joined = join(base, ours, theirs)
    if isinstance(joined, Clashing):
        reason = Reason.KEYS if joined.keys else Reason.EDITED
        return Conflicted(name, versions, reason, keys=joined.keys)
    side = {ours: Side.OURS, theirs: Side.THEIRS}.get(joined.content)
    if side:
        return Taken(name, versions, side)
    return replace(decision, content=joined.content)


def measure_conflicts(plan: Plan, reader: Reader, progress: Progress) -> Plan:
    """Returns the plan with statistics for the tensors that both sides edited, if they are here."""
    edited = [d for d in plan.tensors if isinstance(d, Conflicted) and d.reason is Reason.EDITED]
    total = sum(d.versions.base.size_bytes for d in edited if d.versions.base)
    done, measured = 0, dict[str, Statistics]()
    for decision in edited:
        base, ours, theirs = (
            decision.versions.base,
            decision.versions.ours,
            decision.versions.theirs,
        )
        if base is None or ours is None or theirs is None:
            continue
        try:
            measured[decision.name] = measure(_chunks(reader, base, ours, theirs), base.dtype)
        except AbsentError:
            continue  # the conflict is told without numbers
        done += base.size_bytes
        progress(done, total)
    return replace(plan, tensors=tuple(_with(d, measured.get(d.name)) for d in plan.tensors))


def _with(decision: TensorDecision, statistics: Statistics | None) -> TensorDecision:
    if statistics is None or not isinstance(decision, Conflicted):
        return decision
    return replace(decision, statistics=statistics)


def _chunks(
    reader: Reader, base: TensorEntry, ours: TensorEntry, theirs: TensorEntry
) -> Iterator[Chunks]:
    for a, b, c in zip(base.chunks, ours.chunks, theirs.chunks, strict=True):
        yield reader.chunk(a), reader.chunk(b), reader.chunk(c)


# --- when it is ---


@dataclass(slots=True)
class Carrier:
    """Writes what a plan makes anew.

    Attributes:
        writer: The packs that new chunks go to.
        bases: What a new chunk may be stored as a difference from.
        progress: Is told how far the combining is.
        total: Bytes to combine.
        done: Bytes combined.
    """

    writer: PackWriter
    bases: Bases
    progress: Progress
    total: int = 0
    done: int = 0

    def carry_out(self, plan: Plan, models: tuple[Parts, Parts, Parts]) -> Parts:
        """Stores the chunks of the merged model and returns what describes it.

        Args:
            plan: Without conflicts, its files joined.
            models: Base, ours, theirs.

        Raises:
            ConflictError: A method gives no numbers for some tensor.
            AbsentError, DamagedError: A chunk that is needed is not here, or damaged.
        """
        combined = [d for d in plan.tensors if isinstance(d, Combined)]
        self.total = sum(d.entries[0].size_bytes for d in combined)
        tensors = {d.name: tensor for d in plan.tensors if (tensor := self._tensor(d))}
        files = {d.name: file for d in plan.files if (file := self._file(d))}
        documents = {d.name: d.result for d in plan.documents if d.result}
        _check_paths({*files, *documents})
        layout = layout_of(tensors, {*files, *documents}, _by_layout(models))
        weights = Weights(tensors)
        content = Content(digest_of(weights), files)
        manifest = Manifest(digest_of(content), documents, digest_of(layout))
        return Parts(manifest, content, layout, weights)

    def _tensor(self, decision: TensorDecision) -> TensorEntry | None:
        match decision:
            case Taken():
                return decision.result
            case Combined():
                return self._combined(decision)
            case Conflicted():
                raise ValueError(f"{decision.name} is undecided")
            case _:
                assert_never(decision)

    def _combined(self, decision: Combined) -> TensorEntry:
        base, ours, theirs = decision.entries
        rule = decision.method.rule
        if not isinstance(rule, Formula):
            raise TypeError(f"{decision.method} computes nothing")
        parameters: Mapping[str, float] = dict(decision.method.parameters)
        form = Form(base.dtype, row_elements(DTYPES[base.dtype], base.shape))
        spoilt_by_chunk: list[int] = []

        def made_of(chunks: tuple[Digest, Digest, Digest]) -> bytes:
            one, two, three = map(self.bases.reader.chunk, chunks)
            combined = combine(rule, parameters, (one, two, three), base.dtype)
            spoilt_by_chunk.append(combined.spoilt)
            return combined.raw

        places = zip(base.chunks, ours.chunks, theirs.chunks, strict=True)
        pieces = (
            Piece(partial(made_of, chunks), form, decision.name, index)
            for index, chunks in enumerate(places)
        )
        made = store_pieces(pieces, self.writer, self.bases, self._advance)
        spoilt = sum(spoilt_by_chunk)
        if spoilt:
            raise ConflictError(
                f"{decision.method} makes {spoilt:,} elements of {decision.name!r} infinite or NaN",
                hint=f"choose another method for it: --strategy '{decision.name}=ours'",
            )
        return TensorEntry(base.dtype, base.shape, tuple(made))  # new values: tied to nothing

    def _advance(self, size: int) -> None:
        self.done += size
        self.progress(self.done, self.total)

    def _file(self, decision: FileDecision) -> FileEntry | None:
        match decision:
            case Taken():
                return decision.result
            case ByKeys(content=bytes() as content):
                return store_bytes(content, self.writer, self.bases)
            case ByKeys() | Conflicted():
                raise ValueError(f"{decision.name} is undecided")
            case _:
                assert_never(decision)


def _by_layout(models: tuple[Parts, Parts, Parts]) -> tuple[Parts, Parts]:
    """The sides, that one first whose layout counts: theirs where only they laid the files out."""
    base, ours, theirs = models
    is_ours_kept = ours.manifest.layout == base.manifest.layout
    return (theirs, ours) if is_ours_kept else (ours, theirs)


def _check_paths(files: Collection[str]) -> None:
    """Refuses twins on systems that ignore case, and a file where another one needs a folder."""
    seen: dict[str, str] = {}
    for path in sorted(files):
        folders = [path[:at] for at, letter in enumerate(path) if letter == "/"]
        for known in (seen.get(part.casefold()) for part in (path, *folders)):
            if known:
                raise ConflictError(
                    f"{known!r} and {path!r}, each from one side, cannot lie in one folder",
                    hint="rename one of them on its side, then merge again",
                )
        seen[path.casefold()] = path
