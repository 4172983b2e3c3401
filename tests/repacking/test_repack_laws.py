"""Laws of writing anew: any family reads as before, within the bounds that writers keep to."""

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgit import repair
from mgit.adding import Description, add, export
from mgit.objects import CHUNK, PackKind, Ref
from mgit.repacking import repack
from mgit.repository import Repository
from mgit.store import Catalog, Effort
from tests.checkpoints import Tensor, files_below, repository_of, safetensors, written

EFFORTS = st.sampled_from(Effort)


@dataclass(frozen=True)
class Member:
    """How a model comes about.

    Attributes:
        on: Which earlier model it is made from, counted from 0 and around; None: from none.
        how: What was done to that.
        is_told: Whether anybody says so.
        effort: With which it was added.
    """

    on: int | None
    how: str
    is_told: bool
    effort: Effort


HOWS = ("tuned", "pruned", "cast", "same", "odd")
MEMBERS = st.builds(
    Member, st.none() | st.integers(0, 7), st.sampled_from(HOWS), st.booleans(), EFFORTS
)


def made(members: Sequence[Member]) -> list[dict[str, Tensor]]:
    """The tensors of each model."""
    random, found = np.random.default_rng(7), []
    values: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    for number, member in enumerate(members):
        base = random.normal(0, 1, 2048).astype("<f4")
        if member.on is not None and values:
            base = values[member.on % len(values)]
        noise = random.normal(0, 1e-4, 2048).astype("<f4")
        now = base + noise if member.how == "tuned" else base
        now = np.where(np.abs(base) > 0.5, base, 0).astype("<f4") if member.how == "pruned" else now
        values.append(now)
        whole = Tensor("F32", (32, 64), now.tobytes())
        half = Tensor("F16", (32, 64), now.astype("<f2").tobytes())
        odd = {"odd": Tensor("U8", (number + 1,), bytes(number + 1))} if member.how == "odd" else {}
        found.append({"w": half if member.how == "cast" else whole, **odd})
    return found


def grown(root: Path, members: Sequence[Member]) -> tuple[Repository, dict[str, Path]]:
    repository, sources = repository_of("alice", root), {}
    for number, (member, tensors) in enumerate(zip(members, made(members), strict=True)):
        path = written(root / "sources" / str(number) / "a.safetensors", safetensors(tensors))
        is_child = member.is_told and member.on is not None and number
        parents = [f"m{(member.on or 0) % number}"] if is_child else []
        description = Description(parents=parents)
        add(repository, path, f"m{number}", description=description, effort=member.effort)
        sources[f"m{number}"] = path
    return repository, sources


@settings(
    max_examples=max(settings().max_examples // 5, 10),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    members=st.lists(MEMBERS, min_size=1, max_size=7),
    efforts=st.lists(EFFORTS, min_size=1, max_size=2),
)
def test_a_family_reads_as_before_within_bounds_and_takes_no_more(
    members: list[Member], efforts: list[Effort]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        repository, sources = grown(root, members)
        sizes = [bodies(repository)]

        for effort in efforts:
            repack(repository, effort=effort, grace=timedelta())
            sizes.append(bodies(repository))

        assert all(after <= before for before, after in itertools.pairwise(sizes))
        assert repair.check(repository).is_clean
        require_bounds(repository.store.catalog)
        for model, source in sources.items():
            export(repository, model, root / "written" / model)
            assert files_below(root / "written" / model) == {source.name: source.read_bytes()}


def bodies(repository: Repository) -> int:
    packs = repository.store.refresh().catalog.packs.values()
    return sum(pack.bodies_bytes for pack in packs if pack.kind is PackKind.CHUNKS)


def require_bounds(catalog: Catalog) -> None:
    for place in catalog.of_kind(CHUNK):
        cost = catalog.cost(place.row.ref.digest)
        assert cost is not None
        assert cost.may_be_written(place.row.raw_bytes, place.row.stored_bytes)
        assert len(catalog.places(Ref(CHUNK, place.row.ref.digest))) == 1
