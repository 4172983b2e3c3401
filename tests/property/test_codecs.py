"""Laws of codecs: exact for every bit pattern; a hostile body costs little and is refused."""

import struct
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit.codecs import CODECS, FAST, PLANES, PLANES_X, RCB, RCB_X, codec, fast, planes, rcb, zstd
from mgit.codecs.form import Form
from mgit.codecs.lanes import BLOCK
from mgit.digest import Digest
from mgit.errors import FormatError, UnknownCodecError
from mgit.objects import DTYPES, DType
from tests.codecs.stored import derivations

# The bits that floats find hard: NaNs with payloads, infinities, zeros, subnormals, the largest.
HARD = {
    1: [0x00, 0x80, 0x01, 0x81, 0x7F, 0xFF, 0x7E, 0xFE],
    2: [0x0000, 0x8000, 0x0001, 0x8001, 0x7C00, 0xFC00, 0x7F80, 0xFF81, 0x7FC1, 0xFFFF, 0x7BFF],
    4: [0, 1 << 31, 1, (1 << 31) + 1, 0x7F800000, 0xFF800000, 0x7F800001, 0xFFC12345, 0x7F7FFFFF],
    8: [0, 1 << 63, 1, (1 << 63) + 1, 0x7FF << 52, 0xFFF << 52, (0x7FF << 52) + 1, (1 << 64) - 1],
}
FORMS = {1: "B", 2: "H", 4: "I", 8: "Q"}
ALL_TYPES = pytest.mark.parametrize("name", DTYPES)


def lanes_of(dtype: DType, count: int | None = None) -> st.SearchStrategy[bytes]:
    """Raw bytes of lanes with any bits."""
    lane = st.integers(0, (1 << 8 * dtype.lane) - 1) | st.sampled_from(HARD[dtype.lane])
    return st.lists(lane, min_size=count or 0, max_size=60 if count is None else count).map(
        lambda bits: struct.pack(f"<{len(bits)}{FORMS[dtype.lane]}", *bits)
    )


