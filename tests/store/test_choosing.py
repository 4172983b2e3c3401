"""A new chunk is stored in the smallest way there is, within the bounds of depth and cost.

family of chunks: base --- nudged (a difference)      base --- cast, pruned, mean (derivations)
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.codecs import CAST, FAST, PLANES, PRUNE, RAW, SUM, codec, planes
from mgit.codecs.form import Form
from mgit.digest import Digest
from mgit.objects import CHUNK, DTYPES, Ref
from mgit.store import Candidate, Coding, Effort, Row, encode_chunk
from mgit.store.catalog import SMALL, SMALL_COST, WRITE_COST, WRITE_DEPTH
from mgit.store.format import check_of
from tests.store.building import Made, Packs, delta, full, id_of, raw_of

F32 = Form("F32")
HASTE = Coding(Effort.FAST)
EFFORTS = [Coding(effort) for effort in Effort]
ELEMENTS = 1 << 14
Floats = npt.NDArray[np.float32]


def the(word: str) -> list[Candidate]:
    return [Candidate(id_of(word), "F32")]


def in_another_codec(word: str) -> Made:
    row = full(word).row
    return Made(Row(row.ref, 99, (), 0, row.stored_bytes, row.raw_bytes, row.check), raw_of(word))


def stored(
    raw: bytes, number: int = RAW.number, bases: tuple[Digest, ...] = (), body: bytes = b""
) -> Made:
    """A chunk in a pack: as it is, or as it was coded."""
    body = body or raw
    ref = Ref(CHUNK, Digest.of(raw))
    return Made(Row(ref, number, bases, 0, len(body), len(raw), check_of(body)), body)


def values(seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=ELEMENTS).astype(np.float32)


def nudged(near: Floats, seed: int) -> Floats:
    return (near + values(seed) * np.float32(1e-5)).astype(np.float32)


def packs_of(*chunks: npt.NDArray[np.floating]) -> Packs:
    return Packs([stored(chunk.tobytes()) for chunk in chunks])


def parents(*chunks: Floats) -> list[Candidate]:
    return [Candidate(Digest.of(chunk.tobytes()), "F32") for chunk in chunks]


def test_a_difference_is_chosen_against_a_like_base_and_not_against_an_unlike_one() -> None:
    packs = Packs([full("A")])
    near, far = raw_of("AB"), raw_of("A")[::-1]

    assert encode_chunk(packs.reader, near, F32, the("A")).bases == (id_of("A"),)
    assert encode_chunk(packs.reader, far, F32, the("A")).bases == ()


@pytest.mark.parametrize("coding", EFFORTS)
def test_an_unrelated_base_is_refused(coding: Coding) -> None:
    one, other = values(1), values(2)

    coded = encode_chunk(packs_of(one).reader, other.tobytes(), F32, parents(one), coding)

    assert (coded.codec, coded.bases) == (PLANES.number, ())


def test_the_nearest_of_some_bases_is_taken_wherever_it_stands() -> None:
    far, near = values(1), values(2)
    new = nudged(near, 3)

    for order in ([far, near], [near, far]):
        packs = packs_of(far, near)
        coded = encode_chunk(packs.reader, new.tobytes(), F32, parents(*order))

        assert coded.bases == (Digest.of(near.tobytes()),)


@pytest.mark.parametrize("size", [1, 63, 66])
def test_a_tiny_chunk_and_one_of_broken_lanes_are_stored_as_they_are(size: int) -> None:
    raw = bytes(size)

    assert encode_chunk(Packs([]).reader, raw, F32).body == raw


def test_a_compressible_chunk_is_stored_in_planes() -> None:
    coded = encode_chunk(Packs([]).reader, bytes(4096), F32)

    assert (coded.codec, coded.bases) == (PLANES.number, ())
    assert coded.body == planes.encode(bytes(4096), F32)


def test_a_candidate_that_is_too_deep_is_replaced_by_the_root_that_it_rests_on() -> None:
    packs = Packs([full("0"), *(delta(str(i), str(i - 1)) for i in range(1, 11))])

    assert encode_chunk(packs.reader, raw_of("new"), F32, the("4")).bases == (id_of("4"),)
    assert encode_chunk(packs.reader, raw_of("new"), F32, the("5")).bases == (id_of("0"),)
    assert encode_chunk(packs.reader, raw_of("new"), F32, the("10")).bases == (id_of("0"),)


@pytest.mark.parametrize("spoilt", ["A", "B"])
def test_a_candidate_that_is_damaged_is_passed_over(spoilt: str) -> None:
    packs = Packs([full("A"), delta("B", "A")])
    packs.spoil(0, spoilt)

    assert encode_chunk(packs.reader, raw_of("BC"), F32, the("B")).bases == ()


def test_a_candidate_beyond_what_readers_take_is_passed_over() -> None:
    packs = Packs([full("0"), *(delta(str(i), str(i - 1)) for i in range(1, 34))])

    coded = encode_chunk(packs.reader, raw_of("new"), F32, the("33"))

    assert packs.reader.catalog.choices(id_of("33")) == []
    assert coded.bases == ()


def test_a_candidate_in_a_newer_codec_is_passed_over() -> None:
    packs = Packs([in_another_codec("A")])

    assert encode_chunk(packs.reader, raw_of("B"), F32, the("A")).bases == ()


def test_a_candidate_with_another_number_of_elements_is_not_even_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packs = packs_of(values(1))
    monkeypatch.setattr(type(packs.reader), "chunk", lambda *_: pytest.fail("decoded"))

    encode_chunk(packs.reader, values(1)[1:].tobytes(), F32, parents(values(1)))


# --- derivations ---


def test_a_cast_a_pruned_one_and_a_mean_take_next_to_nothing() -> None:
    one, two, three = values(1), nudged(values(1), 2), nudged(values(1), 3)
    packs = packs_of(one, two, three)
    made: list[tuple[npt.NDArray[np.floating], Form, list[Candidate], int]] = [
        (one.astype(np.float16), Form("F16"), parents(one), CAST.number),
        (np.where(abs(one) > 0.7, one, np.float32(0)), F32, parents(two, one), PRUNE.number),
        ((one + two + three) / np.float32(3), F32, parents(one, two, three), SUM.number),
    ]
    for chunk, form, candidates, number in made:
        coded = encode_chunk(packs.reader, chunk.tobytes(), form, candidates)

        assert coded.codec == number
        assert len(coded.body) * 500 < chunk.nbytes


def test_haste_takes_the_first_base_of_the_type_and_looks_for_no_derivation() -> None:
    one, two = values(1), nudged(values(1), 2)
    packs = packs_of(one, two, one.astype(np.float16))
    half = Candidate(Digest.of(one.astype(np.float16).tobytes()), "F16")
    middle = (one + two) / np.float32(2)

    coded = encode_chunk(packs.reader, middle.tobytes(), F32, [half, *parents(two, one)], HASTE)

    assert (coded.codec, coded.bases) == (FAST.number, (Digest.of(two.tobytes()),))
    pruned = np.where(abs(two) > 0.01, two, np.float32(0)).tobytes()
    assert encode_chunk(packs.reader, pruned, F32, parents(two), HASTE).codec == FAST.number
    assert encode_chunk(packs.reader, pruned, F32, parents(two)).codec == PRUNE.number


# --- laws ---

types = st.sampled_from([name for name, dtype in DTYPES.items() if dtype.bits >= 8])
codings = st.sampled_from(EFFORTS)


@given(types, codings, st.binary(max_size=600), st.binary(max_size=600), st.booleans())
def test_what_is_coded_comes_back_whatever_the_bits(
    name: str,
    coding: Coding,
    base: bytes,
    raw: bytes,
    is_near: bool,  # noqa: FBT001  # drawn
) -> None:
    raw = base[: len(base) // 2] + raw[: len(base) - len(base) // 2] if is_near else raw
    packs = Packs([stored(base)]) if base else Packs([])

    coded = encode_chunk(packs.reader, raw, Form(name), [Candidate(Digest.of(base), name)], coding)

    bases = [packs.reader.chunk(chunk) for chunk in coded.bases]
    assert codec(coded.codec).decode(coded.body, bases, len(raw)) == raw
    assert len(coded.body) <= len(raw)


def mean(family: list[Floats]) -> Floats:
    return np.asarray((family[-1] + family[len(family) // 2]) / np.float32(2))


STEPS: dict[str, Callable[[list[Floats]], Floats]] = {
    "nudge the last": lambda family: nudged(family[-1], len(family)),
    "nudge an old one": lambda family: nudged(family[len(family) // 3], len(family)),
    "mean": mean,
    "prune": lambda family: np.where(abs(family[-1]) > 0.1, family[-1], np.float32(0)),
}


@given(st.lists(st.sampled_from(list(STEPS)), min_size=8, max_size=14), codings)
def test_however_long_a_family_grows_every_row_keeps_to_the_bounds_of_writers(
    steps: list[str], coding: Coding
) -> None:
    family, rows = [values(0)[:512]], [stored(values(0)[:512].tobytes())]
    for step in steps:
        new = STEPS[step]([np.resize(chunk, ELEMENTS) for chunk in family])[:512]
        candidates = parents(*family[:-4:-1], family[len(family) // 2], family[len(family) // 3])
        raw = new.tobytes()
        coded = encode_chunk(Packs(rows).reader, raw, F32, candidates, coding)
        if Digest.of(raw) not in {made.row.ref.digest for made in rows}:
            rows.append(stored(raw, coded.codec, coded.bases, coded.body))
        family.append(new)

    packs = Packs(rows)
    for made in rows:
        row, cost = made.row, packs.catalog.cost(made.row.ref.digest)
        assert cost is not None
        assert cost.depth <= WRITE_DEPTH
        is_small = row.stored_bytes * SMALL <= row.raw_bytes
        assert cost.raw_bytes <= row.raw_bytes * (SMALL_COST if is_small else WRITE_COST)
        assert Digest.of(packs.reader.chunk(row.ref.digest)) == row.ref.digest
