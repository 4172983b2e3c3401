"""Ed25519 keys, signatures and DSSE envelopes. The only module that knows ``cryptography``.

Knows nothing of where keys lie or what a key may do.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mgit.errors import TrustError, UsageError
from mgit.objects import Payload, Signature, digest_of

_KEY_TEXT = "ed25519:"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key. It signs payloads and never leaves this object except as PKCS8."""

    private: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> Self:
        """Returns a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: str | None) -> Self:
        """Returns the key in a PKCS8 file.

        Raises:
            TrustError: The passphrase is missing or wrong, or it is no Ed25519 key.
        """
        try:
            private = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
        except (ValueError, TypeError) as error:
            raise TrustError(
                f"the signing key cannot be opened: {error}",
                hint="set MGIT_PASSPHRASE, or choose another key with: mgit key list",
            ) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise TrustError("the signing key is not an Ed25519 key", hint="mgit key new")
        return cls(private)

    def to_pem(self, passphrase: str | None) -> bytes:
        """Returns the key as PKCS8, encrypted if there is a passphrase."""
        protection = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)

    @property
    def public(self) -> bytes:
        """Raw public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()

    def sign(self, payload: Payload) -> Signature:
        """Returns this key's signature under ``payload``."""
        value = self.private.sign(payload.pre_authentication())
        return Signature(digest_of(payload), self.public, value)


def is_genuine(signature: Signature, payload: Payload) -> bool:
    """Returns whether ``signature`` was made by its key over exactly this payload."""
    if signature.payload != digest_of(payload):
        return False
    try:
        public = Ed25519PublicKey.from_public_bytes(signature.key)
        public.verify(signature.value, payload.pre_authentication())
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(key: bytes) -> str:
    """Returns the SHA-256 of a raw public key, in hex; its first digits are shown beside labels."""
    return hashlib.sha256(key).hexdigest()


def key_text(key: bytes) -> str:
    """Returns a public key as people exchange it: ``ed25519:<64 hex digits>``."""
    return _KEY_TEXT + key.hex()


def parse_key(text: str) -> bytes:
    """Returns the raw public key written as ``key_text`` writes it.

    Raises:
        UsageError: Not of that form.
    """
    try:
        raw = bytes.fromhex(text.removeprefix(_KEY_TEXT))
    except ValueError:
        raw = b""
    if len(raw) != 32 or not text.startswith(_KEY_TEXT):
        raise UsageError(
            f"{text!r} is not a public key",
            hint="it looks like ed25519:<64 hex digits>; its owner sees it with: mgit whoami",
        )
    return raw


def envelope(payload: Payload, signatures: list[Signature]) -> dict[str, object]:
    """Returns the DSSE envelope as JSON values; other tools can verify it."""
    return {
        "payloadType": payload.type,
        "payload": base64.b64encode(payload.content).decode(),
        "signatures": [
            {"keyid": fingerprint(s.key), "sig": base64.b64encode(s.value).decode()}
            for s in signatures
        ],
    }