def streamed(size: int, seed: bytes) -> bytes:
    """Bytes that do not compress."""
    blocks = (Digest.of(seed + i.to_bytes(4, "big")) for i in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def every_way_back(raw: bytes, base: bytes, form: Form) -> Iterator[bytes]:
    """Yields ``raw`` as each codec gives it back."""
    for entropy_coded, alone, changed in ((False, PLANES, RCB), (True, PLANES_X, RCB_X)):
        body = planes.encode(raw, form, entropy_coded=entropy_coded)
        yield alone.decode(body, (), len(raw))
        body = rcb.encode(raw, base, form, entropy_coded=entropy_coded)
        yield changed.decode(body, [base], len(raw))
    yield FAST.decode(fast.encode(raw, base, form), [base], len(raw))


@ALL_TYPES
@given(data=st.data())
@settings(max_examples=settings().max_examples // 5)
def test_a_chunk_comes_back_bit_for_bit(name: str, data: st.DataObject) -> None:
    dtype = DTYPES[name]
    raw = data.draw(lanes_of(dtype))
    base = data.draw(st.just(raw) | lanes_of(dtype, len(raw) // dtype.lane))
    row = data.draw(st.sampled_from([1, 3, 64]))

    assert set(every_way_back(raw, base, Form(name, row))) == {raw}


@ALL_TYPES
def test_every_pair_of_hard_values_comes_back(name: str) -> None:
    dtype = DTYPES[name]
    hard = HARD[dtype.lane]
    form = f"<{len(hard) ** 2}{FORMS[dtype.lane]}"
    raw = struct.pack(form, *(child for child in hard for _ in hard))
    base = struct.pack(form, *(parent for _ in hard for parent in hard))

    assert set(every_way_back(raw, base, Form(name))) == {raw}


@pytest.mark.parametrize("name", ["F8_E4M3", "BF16", "F32", "C64", "I64"])
@pytest.mark.parametrize("count", [BLOCK, BLOCK + 3, 3 * BLOCK])
def test_a_chunk_longer_than_a_block_comes_back(name: str, count: int) -> None:
    size = count * DTYPES[name].lane
    raw, base = (streamed(size, seed) for seed in (b"child", b"base"))

    assert set(every_way_back(raw, base, Form(name))) == {raw}


@pytest.mark.slow
def test_all_pairs_of_bytes_come_back() -> None:
    values = bytes(range(256))
    raw, base = values * 256, b"".join(bytes([value]) * 256 for value in values)

    for name in ("U8", "F8_E5M2"):
        body = fast.encode(raw, base, Form(name))

        assert FAST.decode(body, [base], len(raw)) == raw


def test_the_same_chunk_is_a_difference_of_nothing() -> None:
    raw = streamed(64 << 10, b"same")

    assert len(fast.encode(raw, raw, F32)) < 200


def test_a_small_step_costs_the_same_on_both_sides_of_nought() -> None:
    smallest, minus_smallest = struct.pack("<I", 1), struct.pack("<I", 0x80000001)

    body = fast.encode(minus_smallest * 1000, smallest * 1000, F32)

    assert len(body) < 120  # four times the same plane, of -3 in each lane


def test_a_number_without_a_codec_is_told_apart_from_damage() -> None:
    assert {codec(number) for number in CODECS} == set(CODECS.values())
    with pytest.raises(UnknownCodecError, match="codec 200"):
        codec(200)


RAW = streamed(512, b"raw")
BASE = streamed(512, b"base")
SKEWED = bytes(min(octet // 40, 3) for octet in RAW)  # what the entropy coder is best at
F32 = Form("F32")
STORED: dict[int, tuple[bytes, Sequence[bytes]]] = {
    0: (RAW, ()),
    1: (planes.encode(bytes(256) + RAW[:256], F32), ()),
    2: (fast.encode(BASE[:256] + RAW[:256], BASE, F32), [BASE]),
    3: (rcb.encode(BASE[:256] + RAW[:256], BASE, F32), [BASE]),
    9: (planes.encode(SKEWED, Form("U8"), entropy_coded=True), ()),
    10: (rcb.encode(SKEWED, bytes(512), Form("U8"), entropy_coded=True), [bytes(512)]),
    **derivations(BASE),
    12: (zstd.encode(SKEWED), ()),
}
ALL_CODECS = pytest.mark.parametrize("number", CODECS)


@ALL_CODECS
def test_a_truncated_or_longer_body_is_refused(number: int) -> None:
    body, bases = STORED[number]

    for end in range(len(body)):
        with pytest.raises(FormatError):
            codec(number).decode(body[:end], bases, 512)
    with pytest.raises(FormatError):
        codec(number).decode(body + b"\0", bases, 512)


@ALL_CODECS
@given(data=st.data())
def test_a_flipped_bit_is_refused_or_gives_as_many_bytes(number: int, data: st.DataObject) -> None:
    body, bases = STORED[number]
    at = data.draw(st.integers(0, 25) | st.integers(0, len(body) - 1))
    changed = bytearray(body)
    changed[at % len(body)] ^= 1 << data.draw(st.integers(0, 7))
    try:
        raw = codec(number).decode(bytes(changed), bases, 512)
    except FormatError:
        return

    assert len(raw) == 512  # and its digest is compared by whoever asked


@ALL_CODECS
@given(st.binary(max_size=80), st.integers(0, 600), st.lists(st.binary(max_size=20), max_size=2))
def test_any_body_is_refused_or_gives_as_many_bytes(
    number: int, body: bytes, size: int, bases: list[bytes]
) -> None:
    try:
        raw = codec(number).decode(body, bases, size)
    except FormatError:
        return

    assert len(raw) == size


@ALL_CODECS
def test_bases_that_are_missing_too_many_or_too_short_are_refused(number: int) -> None:
    body, bases = STORED[number]
    wrong = [[*bases, BASE], [BASE[:-4]], *([[]] if bases else [])]

    for others in wrong:
        with pytest.raises(FormatError):
            codec(number).decode(body, others, 512)


def test_a_base_of_another_size_is_not_taken() -> None:
    with pytest.raises(ValueError, match="against a base"):
        fast.encode(RAW, BASE[:-4], F32)


def frame(content_size: int | None, blocks: bytes, window: int | None = None) -> bytes:
    """A zstd frame with this declared size and, unless it is one segment, this window exponent."""
    single, sizes = 0x20 if window is None else 0, 0xC0 if content_size is not None else 0
    head = b"" if window is None else bytes([window << 3])
    declared = b"" if content_size is None else content_size.to_bytes(8, "little")
    return b"\x28\xb5\x2f\xfd" + bytes([sizes | single]) + head + declared + blocks


def repeated(size: int) -> bytes:
    """Blocks that unfold to ``size`` zero bytes, four bytes for each 128 KiB."""
    most = 128 << 10
    count = -(-size // most)
    sizes = [min(most, size - i * most) for i in range(count)]
    return b"".join(
        (s << 3 | 2 | (i == count - 1)).to_bytes(3, "little") + b"\0" for i, s in enumerate(sizes)
    )


def test_the_frames_of_these_tests_are_frames() -> None:
    whole = frame(300_000, repeated(300_000))

    assert zstandard.ZstdDecompressor().decompress(whole) == bytes(300_000)


GIB = 1 << 30
BOMBS = {
    "thirteen bytes": bytes.fromhex("28b52ffde06c06060663636363"),
    "declares 1 GiB and has it": frame(GIB, repeated(GIB)),
    "declares 128 bytes and has 1 GiB": frame(128, repeated(GIB)),
    "declares nothing and has 1 GiB": frame(None, repeated(GIB), window=10),
    "a window of 2 TiB": frame(128, repeated(128), window=31),
    "declares 2^64 - 2": frame(2**64 - 2, repeated(128)),
    "a frame to be skipped": b"\x50\x2a\x4d\x18\x80\0\0\0" + bytes(128),
    "needs a dictionary": b"\x28\xb5\x2f\xfd\xe1\x07" + (128).to_bytes(8, "little") + repeated(128),
    "no frame": b"no frame at all",
    "nothing": b"",
    "ends early": frame(128, repeated(128))[:-1],
    "has less than it declares": frame(128, repeated(64)),
}


@contextmanager
def in_little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 << 20


UNSORTED = {RCB.number: bytes(10), RCB_X.number: bytes(10)}  # what comes before the planes


@pytest.mark.parametrize("number", [1, 2, 3, 9, 10])
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_in_little_memory(number: int, bomb: bytes) -> None:
    header = struct.pack("<BBBIBIBIBI", 4, 1, 1, len(bomb), 0, 128, 0, 128, 0, 128)
    body = UNSORTED.get(number, b"") + header + bomb + bytes(3 * 128)
    _, bases = STORED[number]

    with in_little_memory(), pytest.raises(FormatError):
        codec(number).decode(body, bases, 512)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\4",
        b"\3\0",
        b"\4\2",
        b"\0\0",
        b"\4\1" + b"\0\xff\xff\xff\xff" * 4,
        b"\1\0\2\0\2\0\0" + bytes(512),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        planes.decode(body, (), 512)


def test_bytes_behind_the_frame_of_a_plane_are_refused() -> None:
    packed = zstandard.ZstdCompressor(level=1).compress(bytes(512)) + b"unseen"

    with pytest.raises(FormatError):
        planes.decode(struct.pack("<BBBI", 1, 0, 1, len(packed)) + packed, (), 512)
