"""Weights that are nearly what they were, and take much less: only when asked, and only if tested.

What a model changed of its parent is rounded to whole steps; the parent is taken as it is stored,
so errors do not add up along a chain. The result has another content and is another node, made
from the exact one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

import numpy as np

from mgit.codecs import STEPS
from mgit.codecs.floats import FLOATS, Float, are_finite, values_of
from mgit.codecs.form import Form
from mgit.codecs.steps import Quantised, quantise
from mgit.digest import Digest
from mgit.objects import (
    CHUNK,
    DTYPES,
    Content,
    Manifest,
    Ref,
    TensorEntry,
    Weights,
    digest_of,
)
from mgit.objects.dtypes import row_elements
from mgit.repository import Parts
from mgit.store import Candidate, Coded, Cost, PackWriter, Reader, encode_chunk


@dataclass(frozen=True, slots=True)
class Relative:
    """Steps that are a share of the root mean square of what a tensor changed."""

    share: float


@dataclass(frozen=True, slots=True)
class Absolute:
    """Steps of one length: no number, as it is stored, is off by more than ``error``."""

    error: float


Bound: TypeAlias = Relative | Absolute

_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of a tensor; numbers are in the units of its elements.

    Attributes:
        step: Length of a step.
        max_error: Largest deviation of an element, as it is stored.
        rms_error: Root mean square of all deviations.
        rms_update: Root mean square of what the model changed of its parent.
        elements: How many there are.
    """

    step: float
    max_error: float
    rms_error: float
    rms_update: float
    elements: int


@dataclass(frozen=True, slots=True)
class Lossy:
    """A model that was quantised.

    Attributes:
        parts: What describes it.
        losses: Tensors that changed -> what became of them.
    """

    parts: Parts
    losses: Mapping[str, Loss]


@dataclass(frozen=True, slots=True)
class Quantiser:
    """Quantises one model.

    Attributes:
        reader: Reads what the store holds: the model, and what it is quantised against.
        writer: Takes the chunks that are not there yet.
        bases: Weights that it was made from, the nearest first, as they are stored.
        bound: How much may be lost.
        losses: Is filled: tensors that changed -> what became of them.
    """

    reader: Reader
    writer: PackWriter
    bases: Sequence[Weights]
    bound: Bound
    losses: dict[str, Loss] = field(default_factory=dict)

    def quantised(self, parts: Parts) -> Lossy:
        """Returns what a model becomes; what has no parent of its shape and type stays exact."""
        tensors = {name: self._tensor(name, e) for name, e in parts.weights.tensors.items()}
        weights = Weights(tensors)
        content = Content(digest_of(weights), parts.content.files)
        manifest = Manifest(digest_of(content), parts.manifest.documents, parts.manifest.layout)
        return Lossy(Parts(manifest, content, parts.layout, weights), self.losses)

    def _tensor(self, name: str, entry: TensorEntry) -> TensorEntry:
        base = self._base(name, entry)
        form = FLOATS.get(entry.dtype)
        if base is None or form is None or base.chunks == entry.chunks:
            return entry
        rms_update = self._rms_update(entry, base, form)
        step = _step(self.bound, rms_update)
        if not step or not math.isfinite(step):
            return entry
        shape = Form(entry.dtype, row_elements(DTYPES[entry.dtype], entry.shape))
        pairs = zip(entry.chunks, base.chunks, strict=True)
        made = [self._chunk(chunk, on, shape, step) for chunk, on in pairs]
        stored = replace(entry, chunks=tuple(one.chunk for one in made))
        if stored != entry:
            count = max(math.prod(entry.shape), 1)
            rms_error = math.sqrt(sum(one.square_error for one in made) / count)
            most = max(one.max_error for one in made)
            self.losses[name] = Loss(step, most, rms_error, rms_update, count)
        return stored

    def _base(self, name: str, entry: TensorEntry) -> TensorEntry | None:
        found = (weights.tensors.get(name) for weights in self.bases)
        kind = (entry.dtype, entry.shape)
        return next((base for base in found if base and (base.dtype, base.shape) == kind), None)

    def _rms_update(self, entry: TensorEntry, base: TensorEntry, form: Float) -> float:
        """Returns the root mean square of what an update changes, in the elements' units."""
        squares = 0.0
        for chunk, on in zip(entry.chunks, base.chunks, strict=True):
            squares += _deviation(self.reader.chunk(chunk), self.reader.chunk(on), form)[1]
        return math.sqrt(squares / max(math.prod(entry.shape), 1))

    def _chunk(self, chunk: Digest, on: Digest, shape: Form, step: float) -> "_Made":
        raw, base, form = self.reader.chunk(chunk), self.reader.chunk(on), FLOATS[shape.type]
        max_error = self.bound.error if isinstance(self.bound, Absolute) else math.inf
        nearly = quantise(raw, base, form, step, max_error=max_error)
        exact = self.reader.catalog.choices(chunk)
        if nearly.raw == raw or exact[0].row.stored_bytes <= len(nearly.body):
            return _Made(chunk)
        made = Digest.of(nearly.raw)
        ref = Ref(CHUNK, made)
        if ref not in self.writer and not self.reader.is_intact(made):
            coded = self._coded(nearly, on, shape)
            self.writer.add(
                ref, coded.body, raw_bytes=len(raw), codec=coded.codec, bases=coded.bases
            )
        return _Made(made, *_deviation(nearly.raw, raw, form))

    def _coded(self, nearly: Quantised, on: Digest, shape: Form) -> Coded:
        """Returns how a chunk is stored: in steps, unless what it rests on is too deep for that."""
        size, cost = len(nearly.raw), self.reader.catalog.cost(on)
        if cost and Cost.over(size, [cost]).may_be_written(size, len(nearly.body)):
            return Coded(STEPS.number, (on,), nearly.body)
        return encode_chunk(self.reader, nearly.raw, shape, [Candidate(on, shape.type)])


@dataclass(frozen=True, slots=True)
class _Made:
    """What a chunk became, and how far that is from what it was."""

    chunk: Digest
    max_error: float = 0.0
    square_error: float = 0.0


def _step(bound: Bound, rms_update: float) -> float:
    match bound:
        case Relative(share):
            return share * rms_update
        case Absolute(error):
            return 2 * error
        case _:
            assert_never(bound)


def _deviation(left: bytes, right: bytes, form: Float) -> tuple[float, float]:
    """Returns the largest difference of finite elements, and the sum of the squares of all."""
    most = squares = 0.0
    for start in range(0, len(left), _BLOCK_BYTES):
        a, b = (
            np.frombuffer(raw[start : start + _BLOCK_BYTES], form.unsigned) for raw in (left, right)
        )
        is_number = are_finite(a, form) & are_finite(b, form)
        change = values_of(a[is_number], form) - values_of(b[is_number], form)
        most = max(most, float(np.abs(change).max(initial=0.0)))
        squares += float(np.vdot(change, change))
    return most, squares
