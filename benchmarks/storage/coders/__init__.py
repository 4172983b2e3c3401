"""Peers that are libraries or ideas, not commands: each module stores a family in a folder.

    python -m benchmarks.storage.coders.NAME add FAMILY.json STORE
    python -m benchmarks.storage.coders.NAME export FAMILY.json STORE FOLDER

A process of its own each, so that CPU and memory are its own. Where a model is decoded from its
parent, the parent is read from what was exported already: no peer decodes a chain twice.
"""
