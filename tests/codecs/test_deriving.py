"""What a chunk was derived by is found, and costs next to nothing; other chunks are left alone.

base ── tuned on A ─┐
     └─ tuned on B ─┴─ merged, pruned, cast, quantized, with an adapter
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from mgit import combine
from mgit.codecs import CAST, INT8, LOW_RANK, PRUNE, SUM, codec, environment, fast
from mgit.codecs.deriving import Derived, derive
from mgit.codecs.form import Form, Related
from tests.codecs.models import COLUMNS, ROWS, Single, chunk, form, related, tuned, values, weights

BASE = weights(0)
ON_A, ON_B, ON_C = (tuned(BASE, seed) for seed in (1, 2, 3))
FLOATS = ("F64", "F32", "F16", "BF16")
FEW_BYTES = 60


def found(
    raw: bytes, kind: Form, near: Sequence[Related], parents: Sequence[Related] = ()
) -> Derived:
    """The derivation of a chunk, which gives it back."""
    derived = derive(raw, kind, near, parents)
    assert derived is not None
    given = (*near, *parents)
    bases = [given[place].raw for place in derived.bases]
    assert codec(derived.codec).decode(derived.body, bases, len(raw)) == raw
    return derived


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(FLOATS, 2)))
def test_a_cast_is_found(source: str, target: str) -> None:
    parent = related(ON_A, source)

    derived = found(chunk(values(parent.raw, source), target), form(target), [parent])

    assert (derived.codec, derived.bases) == (CAST.number, (0,))
    assert len(derived.body) < FEW_BYTES


def test_a_cast_that_was_trained_further_is_stored_as_what_is_left() -> None:
    parent, raw = related(BASE), chunk(tuned(BASE, 1), "BF16")

    derived = found(raw, form("BF16"), [parent])

    assert derived.codec == CAST.number
    assert len(derived.body) < len(raw)


def test_a_chunk_of_the_same_type_that_is_as_near_is_left_to_plain_differences() -> None:
    near = [related(BASE), related(BASE, "BF16")]

    assert derive(chunk(tuned(BASE, 1), "BF16"), form("BF16"), near, []) is None


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("noughts", ["positive", "signed"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_threshold_is_found(name: str, noughts: str, share: float) -> None:
    parent = values(chunk(ON_A, name), name)
    is_kept = np.abs(parent) > np.quantile(np.abs(parent), share)
    pruned = parent * is_kept if noughts == "signed" else np.where(is_kept, parent, np.float32(0))

    derived = found(chunk(pruned, name), form(name), [related(BASE, name), related(parent, name)])

    assert (derived.codec, derived.bases) == (PRUNE.number, (1,))
    assert len(derived.body) < FEW_BYTES


def test_the_first_of_equal_magnitudes_are_pruned() -> None:
    parent = np.round(ON_A, 2)
    pruned = parent.copy()
    pruned.flat[np.argsort(np.abs(parent), axis=None, kind="stable")[: parent.size // 2]] = 0

    derived = found(chunk(pruned), form(), [related(parent)])

    assert derived.codec == PRUNE.number
    assert len(derived.body) < FEW_BYTES


PARENTS = [related(model) for model in (ON_A, ON_B, ON_C)]


@pytest.mark.parametrize("name", FLOATS)
def test_a_mean_is_found_whatever_the_order_of_the_parents(name: str) -> None:
    a, b, c = (related(model, name) for model in (ON_A, ON_B, ON_C))
    wide = np.dtype("<f8" if name == "F64" else "<f4")
    x, y, z = (values(model.raw, name).astype(wide) for model in (b, c, a))
    mean = (x + y + z) / wide.type(3)
    raw = mean.tobytes() if name == "F64" else chunk(mean.astype("<f4"), name)

    derived = found(raw, form(name), [], [a, b, c])

    assert derived.codec == SUM.number
    assert sorted(derived.bases) == [0, 1, 2]
    assert len(derived.body) < FEW_BYTES


@pytest.mark.parametrize("rounded", ["each time", "once"])
def test_a_mean_is_found_however_it_was_rounded(rounded: str) -> None:
    a, b, c = (values(chunk(model, "BF16"), "BF16") for model in (ON_A, ON_B, ON_C))

    def keep(made: Single) -> Single:
        return values(chunk(made, "BF16"), "BF16") if rounded == "each time" else made

    mean = keep(keep(keep(a + b) + c) / np.float32(3))
    parents = [related(model, "BF16") for model in (a, b, c)]

    derived = found(chunk(mean, "BF16"), form("BF16"), [], parents)

    assert len(derived.body) < FEW_BYTES


def test_a_parent_without_a_part_is_left_out() -> None:
    mean = (ON_A + ON_C) / np.float32(2)

    derived = found(chunk(mean), form(), [related(BASE)], [related(BASE), *PARENTS])

    assert (derived.codec, sorted(derived.bases)) == (SUM.number, [2, 4])


def test_a_mean_is_found_where_most_rows_were_never_trained() -> None:
    touched = np.arange(ROWS)[:, None] % 24 == 7
    a = np.where(touched, ON_A, BASE * np.float32(0.999))
    b = np.where(touched, ON_B, BASE * np.float32(0.998))
    mean = (a + b + BASE) / np.float32(3)

    derived = found(chunk(mean), form(), [], [related(a), related(b), related(BASE)])

    assert len(derived.body) < FEW_BYTES


def test_a_mean_of_parents_in_line_is_found() -> None:
    decayed = [BASE * np.float32(1 - share) for share in (0.001, 0.003, 0.007)]
    mean = (decayed[0] + decayed[1] + decayed[2]) / np.float32(3)

    derived = found(chunk(mean), form(), [], [related(model) for model in decayed])

    assert len(derived.body) < FEW_BYTES


def test_numbers_whose_differences_overflow_are_no_sum() -> None:
    signs = [np.sign(weights(seed)).astype("<f8") for seed in (4, 5, 6)]
    huge = [(sign * 1.7e308).tobytes() for sign in signs]
    parents = [Related(raw, "F64") for raw in huge[1:]]

    assert derive(huge[0], form("F64"), parents, parents) is None


@pytest.mark.parametrize("name", ["F32", "BF16"])
@pytest.mark.parametrize(("left", "right"), [(0.3, 0.7), (0.5, 0.5), (1 / 3, 2 / 3)])
def test_a_weighted_mean_in_double_precision_is_found(name: str, left: float, right: float) -> None:
    a, b = (values(chunk(model, name), name) for model in (ON_A, ON_B))
    mean = np.zeros(a.shape) + a.astype("f8") * left + b.astype("f8") * right
    exact = mean if name == "F32" else combine.rounded(mean, combine._FLOATS[name])
    raw = chunk(exact.astype("f4"), name)

    derived = found(raw, form(name), [], [related(a, name), related(b, name)])

    assert derived.codec == SUM.number
    assert len(derived.body) < FEW_BYTES


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize(("method", "weight"), [("average", 1), ("task_arithmetic", 0.4)])
def test_what_a_merge_computes_is_found(name: str, method: str, weight: float) -> None:
    three = [related(model, name) for model in (BASE, ON_A, ON_B)]
    rule = combine.METHODS[method]
    assert isinstance(rule, combine.Formula)
    base, ours, theirs = (model.raw for model in three)
    raw = combine.combine(rule, {"weight": weight}, (base, ours, theirs), name).raw

    derived = found(raw, form(name), [], [three[1], three[0], three[2]])

    assert derived.codec == SUM.number
    assert len(derived.body) < FEW_BYTES


def test_weights_that_nobody_would_write_are_found_and_what_is_left_is_stored() -> None:
    merged = (0.31830988 * ON_A + 0.70710678 * ON_B).astype("f4")
    raw = chunk(merged)

    derived = found(raw, form(), [], [related(ON_A), related(ON_B)])

    assert derived.codec == SUM.number
    assert len(derived.body) < len(fast.encode(raw, chunk(ON_A), form())) / 5


@pytest.mark.parametrize(
    ("name", "rank"), [("F32", 1), ("F32", 8), ("F32", 24), ("BF16", 1), ("BF16", 4), ("F16", 2)]
)
def test_a_merged_adapter_is_found(name: str, rank: int) -> None:
    random = np.random.default_rng(rank)
    left, right = random.normal(0, 0.3, (ROWS, rank)), random.normal(0, 0.3, (rank, COLUMNS))
    parent = values(chunk(BASE, name), name)
    raw = chunk((parent + (left @ right).astype("f4")).astype("f4"), name)

    derived = found(raw, form(name), [related(ON_A, name), related(parent, name)])

    assert (derived.codec, derived.bases) == (LOW_RANK.number, (1,))
    assert len(derived.body) < 0.8 * len(fast.encode(raw, chunk(parent, name), form(name)))


@pytest.mark.parametrize("rounded", [0, 1])
def test_an_adapter_that_was_rounded_before_the_sum_is_told_apart(rounded: int) -> None:
    random = np.random.default_rng(0)
    change = random.normal(0, 0.1, (ROWS, 4)) @ random.normal(0, 0.1, (4, COLUMNS))
    parent = values(chunk(BASE, "BF16"), "BF16")
    added = values(chunk(change.astype("f4"), "BF16"), "BF16").astype("f8") if rounded else change
    raw = chunk((parent + added).astype("f4"), "BF16")

    derived = found(raw, form("BF16"), [related(BASE, "BF16")])

    assert (derived.codec, derived.body[2]) == (LOW_RANK.number, rounded)


@pytest.mark.parametrize("name", ["F32", "BF16", "F64"])
@pytest.mark.parametrize("way", ["quotient", "product"])
def test_quantization_of_rows_is_found(name: str, way: str) -> None:
    parent = values(chunk(ON_A, name), name)
    scales = np.abs(parent).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.float32(1) / scales
    quotients = parent * inverse if way == "product" else parent / scales
    raw = np.clip(np.rint(quotients), -128, 127).astype(np.int8).tobytes()

    derived = found(raw, Form("I8", COLUMNS), [related(parent, name)])

    assert derived.codec == INT8.number
    assert len(derived.body) < FEW_BYTES


def test_quantization_by_other_scales_is_found_with_the_scales() -> None:
    scales = np.random.default_rng(5).uniform(2e-4, 4e-4, (ROWS, 1)).astype("f4")
    raw = np.clip(np.rint(ON_A / scales), -128, 127).astype(np.int8).tobytes()

    derived = found(raw, Form("I8", COLUMNS), [related(ON_A)])

    assert derived.codec == INT8.number
    assert len(derived.body) < 6 * ROWS


def test_a_few_other_elements_are_stored_beside() -> None:
    scales = np.abs(ON_A).max(axis=1, keepdims=True) / np.float32(127)
    integers = np.rint(ON_A / scales).astype(np.int8)
    integers[3, 5] += 1
    integers[70, 0] -= 1

    derived = found(integers.tobytes(), Form("I8", COLUMNS), [related(ON_A)])

    assert len(derived.body) < 2 * FEW_BYTES


@pytest.mark.parametrize("name", FLOATS)
def test_ordinary_training_is_no_derivation(name: str) -> None:
    near = [related(model, name) for model in (BASE, ON_B, ON_C)]

    assert derive(chunk(ON_A, name), form(name), near, near) is None


def test_a_stranger_is_no_derivation() -> None:
    strangers = [related(weights(seed), name) for seed, name in ((7, "F32"), (8, "BF16"))]

    assert derive(chunk(BASE), form(), strangers, strangers) is None
    assert derive(chunk(BASE)[: ROWS * COLUMNS], Form("I8", COLUMNS), strangers, []) is None


def test_a_machine_that_rounds_otherwise_derives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "is_exact", lambda: False)

    assert derive(chunk(ON_A, "BF16"), form("BF16"), [related(ON_A)], []) is None


def test_without_anything_near_there_is_no_derivation() -> None:
    assert derive(chunk(BASE), form(), [], []) is None
    assert derive(b"", form(), [], []) is None


def test_broken_rows_and_elements_are_no_derivation() -> None:
    raw, parent = chunk(ON_A), related(BASE)

    assert derive(raw, Form("F32", COLUMNS - 1), [parent], [parent, parent]) is None
    assert derive(raw[:-1], form(), [parent], [parent, parent]) is None
    assert derive(raw[: ROWS * COLUMNS], Form("I8", COLUMNS - 1), [parent], []) is None
