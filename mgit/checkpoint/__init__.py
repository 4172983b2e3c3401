"""Checkpoint files in and out: safetensors files and checkpoint folders, byte for byte."""

from mgit.checkpoint.copying import copy_folder
from mgit.checkpoint.scanning import (
    Checkpoint,
    FileOnDisk,
    TensorOnDisk,
    is_document,
    require_unchanged,
    scan,
)
from mgit.checkpoint.writing import Source, new_folder, write_checkpoint

__all__ = [
    "Checkpoint",
    "FileOnDisk",
    "Source",
    "TensorOnDisk",
    "copy_folder",
    "is_document",
    "new_folder",
    "require_unchanged",
    "scan",
    "write_checkpoint",
]
