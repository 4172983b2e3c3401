"""Gates: how people write them, how they are kept, and what they say of a measurement.

A gate is one row of `GATES`: a function that makes it and one that judges it. Gates are kept
in full, defaults included, so that how one was spelt does not matter.
"""

import ast
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from inspect import Parameter, signature

from mgit.canonical import Value
from mgit.checks.judging import (
    VERSUS,
    Baselines,
    Finding,
    Verdict,
    judge_at_least,
    judge_at_most,
    judge_max_negative_flips,
    judge_no_worse_than,
)
from mgit.checks.scores import Measured, check_metric
from mgit.errors import UsageError
from mgit.objects import Check, Gate
from mgit.objects.grammar import printable

_MAX_CHARACTERS = 1_000
_EXAMPLE = 'for example: at_least("accuracy", 0.9)'


# --- what people write ---


def at_least(metric: str, threshold: float) -> Gate:
    """Returns the demand that a score is ``threshold`` or more."""
    return Gate(
        "at_least",
        {"metric": check_metric(metric), "threshold": _number("threshold", threshold)},
    )


def at_most(metric: str, threshold: float) -> Gate:
    """Returns the demand that a score is ``threshold`` or less."""
    return Gate(
        "at_most",
        {"metric": check_metric(metric), "threshold": _number("threshold", threshold)},
    )


def no_worse_than(versus: str, metric: str, margin: float = 0.0) -> Gate:
    """Returns the demand that a score is no smaller than that of other models.

    Args:
        versus: ``previous`` or ``parent``; of several models, the best one counts.
        metric: A score of which more is better.
        margin: By how much it may be smaller; 0 or more.
    """
    return Gate(
        "no_worse_than",
        {
            "versus": _versus(versus),
            "metric": check_metric(metric),
            "margin": _number("margin", margin, low=0),
        },
    )


def max_negative_flips(share: float, versus: str = "previous") -> Gate:
    """Returns the demand that hardly anything that was right is wrong now.

    Args:
        share: How many of all items may be right in the other model and wrong in this; 0 to 1.
        versus: ``previous`` or ``parent``; of several models, the worst comparison counts.
    """
    return Gate(
        "max_negative_flips",
        {"share": _number("share", share, low=0, high=1), "versus": _versus(versus)},
    )


def _number(name: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            number = float(value)
    if not math.isfinite(number) or not low <= number <= high:
        bounds = f" from {low:g} to {high:g}" if low > -math.inf else ""
        raise UsageError(f"{name} is {value!r:.40}, not a number{bounds}")
    return number


def _versus(value: object) -> str:
    if not isinstance(value, str) or value not in VERSUS:
        raise UsageError(
            f"nothing to compare with is called {value!r:.40}",
            hint=f"choose from: {', '.join(VERSUS)}",
        )
    return value


# --- the table ---


@dataclass(frozen=True, slots=True)
class GateKind:
    """A row of `GATES`.

    Attributes:
        make: Returns the gate from what a person wrote, checked.
        judge: Returns the finding from measurement, baselines and the gate's arguments.
    """

    make: Callable[..., Gate]
    judge: Callable[..., Finding]

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """What it is given, in order, with its defaults."""
        return signature(self.make).parameters


GATES: Mapping[str, GateKind] = {
    "at_least": GateKind(at_least, judge_at_least),
    "at_most": GateKind(at_most, judge_at_most),
    "no_worse_than": GateKind(no_worse_than, judge_no_worse_than),
    "max_negative_flips": GateKind(max_negative_flips, judge_max_negative_flips),
}


# --- gates as text ---


def gate_from_call(name: str, args: Sequence[object], keywords: Mapping[str, object]) -> Gate:
    """Returns the gate that a call with these literals makes.

    Raises:
        UsageError: There is no such gate, or it does not take these arguments.
    """
    if name not in GATES:
        raise UsageError(
            f"no gate is called {printable(name)[:80]!r}", hint=f"choose from: {', '.join(GATES)}"
        )
    make = GATES[name].make
    try:
        bound = signature(make).bind(*args, **keywords)
    except TypeError as error:
        taken = ", ".join(str(parameter) for parameter in GATES[name].parameters.values())
        raise UsageError(f"{name}: {error}", hint=f"it takes: {taken}") from error
    return make(*bound.args, **bound.kwargs)


def parse_gate(text: str) -> Gate:
    """Returns the gate that ``text`` calls for: ``max_negative_flips(0.0)``. Nothing is executed.

    Raises:
        UsageError: It is not one call of a gate with literals.
    """
    if len(text) > _MAX_CHARACTERS:
        raise UsageError(f"a gate of {len(text):,} characters", hint=_EXAMPLE)
    try:
        name, args, keywords = _parse_call(text)
    # All that ast.literal_eval is documented to raise.
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise UsageError(f"{printable(text)!r} is no gate: {error}", hint=_EXAMPLE) from error
    return gate_from_call(name, args, keywords)


def _parse_call(text: str) -> tuple[str, list[object], dict[str, object]]:
    match ast.parse(text.strip(), mode="eval").body:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=pairs):
            keywords = {pair.arg: ast.literal_eval(pair.value) for pair in pairs if pair.arg}
            if len(keywords) < len(pairs):
                raise ValueError("an argument twice, or **")
            return name, [ast.literal_eval(arg) for arg in args], keywords
        case _:
            raise ValueError("not a call")


def gate_text(gate: Gate) -> str:
    """Returns a gate as people write it; ``parse_gate(gate_text(gate))`` is ``gate``.

    What is required stands first, without its name; what is as by default is left out. Of a gate
    that this version does not know, all arguments are named.
    """
    parameters = GATES[gate.name].parameters if gate.name in GATES else {}
    is_known = parameters.keys() == gate.arguments.keys()
    words = []
    for name in parameters if is_known else sorted(gate.arguments):
        value, default = gate.arguments[name], parameters[name].default if is_known else None
        if is_known and default is Parameter.empty:
            words.append(_literal(value))
        elif not is_known or value != default:
            words.append(f"{name}={_literal(value)}")
    return f"{gate.name}({', '.join(words)})"


def _literal(value: Value) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


# --- the verdict ---


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a check.

    Attributes:
        findings: Gate and finding, in the order of the check.
    """

    findings: tuple[tuple[Gate, Finding], ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all verdicts."""
        found = {finding.verdict for _, finding in self.findings}
        return max(found, key=list(Verdict).index, default=Verdict.PASS)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Why, one sentence a gate."""
        return tuple(finding.sentence for _, finding in self.findings) or ("no gate",)


def judge(check: Check, measured: Measured, baselines: Baselines) -> Judgement:
    """Returns what the gates of ``check`` say of a measurement.

    Args:
        check: Its gates may come from strangers: one that is not understood fails.
        measured: What the check returned of the model.
        baselines: The same check's measurements of other models, by key of `VERSUS`; the order of
            several does not matter.
    """
    return Judgement(tuple((gate, _judge_gate(gate, measured, baselines)) for gate in check.gates))


def _judge_gate(gate: Gate, measured: Measured, baselines: Baselines) -> Finding:
    try:
        sound = gate_from_call(gate.name, (), gate.arguments)
    except UsageError as error:
        return Finding(Verdict.FAIL, f"{gate_text(gate)} cannot be judged: {error}")
    return GATES[sound.name].judge(measured, baselines, **sound.arguments)
