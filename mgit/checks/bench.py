"""Checks of models, from what is still to be measured to a row of the report.

Starts nothing itself: whoever has an executor is told what to run, and brings back what came of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from mgit.building import Failure, FailureKind
from mgit.checks.gates import judge
from mgit.checks.known import KnownScores
from mgit.checks.measuring import Measurement, id_of, measured_in, measurement
from mgit.checks.registering import Registered
from mgit.checks.reporting import STATES, Row, State
from mgit.checks.scores import Measured, flips
from mgit.checks.subjects import Subject, Weighed
from mgit.digest import Digest
from mgit.errors import AbsentError, TrustError
from mgit.execution import Done
from mgit.objects.grammar import printable
from mgit.repository import History, Repository

_MAX_CHARACTERS = 2_000  # of an error's message


@dataclass(frozen=True, slots=True)
class Trial:
    """A check of a model.

    Attributes:
        check: The check.
        subject: The model, and what it is compared with.
    """

    check: Registered
    subject: Subject

    def weighed(self) -> Iterator[Weighed]:
        """Yields the model, and every model that a gate compares it with."""
        yield self.subject.model
        named = {gate.arguments.get("versus") for gate in self.check.check.gates}
        for versus, models in self.subject.baselines.items():
            if versus in named:
                yield from models


@dataclass(slots=True)
class Bench:
    """What is known of models while checks run.

    Attributes:
        repository: Where the models are.
        known: Scores.
        failures: Id of a measurement -> why it measured nothing.
        refused: Id of a measurement -> what of it is not here.
        durations: Id of a measurement that was made here -> seconds it took.
    """

    repository: Repository
    known: KnownScores
    failures: dict[str, Failure] = field(default_factory=dict)
    refused: dict[str, AbsentError] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, repository: Repository, history: History) -> Self:
        """Returns a bench with what is known in a repository."""
        return cls(repository, KnownScores(repository, history))

    def wanted(self, trials: Iterable[Trial]) -> dict[str, Measurement]:
        """Returns what has to be measured for some trials, by id; what cannot be is left out."""
        found: dict[str, Measurement] = {}
        for trial in trials:
            for model in trial.weighed():
                if self._known(trial.check, model) is not None:
                    continue
                try:
                    made = self._measurement(trial.check, model)
                except (AbsentError, TrustError):
                    continue  # told by ``row``
                if made.id not in self.failures:
                    found[made.id] = made
        return found

    def take(self, measured: Measurement, done: Done) -> None:
        """Takes what came of a measurement.

        Raises:
            MachineError: It could not be made on this machine, which says nothing about the model.
        """
        found = measured_in(done)
        if isinstance(found, Failure):
            if found.kind is FailureKind.MACHINE:
                raise found.error(f"{measured.code.function} on {measured.model.title}")
            self.failures[measured.id] = found
            self.repository.store.refresh()  # a model that it found damaged is as good as not here
            return
        self.known.keep(measured.content, measured.code, found)
        self.durations[measured.id] = done.duration_s

    def refuse(self, measured: Measurement, error: AbsentError) -> None:
        """Takes that a measurement cannot be made here."""
        self.refused[measured.id] = error

    def measured(self, check: Registered, content: Digest) -> Measured | None:
        """Returns the scores of a model, if they are known."""
        return self.known.find(content, check.check.code)

    def row(self, trial: Trial) -> Row:
        """Returns what became of a trial."""
        try:
            lacking = [m for m in trial.weighed() if self._known(trial.check, m) is None]
            made = [self._measurement(trial.check, model) for model in lacking]
        except TrustError as error:
            return _row(trial, State.UNTRUSTED, str(error), error.hint)
        except AbsentError as error:
            return _row(trial, State.ABSENT, str(error), error.hint)
        failed = [self.failures[one.id] for one in made if one.id in self.failures]
        if failed:
            return _row(trial, State.ERRORED, failed[0].message, failed[0].hint)
        return self._judged(trial)

    def _judged(self, trial: Trial) -> Row:
        check, subject = trial.check, trial.subject
        measured = self._known(check, subject.model)
        if measured is None or subject.model.content is None:
            raise ValueError(f"{subject.model.title} was not measured")
        baselines = {
            versus: [
                (model.title, found) for model in models if (found := self._known(check, model))
            ]
            for versus, models in subject.baselines.items()
        }
        judgement = judge(check.check, measured, baselines)
        before = next((found for _, found in baselines["previous"]), None)
        common = measured.scores.keys() & before.scores.keys() if before else set()
        made = id_of(check.check.code, subject.model.content)
        return Row(
            model=subject.model.title,
            node=subject.node,
            content=subject.model.content,
            check=check.name,
            severity=check.check.severity,
            state=STATES[judgement.verdict],
            sentences=judgement.sentences,
            scores=measured.scores,
            deltas={name: measured.scores[name] - before.scores[name] for name in sorted(common)}
            if before
            else {},
            flips=flips(before, measured) if before else None,
            duration_s=self.durations.get(made, 0.0),
            is_cached=made not in self.durations,
        )

    def _measurement(self, check: Registered, model: Weighed) -> Measurement:
        made = measurement(self.repository, check, model)
        if made.id in self.refused:
            raise self.refused[made.id]
        return made

    def _known(self, check: Registered, model: Weighed) -> Measured | None:
        return self.measured(check, model.content) if model.content else None


def _row(trial: Trial, state: State, *sentences: str) -> Row:
    model = trial.subject.model
    return Row(
        model=model.title,
        node=trial.subject.node,
        content=model.content or model.manifest,
        check=trial.check.name,
        severity=trial.check.check.severity,
        state=state,
        sentences=tuple(_told(sentence) for sentence in sentences if sentence),
    )


def _told(sentence: str) -> str:
    """Returns what code of somebody said, so that it can be shown and signed."""
    told = printable(sentence)
    return told if len(told) <= _MAX_CHARACTERS else f"{told[:_MAX_CHARACTERS]} …"
