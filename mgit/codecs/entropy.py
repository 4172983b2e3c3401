"""The optional entropy coder of byte planes: finite state entropy, by OpenZL.

Only the extra ``openzl`` brings it. zstd gives each symbol whole bits; this coder gives fractions,
which counts where symbols take less than two. A frame of OpenZL is a program: a few kilobytes of it
can ask for gigabytes on the way to a small result. So only frames of two shapes exist here, and
what makes a frame one of them is not stored but put in front by the reader.
"""

import importlib.util
import struct
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mgit.errors import FormatError, UnknownCodecError

if TYPE_CHECKING:
    from mgit.codecs.lanes import Octets

PIECE = 1 << 15  # bytes of a plane in a frame: the library cuts longer ones by itself

_FORMAT_VERSION = 16  # the frame is one chunk, and its header says which steps undo it
_HEADER = struct.Struct("<4sBI4s")
_MAGIC, _STEPS = bytes.fromhex("d0a5b1d7"), bytes.fromhex("02020000")
# The two steps that follow: the counts of the symbols (coded, or as they are), then the symbols.
_SHAPES = (bytes.fromhex("740c"), bytes.fromhex("4a0c"))
_OFF = 2  # of a parameter that may be unset, on or off


def is_available() -> bool:
    """Returns whether the entropy coder is installed."""
    return importlib.util.find_spec("openzl") is not None


def absence() -> UnknownCodecError:
    """Returns what is raised where the coder is needed and not installed."""
    return UnknownCodecError(
        "stored with the entropy coder of openzl, which is not installed",
        hint="pip install 'mgit-models[openzl]'",
    )


def compress(piece: "Octets") -> bytes | None:
    """Returns ``piece``, of shape (n,) with n at most ``PIECE``, or None where it is not for this.

    Raises:
        UnknownCodecError: The coder is not installed.
    """
    library = _library()
    context = library.CCtx()
    context.ref_compressor(_compressor())
    frame: bytes = context.compress([library.Input(library.Type.Serial, piece)])
    head, coded = frame[: _HEADER.size], frame[_HEADER.size :]
    return coded if head == _head(len(piece)) and coded[:2] in _SHAPES else None


def decompress(coded: bytes, size: int) -> bytes:
    """Returns the ``size`` bytes, at most ``PIECE``, that were coded.

    Raises:
        FormatError: That is not what ``coded`` holds.
        UnknownCodecError: The coder is not installed.
    """
    library = _library()
    if coded[:2] not in _SHAPES:
        raise FormatError("a piece of a plane, coded in a way that is not known")
    try:
        (output,) = library.DCtx().decompress(_head(size) + coded)
        plane: bytes = output.content.as_bytes()
    except (RuntimeError, ValueError) as error:
        raise FormatError(f"a broken piece of a plane: {error}") from error
    return plane


def _head(size: int) -> bytes:
    return _HEADER.pack(_MAGIC, 0, size, _STEPS)


@cache
def _compressor() -> Any:
    library = _library()
    compressor = library.Compressor()
    compressor.set_parameter(library.CParam.FormatVersion, _FORMAT_VERSION)
    for checksum in (library.CParam.ContentChecksum, library.CParam.CompressedChecksum):
        compressor.set_parameter(checksum, _OFF)
    compressor.select_starting_graph(library.graphs.Fse()(compressor))
    return compressor


def _library() -> ModuleType:
    try:
        import openzl.ext
    except ImportError:
        raise absence() from None
    library: ModuleType = openzl.ext
    return library
