"""Everything that is measured, in the order of the table."""

from collections.abc import Iterator

from benchmarks.storage.peers.coded import Coded
from benchmarks.storage.peers.dvc import Dvc
from benchmarks.storage.peers.git import Git, GitLfs, GitTheta
from benchmarks.storage.peers.ours import Mgit, MgitInProcess
from benchmarks.storage.peers.peer import Peer
from benchmarks.storage.peers.tools import Environment


def peers(*, collects: bool) -> Iterator[Peer]:
    """Yields all peers; ``collects`` adds git after ``git gc``, which takes minutes."""
    numbers = ("numpy==2.4.6",)
    yield Mgit("mgit")
    yield Mgit("mgit --fast", words=("--fast",))
    yield Mgit("mgit and repack --max", last=("repack", "--max", "--grace", "0"))
    yield Mgit("mgit with openzl", coder="openzl")
    yield MgitInProcess("mgit in one process", "in_process", note="the Python interface")
    yield MgitInProcess(
        "mgit on one processor", "in_process", note="in one process", before=("taskset", "-c", "0")
    )
    yield MgitInProcess(
        "mgit --fast in one process", "in_process", variables={"MGIT_BENCH_EFFORT": "FAST"}
    )
    yield Coded("copy and sha256", "copying")
    yield Git()
    if collects:
        yield Git("git and gc", collects=True)
    yield GitLfs()
    yield Dvc()
    yield GitTheta()
    yield Coded("ZipNN", "whole_zipnn", Environment("zipnn", ("zipnn==0.5.4",)))
    yield Coded("z4ai", "delta_z4ai", Environment("z4ai", ("z4ai==0.2.0",)))
    yield Coded("BitX", "bitx", note="re-implemented")
    yield Coded(
        "xet",
        "chunked",
        Environment("xet", ("pyfastcdc==0.3.1", "lz4==4.4.5", *numbers)),
        note="re-implemented",
    )
    yield Coded("MGit of the paper", "original", note="re-implemented; lossy, no test of accuracy")


__all__ = ["Peer", "peers"]
