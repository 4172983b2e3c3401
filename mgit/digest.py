"""The content address: SHA-256, 32 raw bytes, written ``sha256:<hex>``."""

import hashlib
import re
from typing import Self

SIZE = 32
_TEXT = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class Digest(bytes):
    """32 raw bytes of SHA-256. Sorts and hashes as bytes; a look-up also names the kind."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        """Wraps raw bytes.

        Raises:
            ValueError: Not 32 bytes.
        """
        if len(raw) != SIZE:
            raise ValueError(f"a digest has {SIZE} bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def of(cls, content: bytes | bytearray | memoryview) -> Self:
        """Returns the digest of ``content``."""
        return cls(hashlib.sha256(content).digest())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Returns the digest written as ``sha256:<64 hex>`` or ``<64 hex>``.

        Raises:
            ValueError: Not of that form.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a SHA-256 digest")
        return cls(bytes.fromhex(match[1]))

    @property
    def short(self) -> str:
        """Twelve hex digits, for people; not an identity."""
        return self.hex()[:12]

    def __str__(self) -> str:
        return f"sha256:{self.hex()}"

    def __repr__(self) -> str:
        return f"Digest({self.short})"
