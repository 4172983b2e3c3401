"""What we sign and keep is read by others: DSSE, in-toto, SLSA provenance, PKCS8.

envelope { payloadType, payload: Statement v1 { subject, predicate: SLSA Provenance v1 } }
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from mgit import editing
from mgit.adding import Description, add
from mgit.errors import TrustError
from mgit.objects import CREATION, STATEMENT_TYPE
from mgit.provenance import Provenance
from mgit.repository import Home, Repository
from mgit.signing import SigningKey, envelope, fingerprint
from tests.checkpoints import alice, beginning, f32, floats, safetensors, written

__all__ = ["alice", "beginning"]
Document = dict[str, Any]


@pytest.fixture
def signed(alice: Repository, tmp_path: Path) -> Document:
    """The envelope of how ``child`` was made from ``base``."""
    for seed, name in enumerate(("base", "child")):
        tensors = {"w": f32(floats(seed, 64))}
        source = written(tmp_path / f"{name}.safetensors", safetensors(tensors))
        told = Description(parents=["base"] * seed, operation="finetune", message="better")
        node = add(alice, source, name, description=told).node
    history = alice.history()
    (claim,) = Provenance(history).about(node, CREATION)
    made = envelope(history.payloads[claim.payload], history.genuine_signatures(claim.payload))
    found: Document = json.loads(json.dumps(made))  # as it is on the way to somebody else
    return found


def key_of(public: bytes) -> SSlibKey:
    """A public key as securesystemslib knows it."""
    return SSlibKey(
        keyid=fingerprint(public),
        keytype="ed25519",
        scheme="ed25519",
        keyval={"public": public.hex()},
    )


def require_verified(document: Document, public: bytes) -> None:
    """Lets securesystemslib verify an envelope; raises VerificationError."""
    Envelope.from_dict(json.loads(json.dumps(document))).verify([key_of(public)], threshold=1)


def public_key(repository: Repository) -> bytes:
    return repository.identity().key.public


def payload_of(document: Document) -> Document:
    found: Document = json.loads(base64.b64decode(document["payload"]))
    return found


def test_an_envelope_verifies_with_securesystemslib(alice: Repository, signed: Document) -> None:
    require_verified(signed, public_key(alice))

    assert signed["payloadType"] == STATEMENT_TYPE == "application/vnd.in-toto+json"
    assert [s["keyid"] for s in signed["signatures"]] == [fingerprint(public_key(alice))]


def other_payload(document: Document) -> None:
    changed = base64.b64decode(document["payload"]).replace(b"better", b"bettor")
    document["payload"] = base64.b64encode(changed).decode()


def other_type(document: Document) -> None:
    document["payloadType"] = "application/vnd.mgit.entry"


def other_signature(document: Document) -> None:
    value = bytearray(base64.b64decode(document["signatures"][0]["sig"]))
    value[5] ^= 1
    document["signatures"][0]["sig"] = base64.b64encode(value).decode()


@pytest.mark.parametrize("change", [other_payload, other_type, other_signature])
def test_a_changed_envelope_does_not_verify(
    alice: Repository, signed: Document, change: Callable[[Document], None]
) -> None:
    before = json.dumps(signed)
    change(signed)
    assert json.dumps(signed) != before

    with pytest.raises(VerificationError):
        require_verified(signed, public_key(alice))


def test_an_envelope_does_not_verify_with_another_key(signed: Document) -> None:
    stranger = SigningKey.generate().public
    signed["signatures"][0]["keyid"] = fingerprint(stranger)

    with pytest.raises(VerificationError):
        require_verified(signed, stranger)


def test_a_statement_is_an_in_toto_statement(alice: Repository, signed: Document) -> None:
    (base,) = alice.history().names.resolve("base")
    (child,) = alice.history().names.resolve("child")
    statement = ParseDict(payload_of(signed), statement_pb2.Statement())

    Statement.copy_from_pb(statement).validate()

    assert statement.type == "https://in-toto.io/Statement/v1"
    assert [subject.name for subject in statement.subject] == ["child"]
    assert child.hex() in statement.subject[0].digest.values()
    assert base.hex() in str(payload_of(signed)["predicate"])


def test_a_creation_is_slsa_provenance(alice: Repository, signed: Document) -> None:
    (base,) = alice.history().names.resolve("base")
    document = payload_of(signed)

    provenance = ParseDict(document["predicate"], provenance_pb2.Provenance())

    assert document["predicateType"] == "https://slsa.dev/provenance/v1"
    definition = provenance.build_definition
    assert definition.build_type
    assert definition.external_parameters["operation"] == "finetune"
    (dependency,) = definition.resolved_dependencies
    assert base.hex() in dependency.digest.values()
    assert public_key(alice).hex() in provenance.run_details.builder.id
    metadata = provenance.run_details.metadata
    assert metadata.started_on.ToSeconds() <= metadata.finished_on.ToSeconds()


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_key_is_a_pkcs8_file_for_its_owner_alone(tmp_path: Path, passphrase: str | None) -> None:
    home = Home(tmp_path / "home", tmp_path / "cache", passphrase)
    identity = editing.own_identity(home, "alice")
    (path,) = (tmp_path / "home" / "keys").iterdir()

    key = load_pem_private_key(path.read_bytes(), passphrase.encode() if passphrase else None)

    assert isinstance(key, Ed25519PrivateKey)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert public == identity.key.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert (b"ENCRYPTED" in path.read_bytes()) == (passphrase is not None)


@pytest.mark.parametrize("given", [None, "wrong"])
def test_an_encrypted_key_opens_with_its_passphrase_only(tmp_path: Path, given: str | None) -> None:
    home = Home(tmp_path / "home", tmp_path / "cache", "correct horse")
    editing.own_identity(home, "alice")
    (path,) = (tmp_path / "home" / "keys").iterdir()

    with pytest.raises((ValueError, TypeError)):
        load_pem_private_key(path.read_bytes(), given.encode() if given else None)
    with pytest.raises(TrustError, match="cannot be opened"):
        Home(tmp_path / "home", tmp_path / "cache", given).identity()


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "cache")
    editing.own_identity(home, "alice")
    (path,) = (tmp_path / "home" / "keys").iterdir()
    path.chmod(0o644)

    with pytest.raises(TrustError, match="others may read"):
        home.identity()
