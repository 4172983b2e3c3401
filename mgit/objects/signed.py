"""Everything that is signed: payload objects, cited by their digest, and signature objects.

A payload and its signatures together are a DSSE envelope (https://github.com/secure-systems-lab/dsse).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from mgit.digest import Digest
from mgit.objects import fields
from mgit.objects.fields import Body, Ref

KEY_BYTES = 32
SIGNATURE_BYTES = 64

ENTRY_TYPE = "application/vnd.mgit.entry.v1+msgpack"
ROOT_TYPE = "application/vnd.mgit.root.v1+msgpack"
STATEMENT_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class Payload:
    """The bytes that are signed, and their type.

    Attributes:
        type: DSSE payload type.
        content: The payload itself.
        kept: What it cites; for the types known here it must be what its content cites.
    """

    kind: ClassVar[str] = "payload"
    limit_bytes: ClassVar[int] = 4 << 20
    type: str
    content: bytes
    kept: frozenset[Ref]

    def body(self) -> Body:
        """Returns the fields as values."""
        return {"type": self.type, "payload": self.content}

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays."""
        return set(self.kept)

    @classmethod
    def parse(cls, body: Body, kept: frozenset[Ref]) -> Self:
        """Returns the object with these fields, or raises FormatError."""
        return cls(fields.text(body, "type"), fields.octets(body, "payload"), kept)

    def pre_authentication(self) -> bytes:
        """Returns the bytes under the signature (DSSE v1, PAE)."""
        kind = self.type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.content), self.content)


@dataclass(frozen=True, slots=True)
class Signature:
    """One key's signature under one payload; it lives while the payload does.

    Attributes:
        payload: Digest of the payload object.
        key: Raw Ed25519 public key, 32 bytes.
        value: Signature over the pre-authentication bytes, 64 bytes.
    """

    kind: ClassVar[str] = "signature"
    limit_bytes: ClassVar[int] = 4096
    payload: Digest
    key: bytes
    value: bytes

    def body(self) -> Body:
        """Returns the fields as values."""
        return {"payload": self.payload, "key": self.key, "signature": self.value}

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays."""
        return {Ref(Payload.kind, self.payload)}

    @classmethod
    def parse(cls, body: Body) -> Self:
        """Returns the object with these fields, or raises FormatError."""
        key, value = fields.octets(body, "key"), fields.octets(body, "signature")
        return cls(
            fields.digest(body, "payload"),
            fields.sized(key, KEY_BYTES, "key"),
            fields.sized(value, SIGNATURE_BYTES, "signature"),
        )
