"""Raw bytes, numpy arrays and torch tensors: three views of the same memory, bits never touched.

The only module that knows torch, and only inside functions: importing it costs nothing. Refuses to
know where bytes come from.
"""

import ctypes
import mmap
import os
import sys
import weakref
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mgit.errors import UsageError
from mgit.numeric import NUMPY_TYPES

if TYPE_CHECKING:
    import torch

    Tensor: TypeAlias = torch.Tensor

Raw: TypeAlias = npt.NDArray[np.uint8]  # of shape (bytes,)
Array: TypeAlias = npt.NDArray[Any]

_TORCH = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}
_HINT = "read it from the files of its checkpoint: .folder()"


def as_array(raw: Raw, dtype: str, shape: tuple[int, ...]) -> Array:
    """Returns raw little-endian bytes as an array over the same memory.

    Raises:
        UsageError: numpy has no such type: those below one byte.
    """
    if dtype not in NUMPY_TYPES:
        raise UsageError(f"numpy has no type for {dtype}", hint=_HINT)
    return raw.view(NUMPY_TYPES[dtype]).reshape(shape)


def as_tensor(raw: Raw, dtype: str, shape: tuple[int, ...]) -> "Tensor":
    """Returns raw little-endian bytes as a torch tensor over the same memory.

    Args:
        raw: Writable; torch knows no other kind.
        dtype: A key of ``DTYPES``.
        shape: As in the checkpoint.

    Raises:
        UsageError: This torch has no such type.
    """
    import torch

    kinds = _torch_types()
    if dtype not in kinds:
        raise UsageError(f"torch {torch.__version__} has no type for {dtype}", hint=_HINT)
    if not raw.size:  # torch gives empty memory a stride that it cannot view
        return torch.empty(shape, dtype=kinds[dtype])
    return torch.from_numpy(raw).view(kinds[dtype]).reshape(shape)


def from_tensor(tensor: "Tensor") -> tuple[str, tuple[int, ...], memoryview]:
    """Returns dtype, shape and raw little-endian bytes of a tensor on whatever device.

    The bytes are the tensor's own memory where that is possible: what is written into it later
    shows in them.

    Raises:
        UsageError: A sparse or quantised tensor, or a type that no checkpoint holds.
    """
    import torch

    names = {kind: name for name, kind in _torch_types().items()}
    if tensor.dtype not in names or tensor.layout is not torch.strided:
        raise UsageError(
            f"a tensor of type {tensor.dtype}, {tensor.layout} cannot be stored",
            hint="convert it: .to_dense(), .to(torch.float32)",
        )
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    raw = plain.reshape(-1).view(torch.uint8).numpy()
    return names[tensor.dtype], tuple(tensor.shape), raw.data


def from_array(array: Array) -> tuple[str, tuple[int, ...], memoryview]:
    """Returns dtype, shape and raw little-endian bytes of an array; its own memory if possible.

    Raises:
        UsageError: A type that no checkpoint holds.
    """
    names = {np.dtype(kind): name for name, kind in NUMPY_TYPES.items()}
    little = array.dtype.newbyteorder("<")
    if little not in names:
        raise UsageError(
            f"an array of type {array.dtype} cannot be stored",
            hint="convert it: .astype(numpy.float32)",
        )
    plain = np.ascontiguousarray(array, dtype=little)
    return names[little], array.shape, plain.reshape(-1).view(np.uint8).data


def from_either(value: object) -> tuple[str, tuple[int, ...], memoryview]:
    """Returns the same for a torch tensor or a numpy array; UsageError for anything else."""
    if isinstance(value, np.ndarray):
        return from_array(value)
    torch = sys.modules.get("torch")  # whoever made a tensor has imported it
    if torch is not None and isinstance(value, torch.Tensor):
        return from_tensor(value)
    raise UsageError(f"a {type(value).__name__} is neither a torch tensor nor a numpy array")


@cache
def _torch_types() -> "dict[str, torch.dtype]":
    import torch

    return {name: getattr(torch, kind) for name, kind in _TORCH.items() if hasattr(torch, kind)}


def mapped(descriptor: int, size_bytes: int) -> Raw:
    """Returns the bytes of a file, mapped copy-on-write: what is written never reaches the file.

    The mapping lasts as long as any array or tensor over it; the descriptor may be closed. On
    Linux the mapping also keeps the locks (``flock``) that the descriptor has.

    Not by ``mmap.mmap``: before Python 3.13 that keeps a descriptor for every mapping, and there
    are models with more tensors than a process may have open files (1,024 as a rule).

    Args:
        descriptor: A file opened for reading.
        size_bytes: Its size, from 1 up.

    Raises:
        OSError: The system refuses.
    """
    prot = mmap.PROT_READ | mmap.PROT_WRITE
    address: int = _libc().mmap(None, size_bytes, prot, mmap.MAP_PRIVATE, descriptor, 0)
    if address == _FAILED:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    memory = (ctypes.c_uint8 * size_bytes).from_address(address)
    unmap = weakref.finalize(memory, _libc().munmap, address, size_bytes)
    unmap.atexit = False  # something may still read it then
    return np.frombuffer(memoryview(memory), np.uint8)


_FAILED = ctypes.c_void_p(-1).value


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    number, size = ctypes.c_int, ctypes.c_size_t
    libc.mmap.argtypes = [ctypes.c_void_p, size, number, number, number, ctypes.c_long]
    libc.mmap.restype = ctypes.c_void_p
    libc.munmap.argtypes = [ctypes.c_void_p, size]
    return libc
