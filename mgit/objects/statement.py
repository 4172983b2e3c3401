"""A claim about a digest: in-toto Statement v1 (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from mgit.digest import Digest
from mgit.errors import FormatError
from mgit.objects.fields import Ref
from mgit.objects.signed import STATEMENT_TYPE, Payload

_STATEMENT = "https://in-toto.io/Statement/v1"
_MEDIA_TYPE = "application/vnd.mgit."  # + kind: tells which kind of object a digest addresses

CREATION = "https://slsa.dev/provenance/v1"
TAG = "https://pypi.org/project/mgit-models/tag/v1"
NOTE = "https://pypi.org/project/mgit-models/note/v1"
ADOPTION = "https://pypi.org/project/mgit-models/adoption/v1"
WITHDRAWAL = "https://pypi.org/project/mgit-models/withdrawal/v1"
REGISTRATION = "https://pypi.org/project/mgit-models/check/v1"  # about a check
SCORES = "https://pypi.org/project/mgit-models/scores/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about: an object, and the name it went by."""

    ref: Ref
    name: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim.

    Attributes:
        subjects: What it is about.
        predicate_type: A URI that says how to read the predicate.
        predicate: JSON; its meaning is the predicate type's.
    """

    limit_bytes: ClassVar[int] = 4 << 20
    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Json

    def payload(self) -> Payload:
        """Returns the payload object to be signed."""
        document = {
            "_type": _STATEMENT,
            "subject": [descriptor(subject) for subject in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }
        content = json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return Payload(STATEMENT_TYPE, content.encode(), frozenset(s.ref for s in self.subjects))

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        """Returns the statement in ``payload``.

        Raises:
            FormatError: It is no in-toto statement, or is about other things than the payload says.
        """
        document = _parse_json(payload.content, limit_bytes=cls.limit_bytes)
        subjects, kind, predicate = (
            document.get(k) for k in ("subject", "predicateType", "predicate")
        )
        if document.get("_type") != _STATEMENT or not isinstance(subjects, list) or not subjects:
            raise FormatError("not an in-toto Statement v1")
        if not isinstance(kind, str) or not isinstance(predicate, dict):
            raise FormatError("a statement without a predicate")
        statement = cls(tuple(parse_descriptor(s) for s in subjects), kind, predicate)
        if frozenset(s.ref for s in statement.subjects) != payload.kept:
            raise FormatError("a statement is about other things than its payload says")
        return statement


def descriptor(subject: Subject) -> Json:
    """Returns an in-toto resource descriptor for ``subject``."""
    return {
        "name": subject.name,
        "digest": {"sha256": subject.ref.digest.hex()},
        "mediaType": _MEDIA_TYPE + subject.ref.kind,
    }


def parse_descriptor(value: object) -> Subject:
    """Returns the subject that a resource descriptor of ours describes.

    Raises:
        FormatError: It is not one.
    """
    match value:
        case {"name": str(name), "digest": {"sha256": str(text)}, "mediaType": str(media)}:
            if not media.startswith(_MEDIA_TYPE):
                raise FormatError(f"a statement about a {media!r}")
            try:
                digest = Digest.from_text(text)
            except ValueError as error:
                raise FormatError(str(error)) from error
            return Subject(Ref(media.removeprefix(_MEDIA_TYPE), digest), name)
        case _:
            raise FormatError("a subject without name, SHA-256 and media type")


def _parse_json(content: bytes, *, limit_bytes: int) -> dict[str, object]:
    if len(content) > limit_bytes:
        raise FormatError(f"a statement of {len(content):,} bytes")
    try:
        document = json.loads(
            content.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise FormatError(f"a statement that is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise FormatError("a statement that is not a JSON object")
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")
