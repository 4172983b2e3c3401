"""What was made before, by the key of the action: so that nothing is made twice.

A result counts if this person's own runs left it in the cache folder, which is not part of the
repository, or if a trusted key signed for it. What anybody else claims to have made is not looked
at (a forged result would be taken over unseen).
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from mgit.building.environment import Environment
from mgit.digest import Digest
from mgit.objects import CREATION, Node
from mgit.provenance import Claim, Provenance
from mgit.repository import History, Presence, Repository, presence_of
from mgit.store import Facts


@dataclass(frozen=True, slots=True)
class Made:
    """What a run of a recipe made.

    Attributes:
        manifests: Output -> manifest of the model.
        environment: Environment class of the run.
        started: When, RFC 3339.
        finished: When it ended.
        duration_s: How long the recipe ran.
    """

    manifests: Mapping[str, Digest]
    environment: Environment
    started: str
    finished: str
    duration_s: float

    @classmethod
    def parse(cls, fact: Mapping[str, object]) -> Self | None:
        """Returns what ``told`` wrote, or None where it is something else."""
        match fact:
            case {
                "outputs": dict(outputs),
                "environment": dict(environment),
                "started": str(started),
                "finished": str(finished),
                "duration_s": int() | float() as duration_s,
            }:
                with contextlib.suppress(ValueError):
                    manifests = {k: Digest.from_text(str(v)) for k, v in outputs.items()}
                    return cls(manifests, environment, started, finished, duration_s)
            case _:
                pass
        return None

    def told(self) -> dict[str, object]:
        """Returns it as JSON values."""
        return {
            "outputs": {output: digest.hex() for output, digest in self.manifests.items()},
            "environment": dict(self.environment),
            "started": self.started,
            "finished": self.finished,
            "duration_s": self.duration_s,
        }


class Results:
    """The results that count in one repository, for one person."""

    def __init__(self, repository: Repository, history: History) -> None:
        """Takes a repository, and what it held when its history was read."""
        self._repository = repository
        self._history = history
        self._facts = Facts(repository.home.cache_of(repository.folder) / "results")

    def find(self, action: Digest, outputs: tuple[str, ...]) -> Made | None:
        """Returns the result of an action, if all of it is here."""
        for made in self._known.get(action, ()):
            wanted = [made.manifests.get(output) for output in outputs]
            if all(manifest and self._is_here(manifest) for manifest in wanted):
                return made
        return None

    def keep(self, action: Digest, made: Made) -> None:
        """Remembers a result; it is durable when this returns."""
        self._facts.append({"action": action.hex(), **made.told()})
        self._known.setdefault(action, []).append(made)

    def _is_here(self, manifest: Digest) -> bool:
        return presence_of(self._repository, manifest) is Presence.COMPLETE

    @cached_property
    def _known(self) -> dict[Digest, list[Made]]:
        known: dict[Digest, list[Made]] = {}
        for action, made in (*self._own(), *self._claimed()):
            known.setdefault(action, []).append(made)
        return known

    def _own(self) -> Iterator[tuple[Digest, Made]]:
        for fact in self._facts:
            made = Made.parse(fact)
            with contextlib.suppress(ValueError):
                if made:
                    yield Digest.from_text(str(fact.get("action"))), made

    def _claimed(self) -> Iterator[tuple[Digest, Made]]:
        """What trusted keys signed for; the outputs of one action that made several are joined."""
        joined: dict[Digest, Made] = {}
        for claim in Provenance(self._history).claims(CREATION):
            found = self._made_of(claim)
            if found is None:
                continue
            action, made = found
            known = joined.get(action)
            manifests = {**(known.manifests if known else {}), **made.manifests}
            joined[action] = Made(
                manifests, made.environment, made.started, made.finished, made.duration_s
            )
        yield from joined.items()

    def _made_of(self, claim: Claim) -> tuple[Digest, Made] | None:
        node = next((s.ref for s in claim.statement.subjects if s.ref.kind == Node.kind), None)
        known = self._history.nodes.get(node.digest) if node else None
        match claim.statement.predicate:
            case {
                "buildDefinition": {"internalParameters": {"action": str(text)} as internal},
                "runDetails": {"metadata": dict(times)},
            } if known:
                outputs = {str(internal.get("output", "")): known.manifest.hex()}
                made = Made.parse(
                    {
                        "outputs": outputs,
                        "environment": internal.get("environment"),
                        "duration_s": internal.get("duration_s"),
                        "started": times.get("startedOn"),
                        "finished": times.get("finishedOn"),
                    }
                )
                with contextlib.suppress(ValueError):
                    return (Digest.from_text(text), made) if made else None
        return None
