"""What models must reach, and whether they do: scores, gates, verdicts, reports.

Importing this loads neither numpy nor torch: whoever writes a check does.
"""

from mgit.checks.gates import (
    GATES,
    Judgement,
    at_least,
    at_most,
    gate_from_call,
    gate_text,
    judge,
    max_negative_flips,
    no_worse_than,
    parse_gate,
)
from mgit.checks.judging import VERSUS, Baselines, Finding, Verdict
from mgit.checks.reporting import STATES, Report, Row, State, junit_xml
from mgit.checks.returned import measured_from
from mgit.checks.scores import Flips, Measured, Samples, check_metric, flips, from_json, to_json

__all__ = [
    "GATES",
    "STATES",
    "VERSUS",
    "Baselines",
    "Finding",
    "Flips",
    "Judgement",
    "Measured",
    "Report",
    "Row",
    "Samples",
    "State",
    "Verdict",
    "at_least",
    "at_most",
    "check_metric",
    "flips",
    "from_json",
    "gate_from_call",
    "gate_text",
    "judge",
    "junit_xml",
    "max_negative_flips",
    "measured_from",
    "no_worse_than",
    "parse_gate",
    "to_json",
]
