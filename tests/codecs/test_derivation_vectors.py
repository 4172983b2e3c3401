"""The derivations in ``mgit/store/FORMAT.md`` give what stands beside them."""

import pytest

from mgit.codecs import CODECS
from tests.formats.test_document import BLOCKS

LINES = (*BLOCKS["derived"], *BLOCKS["steps"])
VECTORS = [[part.strip() for part in line.split("|")] for line in LINES]
BY_NAME = {codec.name: codec for codec in CODECS.values()}


@pytest.mark.parametrize(("name", "bases", "raw", "body"), VECTORS)
def test_a_derivation_gives_the_object_in_the_document(
    name: str, bases: str, raw: str, body: str
) -> None:
    content, stored = bytes.fromhex(raw), bytes.fromhex(body)
    given = [bytes.fromhex(base) for base in bases.split()]

    assert BY_NAME[name].decode(stored, given, len(content)) == content


def test_every_derivation_has_a_vector() -> None:
    derivations = (*range(4, 9), 11)
    assert {name for name, *_ in VECTORS} == {CODECS[number].name for number in derivations}
