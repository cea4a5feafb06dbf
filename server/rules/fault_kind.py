"""What kind of fault: rules over what the detectors found, and a classifier learned from closed orders that overrides them when sure. Pure.

Six labels of a signal's fault (S2-R4) and the fault category of the taxonomy. Nothing is shipped: the cases are the plant's own
verdicts on the same asset class. Naive Bayes over categories, Laplace-smoothed; where cases are few the word is "unknown".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log

from server.rules.limit_defaults import SIDES

LEAST_CASES, LEAST_ALIKE = 5, 3
SURE_KIND, SURE_CATEGORY = 0.8, 0.6
ALPHA = 1.0  # Laplace
UNKNOWN = "unknown"


class FaultKind(StrEnum):
    """S2-R4: what a signal's window looks like; `none` = healthy in shape, whatever its level; unknown = nobody can tell."""

    STUCK = "stuck"
    SPIKE = "spike"
    DRIFT_HIGH = "drift_high"
    DRIFT_LOW = "drift_low"
    NOISY = "noisy"
    NONE = "none"
    UNKNOWN = "unknown"


# Code of a finding -> label, in the order of precedence: what stands still cannot drift, noise makes spikes.
_OF_CODE = {
    "stuck": FaultKind.STUCK,
    "noise": FaultKind.NOISY,
    "spike": FaultKind.SPIKE,
    "drift_high": FaultKind.DRIFT_HIGH,
    "drift_low": FaultKind.DRIFT_LOW,
    "cusum_high": FaultKind.DRIFT_HIGH,
    "cusum_low": FaultKind.DRIFT_LOW,
}
_SILENT = "silence"
_LEVEL_ONLY = frozenset({"over_range", "under_range", _SILENT, *SIDES})  # they speak of the level or of nothing at all
_OF_TERM = {"stuck": FaultKind.STUCK, "no_signal": FaultKind.NONE}  # `what` of the taxonomy, as technicians choose it


@dataclass(frozen=True, slots=True)
class Case:
    """A closed order: what was found (feature -> value) and what it turned out to be."""

    features: Mapping[str, str]
    label: str


@dataclass(frozen=True, slots=True)
class Guess:
    """A label with its method (rules, learned), its share of belief 0..1 and the sentence that explains it."""

    label: str
    method: str
    share: float | None
    text: str
    cases: int = 0


def kind_by_rules(codes: Collection[str]) -> Guess:
    """The label that the findings on one tag mean; drift both ways at once, or nothing but a model's word, is unknown."""
    labels = [label for code, label in _OF_CODE.items() if code in codes]
    if {FaultKind.DRIFT_HIGH, FaultKind.DRIFT_LOW} <= set(labels) and labels[0] in {FaultKind.DRIFT_HIGH, FaultKind.DRIFT_LOW}:
        return Guess(FaultKind.UNKNOWN, "rules", None, "Drift up and drift down were found at the same time")
    if labels:
        found = ", ".join(sorted(code.replace("_", " ") for code in codes if _OF_CODE.get(code) is labels[0]))
        return Guess(labels[0], "rules", None, f"The monitor found: {found}")
    if set(codes) == {_SILENT}:
        return Guess(FaultKind.NONE, "rules", None, "Nothing arrives: there is no signal to judge")
    if codes and set(codes) <= _LEVEL_ONLY:
        return Guess(FaultKind.NONE, "rules", None, "The level is wrong, the shape of the signal is not")
    return Guess(FaultKind.UNKNOWN, "rules", None, "No detector named a fault of this signal")


def kind_of_case(by_rules: str, verdict: str, what: str | None) -> str | None:
    """The label that a closed order teaches: false = none, confirmed = what the rules said, something else = the technician's word."""
    if verdict == "false":
        return FaultKind.NONE
    if verdict == "confirmed":
        return by_rules if by_rules != FaultKind.UNKNOWN else None
    return _OF_TERM.get(what or "")


