"""What codecs are told about the bytes of a chunk."""

from dataclasses import dataclass

from mgit.objects import DTYPES, DType


@dataclass(frozen=True, slots=True)
class Form:
    """What the bytes of a chunk are: elements of a type, in rows.

    Attributes:
        type: Name of the element type, a key of ``DTYPES``.
        row: Elements in a row: the product of all dimensions but the first of what was cut; 1 for
            vectors and files.
    """

    type: str
    row: int = 1

    @property
    def dtype(self) -> DType:
        """The element type itself."""
        return DTYPES[self.type]


@dataclass(frozen=True, slots=True)
class Related:
    """The raw bytes of the chunk at the same place in a related model.

    Attributes:
        raw: Its bytes, little-endian.
        type: Name of their element type, a key of ``DTYPES``; need not be that of the new chunk.
    """

    raw: bytes
    type: str


RAW_FORM = Form("U8")
