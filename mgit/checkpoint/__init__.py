"""Checkpoint files in and out: safetensors files and checkpoint folders, byte for byte."""

from mgit.checkpoint.scanning import (
    Checkpoint,
    FileOnDisk,
    TensorOnDisk,
    is_document,
    require_unchanged,
    scan,
)
from mgit.checkpoint.writing import write_checkpoint

__all__ = [
    "Checkpoint",
    "FileOnDisk",
    "TensorOnDisk",
    "is_document",
    "require_unchanged",
    "scan",
    "write_checkpoint",
]