def posterior(cases: Sequence[Case], features: Mapping[str, str]) -> dict[str, float]:
    """Belief in each label that the cases know, adding up to 1; empty without cases.

    P(c | x) ~ (n_c + a) / (N + a K) * prod_f (n_cfx + a) / (n_cf + a V_f), a = ALPHA, over the features that both sides have.
    Source: multinomial naive Bayes with Laplace smoothing, Manning et al., Introduction to Information Retrieval (2008), 13.2.
    """
    counts = Counter(case.label for case in cases)
    if not counts:
        return {}
    logs = {label: _log_belief(label, counts, cases, features) for label in sorted(counts)}
    top = max(logs.values())
    weights = {label: exp(value - top) for label, value in logs.items()}
    total = sum(weights.values())
    return {label: weight / total for label, weight in weights.items()}


def _log_belief(label: str, counts: Mapping[str, int], cases: Sequence[Case], features: Mapping[str, str]) -> float:
    belief = log((counts[label] + ALPHA) / (len(cases) + ALPHA * len(counts)))
    for name, value in features.items():
        seen = Counter(case.features[name] for case in cases if case.label == label and name in case.features)
        values = {case.features[name] for case in cases if name in case.features} | {value}
        belief += log((seen[value] + ALPHA) / (seen.total() + ALPHA * len(values)))
    return belief


def learned(cases: Sequence[Case], features: Mapping[str, str], *, of: str, sure: float) -> Guess:
    """The label that past cases teach; `unknown` with fewer than LEAST_CASES, fewer than LEAST_ALIKE alike, or less belief than `sure`.

    alike: cases with the same `finding` that ended with the label. of: what the cases are of, in words ("class pump").
    """
    if len(cases) < LEAST_CASES:
        known = {0: "No closed order yet", 1: "Only one closed order"}.get(len(cases), f"Only {len(cases)} closed orders")
        return Guess(UNKNOWN, "learned", None, f"{known} of {of} to learn from, {LEAST_CASES} are needed", len(cases))
    beliefs = posterior(cases, features)
    label, share = max(beliefs.items(), key=lambda pair: (pair[1], pair[0]))
    same = [case for case in cases if case.features.get("finding") == features.get("finding")]
    alike = sum(case.label == label for case in same)
    told = f"{alike} of {len(same)} closed orders of {of} with the same finding ended so"
    if alike < LEAST_ALIKE:
        return Guess(UNKNOWN, "learned", share, f"Too few like it: {told}, {LEAST_ALIKE} are needed", len(cases))
    if share < sure:
        return Guess(UNKNOWN, "learned", share, f"Not sure enough ({share:.0%} belief, {sure:.0%} is needed): {told}", len(cases))
    return Guess(label, "learned", share, f"{told} ({share:.0%} belief)", len(cases))


def kind(codes: Collection[str], cases: Sequence[Case], features: Mapping[str, str], *, of: str) -> Guess:
    """The rules' label, unless the learned one is sure and differs (S2-R4)."""
    by_rules = kind_by_rules(codes)
    by_cases = learned(cases, features, of=of, sure=SURE_KIND)
    if by_cases.label in {UNKNOWN, by_rules.label}:
        return by_rules
    return Guess(
        by_cases.label,
        "learned",
        by_cases.share,
        f"{by_cases.text}; the rules alone would say {by_rules.label.replace('_', ' ')}",
        by_cases.cases,
    )


def category(named: str, suspect: str, cases: Sequence[Case], features: Mapping[str, str], *, of: str) -> Guess:
    """Category of the taxonomy: of the fault-code table, else what past orders teach, else what a triage for the sensor means."""
    if named:
        return Guess(named, "rules", None, "The fault-code table says so")
    by_cases = learned(cases, features, of=of, sure=SURE_CATEGORY)
    if by_cases.label != UNKNOWN:
        return by_cases
    meant = {"sensor": "instrument", "connection": "control"}.get(suspect)
    if meant:
        return Guess(meant, "rules", None, "The triage points there", by_cases.cases)
    return by_cases
