"""``mgit/store/FORMAT.md`` says what the code does: its vectors and tables are run."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mgit import canonical
from mgit.checkpoint import scanning
from mgit.codecs import CODECS, PLANES_X, RCB, ZSTD, fast, planes, rcb, zstd
from mgit.codecs.form import Form
from mgit.digest import Digest
from mgit.errors import FormatError
from mgit.objects import (
    CHUNK,
    DTYPES,
    KINDS,
    Check,
    Code,
    Content,
    Gate,
    Layout,
    Level,
    Manifest,
    MetaObject,
    Node,
    Payload,
    Recipe,
    Severity,
    Signature,
    Weights,
    code,
    encode,
    encoding,
    statement,
)
from mgit.objects.dtypes import cut
from mgit.store import format as packs

DOCUMENT = (Path(packs.__file__).parent / "FORMAT.md").read_text(encoding="utf-8")
BLOCKS = {
    name: text.splitlines()
    for name, text in re.findall(r"(?s)```vectors ([\w-]+)\n(.*?)```", DOCUMENT)
}


def vectors(name: str) -> list[list[str]]:
    """The lines of a block, each cut at its last columns of ``|``."""
    width = {"planes": 2, "planes-x": 2, "fast": 3, "rcb": 3, "forms": 3}.get(name, 1)
    return [[part.strip() for part in line.rsplit("|", width)] for line in BLOCKS[name]]


def tables() -> Iterator[list[str]]:
    """Every row of every table."""
    for line in DOCUMENT.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(("value", "octets"), vectors("canonical"))
def test_a_value_has_the_bytes_in_the_document(value: str, octets: str) -> None:
    expected = eval(value, {}) if "**" in value else ast.literal_eval(value)  # noqa: S307  # our own

    decoded = canonical.decode(bytes.fromhex(octets), limit_bytes=100)

    assert canonical.encode(expected) == bytes.fromhex(octets)
    assert decoded == expected
    assert type(decoded) is type(expected)


@pytest.mark.parametrize(("_why", "octets"), vectors("refused"))
def test_what_the_document_refuses_is_refused(_why: str, octets: str) -> None:
    with pytest.raises(FormatError):
        canonical.decode(bytes.fromhex(octets), limit_bytes=100)


ZERO = Digest(bytes(32))
PRUNING = Code("mgit.recipes:prune", None, 1, {"amount": 0.5}, None, {}, Level.BITWISE)
SCORING = Code("tools:accuracy", ZERO, 0, {}, 0, {"test": ZERO}, Level.TOLERANT)
AT_LEAST = Gate("at_least", {"metric": "accuracy", "value": 1})
EXAMPLES: dict[str, MetaObject] = {
    "content": Content(ZERO, {}),
    "recipe": Recipe(PRUNING),
    "check": Check(SCORING, (AT_LEAST,), Severity.BLOCK),
}


@pytest.mark.parametrize(("kind", "octets"), vectors("object"))
def test_an_object_has_the_bytes_in_the_document(kind: str, octets: str) -> None:
    assert encode(EXAMPLES[kind]) == bytes.fromhex(octets)


FORMS: dict[str, Callable[[str], object]] = {
    "function": lambda text: replace(PRUNING, function=text),
    "argument": lambda text: (replace(PRUNING, arguments={text: 1}), Gate("g", {text: 1})),
}


@pytest.mark.parametrize(("what", "pattern", "good", "bad"), vectors("forms"))
def test_a_form_is_the_one_in_the_document(what: str, pattern: str, good: str, bad: str) -> None:
    for text in good.split():
        assert re.fullmatch(pattern, text, re.ASCII)
        FORMS[what](text)
    for text in bad.split():
        assert not re.fullmatch(pattern, text, re.ASCII)
        with pytest.raises(FormatError):
            FORMS[what](text)


def test_code_has_the_fields_in_the_document_and_no_others() -> None:
    table = DOCUMENT[DOCUMENT.index("| key of *code* |") :].split("\n\n")[0]

    documented = re.findall(r"(?m)^\| `(\w+)` \|", table)

    assert sorted(documented) == sorted(PRUNING.value())
    assert f"inside more than {code.MAX_NESTING} arrays" in table


def test_the_levels_and_severities_are_those_in_the_document() -> None:
    (levels,) = re.findall(r"\| `level` \| text, how far a second run agrees: (.*) \|", DOCUMENT)
    (severities,) = re.findall(r"- `severity`, of a check that fails: (.*)\.", DOCUMENT)

    assert re.findall(r"`(\w+)`", levels) == [level.value for level in Level]
    assert re.findall(r"`(\w+)`", severities) == [severity.value for severity in Severity]


def test_the_predicate_types_are_those_in_the_document() -> None:
    lines = DOCUMENT[DOCUMENT.index("| predicate type |") :].split("\n\n")[0].splitlines()
    names = [name for line in lines for name in re.findall(r"`([^`]+)`", line.split("|")[1])]

    documented = {n if ":" in n else f"https://pypi.org/project/mgit-models/{n}" for n in names}

    assert documented == {
        value
        for name, value in vars(statement).items()
        if name.isupper() and not name.startswith("_") and str(value).startswith("https://")
    }


def test_the_pre_authentication_bytes_are_those_in_the_document() -> None:
    ((_, octets),) = vectors("pae")

    assert Payload("t/x", b"hi", frozenset()).pre_authentication() == bytes.fromhex(octets)


@pytest.mark.parametrize(("tensor", "sizes"), vectors("cut"))
def test_a_tensor_is_cut_as_in_the_document(tensor: str, sizes: str) -> None:
    dtype, shape = tensor.split(", ", 1)

    found = list(cut(DTYPES[dtype], ast.literal_eval(shape)))

    assert found == [int(size) for size in sizes.split()]


@pytest.mark.parametrize(("dtype", "raw", "body"), vectors("planes"))
def test_codec_1_has_the_vectors_in_the_document(dtype: str, raw: str, body: str) -> None:
    content, stored = bytes.fromhex(raw), bytes.fromhex(body)

    assert planes.decode(stored, (), len(content)) == content
    if b"\x28\xb5\x2f\xfd" not in stored:  # zstd may pack otherwise
        assert planes.encode(content, Form(dtype)) == stored


@pytest.mark.parametrize(("dtype", "base", "raw", "body"), vectors("fast"))
def test_codec_2_has_the_vectors_in_the_document(
    dtype: str, base: str, raw: str, body: str
) -> None:
    parent, content, stored = bytes.fromhex(base), bytes.fromhex(raw), bytes.fromhex(body)

    assert fast.decode(stored, [parent], len(content)) == content
    assert fast.encode(content, parent, Form(dtype)) == stored


@pytest.mark.parametrize(("dtype", "base", "raw", "body"), vectors("rcb"))
def test_codec_3_has_the_vectors_in_the_document(
    dtype: str, base: str, raw: str, body: str
) -> None:
    parent, content, stored = bytes.fromhex(base), bytes.fromhex(raw), bytes.fromhex(body)

    assert RCB.decode(stored, [parent], len(content)) == content
    assert rcb.encode(content, parent, Form(dtype)) == stored


@pytest.mark.parametrize(("dtype", "raw", "body"), vectors("planes-x"))
def test_codec_9_has_the_vectors_in_the_document(dtype: str, raw: str, body: str) -> None:
    content, stored = bytes.fromhex(raw), bytes.fromhex(body)

    assert PLANES_X.decode(stored, (), len(content)) == content
    assert planes.encode(content, Form(dtype), entropy_coded=True) == stored


@pytest.mark.parametrize(("raw", "body"), vectors("zstd"))
def test_codec_12_has_the_vectors_in_the_document(raw: str, body: str) -> None:
    content, stored = bytes.fromhex(raw), bytes.fromhex(body)

    assert ZSTD.decode(stored, (), len(content)) == content
    assert ZSTD.decode(zstd.encode(content), (), len(content)) == content


def test_every_codec_has_its_page() -> None:
    pages = re.findall(r"(?m)^### Codec (\d+), ([\w-]+)$", DOCUMENT)

    assert pages == [(str(number), codec.name) for number, codec in CODECS.items()]


def test_the_table_of_types_is_the_one_in_the_code() -> None:
    rows = [row for row in tables() if len(row) == 9 and row[1].isdigit()]
    halves = [half for row in rows for half in (row[:4], row[5:])]

    documented = {
        name.strip("`"): (int(bits), int(lane), order.upper())
        for names, bits, lane, order in halves
        for name in names.split()
    }

    assert documented == {
        name: (dtype.bits, dtype.lane, dtype.order.name) for name, dtype in DTYPES.items()
    }


def test_the_table_of_kinds_is_the_one_in_the_code() -> None:
    sizes = {"64 MiB": 64 << 20, "4 MiB": 4 << 20, "1 MiB": 1 << 20, "4,096": 4096}
    kinds = (Weights, Content, Layout, Manifest, Recipe, Check, Node, Payload, Signature)

    documented = {row[0].strip("`"): sizes[row[1]] for row in tables() if row[1] in sizes}

    assert documented.pop("any other") == encoding._UNKNOWN_LIMIT_BYTES
    assert documented == {kind.kind: kind.limit_bytes for kind in kinds}
    assert documented.keys() | {CHUNK} == KINDS


def test_the_list_of_documents_is_the_one_in_the_code() -> None:
    (line,) = BLOCKS["documents"]

    assert tuple(line.split()) == scanning._DOCUMENTS


@pytest.mark.parametrize(
    "path",
    ["README", "sub/LICENSE.txt", "notice-2", "a.MD", "b.webp", ".gitattributes", "x.cdx.json"],
)
def test_a_document_is_told_by_the_end_of_its_path(path: str) -> None:
    assert scanning.is_document(path)


@pytest.mark.parametrize(
    "path", ["config.json", "readme/config.json", "a.md.json", "gitattributes"]
)
def test_what_behaviour_may_depend_on_is_no_document(path: str) -> None:
    assert not scanning.is_document(path)


def test_the_sizes_of_the_index_are_those_in_the_document() -> None:
    starts = {row[2]: row[0] for row in tables() if row[0].isdigit() and len(row) == 3}

    assert f"| {packs._FIXED} | 80 R | rows" in DOCUMENT
    assert starts["digest of the object"] == "0"
    assert (packs._ROW.size, packs._HEADER.size, packs.TRAILER_BYTES) == (80, 64, 48)
    assert packs._FIXED == 64 + 256 + 1024
