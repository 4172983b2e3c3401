"""Which names and paths may exist at all: checked where bytes come in, then trusted."""

import re
import unicodedata

from mgit.errors import UsageError

NAME_BYTES = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_ID = re.compile(r"[0-9a-f]{6,64}")
_LABEL = re.compile(r"(?!v[0-9]+$)[a-z][a-z0-9-]{0,62}")
_TAG = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_PATH_PART_BYTES = 255
_INVISIBLE = {"Cc", "Cf", "Co", "Cs"}  # not Cn: what is assigned differs between Pythons
_NOT_IN_PATHS = set('\\:*?"<>|')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_RESERVED_REMOTES = {"tag", "type", "op", "author", "license"}


def check_name(name: str) -> str:
    """Returns ``name`` if a model may be called that.

    Raises:
        UsageError: It may not.
    """
    if _ID.fullmatch(name):
        raise UsageError(
            f"{name!r} looks like an id, and would hide the node of that id",
            hint="add a letter behind f to the name",
        )
    well_formed = _NAME.fullmatch(name) and len(name) <= NAME_BYTES and ".." not in name
    if not well_formed or any(part.endswith(".") for part in name.split("/")):
        raise UsageError(
            f"{printable(name)!r} is not a name",
            hint="names are lower case letters, digits, . _ - and / between parts: bert/base",
        )
    return name


def check_label(label: str) -> str:
    """Returns ``label`` if a key may be called that.

    Raises:
        UsageError: It may not.
    """
    if not _LABEL.fullmatch(label):
        raise UsageError(
            f"{printable(label)!r} is not a label",
            hint="labels are lower case letters, digits and -, e.g. alice; v1, v2 … are versions",
        )
    return label


def check_tag(tag: str) -> str:
    """Returns ``tag`` if a tag may be called that.

    Raises:
        UsageError: It may not.
    """
    if not _TAG.fullmatch(tag):
        raise UsageError(
            f"{printable(tag)!r} is not a tag",
            hint="tags are lower case letters, digits, . _ and -, e.g. legal",
        )
    return tag


def check_remote_name(name: str) -> str:
    """Returns ``name`` if a remote may be called that: a label without a meaning in selectors."""
    if name in _RESERVED_REMOTES:
        raise UsageError(
            f"{name!r} has a meaning in selectors", hint="choose another name for the remote"
        )
    return check_label(name)


def check_path(path: str) -> str:
    """Returns ``path`` if a file of a checkpoint may lie there, on every system.

    Raises:
        UsageError: It may not.
    """
    parts = path.split("/")
    if not path or any(not _is_safe_part(part) for part in parts):
        raise UsageError(
            f"{printable(path)!r} cannot be the path of a file in a checkpoint",
            hint="rename the file, then add again",
        )
    return path


def _is_safe_part(part: str) -> bool:
    if part in {"", ".", ".."} or part[-1] in ". " or _DEVICES.fullmatch(part):
        return False
    if any(unicodedata.category(c) in _INVISIBLE or c in _NOT_IN_PATHS for c in part):
        return False
    return len(part.encode()) <= _PATH_PART_BYTES


def printable(text: str) -> str:
    """Returns ``text`` without the characters that could drive a terminal or turn text around."""
    return "".join(
        c if not unicodedata.category(c).startswith("C") or c == "\n" else "�" for c in text
    )
