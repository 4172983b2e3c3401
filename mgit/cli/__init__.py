"""The command line: parse, call one function of mgit, print. Owns stdout and the exit codes."""

from mgit.cli.entry import main

__all__ = ["main"]
