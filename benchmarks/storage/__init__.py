"""What a family of models takes on the disk, and what it takes to put it there; side by side.

    make bench-storage
    python -m benchmarks.storage --help

Run from the root of the sources. Nothing here is part of mgit, and mgit is only called as a person
calls it: as a command, in a process of its own.
"""
