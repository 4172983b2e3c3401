"""Source as statements carry it: one in-toto resource descriptor a file, with its content.

https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md
"""

from base64 import b64decode, b64encode

from mgit.digest import Digest
from mgit.errors import UsageError
from mgit.objects.statement import Json
from mgit.source.files import MAX_BYTES, MAX_FILES, Source, decoded, is_module_path
from mgit.source.normal_form import normal_text

_MEDIA_TYPE = "text/x-python"


def descriptors(source: Source) -> list[Json]:
    """Returns a source as resource descriptors, by path."""
    contents = {path: text.encode() for path, text in sorted(source.files.items())}
    return [
        {
            "name": path,
            "digest": {"sha256": Digest.of(content).hex()},
            "mediaType": _MEDIA_TYPE,
            "content": b64encode(content).decode("ascii"),
        }
        for path, content in contents.items()
    ]


def source_from(descriptors: object) -> Source | None:
    """Returns the source among resource descriptors that anybody may have written.

    Descriptors of other media types are left out.

    Returns:
        The source, whose ``normalised`` raises nothing; None if there is none, or if anything about
        it is wrong: a path, a digest, an encoding, a file that is twice there or no Python, too
        many files or bytes.
    """
    listed = descriptors if isinstance(descriptors, list) else []
    ours = [d for d in listed if isinstance(d, dict) and d.get("mediaType") == _MEDIA_TYPE]
    if not 0 < len(ours) <= MAX_FILES:
        return None
    files: dict[str, str] = {}
    size_bytes = 0
    for described in ours:
        found = _file(described)
        if found is None or found[0] in files:
            return None
        path, content = found
        size_bytes += len(content)
        if size_bytes > MAX_BYTES:
            return None
        files[path] = content.decode()
    return Source(files)


def _file(described: dict[str, object]) -> tuple[str, bytes] | None:
    """The path and content of one file, or None if anything about it is wrong."""
    match described:
        case {"name": str(path), "digest": {"sha256": str(digest)}, "content": str(encoded)}:
            is_possible = is_module_path(path) and len(encoded) <= 2 * MAX_BYTES
        case _:
            return None
    if not is_possible:
        return None
    try:
        content = b64decode(encoded, validate=True)
        normal_text(decoded(content, path), path)
    except (ValueError, UsageError):
        return None
    return (path, content) if Digest.of(content).hex() == digest else None
