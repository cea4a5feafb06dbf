"""The classifier: rules always, past verdicts where they are sure, "unknown" where they are few."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules import fault_kind
from server.rules.fault_kind import LEAST_ALIKE, LEAST_CASES, SURE_CATEGORY, UNKNOWN, Case, FaultKind

SPIKE = {"finding": "spike", "signal": "vibration"}
DRIFT = {"finding": "drift_high", "signal": "vibration", "moved": "alone"}


@pytest.mark.parametrize(
    ("codes", "label"),
    [
        ({"stuck"}, FaultKind.STUCK),
        ({"spike"}, FaultKind.SPIKE),
        ({"noise"}, FaultKind.NOISY),
        ({"noise", "spike"}, FaultKind.NOISY),
        ({"drift_high"}, FaultKind.DRIFT_HIGH),
        ({"cusum_low"}, FaultKind.DRIFT_LOW),
        ({"drift_high", "high"}, FaultKind.DRIFT_HIGH),
        ({"drift_high", "cusum_low"}, FaultKind.UNKNOWN),
        ({"high"}, FaultKind.NONE),
        ({"over_range"}, FaultKind.NONE),
        ({"pattern"}, FaultKind.UNKNOWN),
        (set(), FaultKind.UNKNOWN),
    ],
)
def test_rules_name_one_of_six_labels_or_say_unknown(codes: set[str], label: FaultKind) -> None:
    assert fault_kind.kind_by_rules(codes).label == label


def test_silence_is_not_called_a_wrong_level() -> None:
    assert fault_kind.kind_by_rules({"silence"}).text == "Nothing arrives: there is no signal to judge"
    assert fault_kind.kind_by_rules({"over_range"}).text == "The level is wrong, the shape of the signal is not"


def test_past_false_alarms_override_the_rules_only_when_sure() -> None:
    right = [Case(SPIKE, FaultKind.SPIKE)] * 8
    wrong = [Case(SPIKE, FaultKind.NONE)] * 40

    trusted = fault_kind.kind({"spike"}, right, SPIKE, of="class pump")
    few = fault_kind.kind({"spike"}, [*right, *wrong[:8]], SPIKE, of="class pump")
    sure = fault_kind.kind({"spike"}, [*right, *wrong], SPIKE, of="class pump")

    assert [(guess.label, guess.method) for guess in (trusted, few, sure)] == [("spike", "rules"), ("spike", "rules"), ("none", "learned")]
    assert sure.text == "40 of 48 closed orders of class pump with the same finding ended so (82% belief); the rules alone would say spike"


def test_a_category_is_learned_from_orders_of_the_class_and_told_with_its_count() -> None:
    cases = [Case(DRIFT, "mechanical")] * 7 + [Case({"finding": "stuck", "signal": "pressure"}, "instrument")] * 4

    found = fault_kind.category("", UNKNOWN, cases, DRIFT, of="class pump")
    other = fault_kind.category("", UNKNOWN, cases, {"finding": "silence"}, of="class pump")

    assert (found.label, found.method, found.cases) == ("mechanical", "learned", 11)
    assert found.text.startswith("7 of 7 closed orders of class pump with the same finding ended so")
    assert (other.label, other.text[:19]) == (UNKNOWN, "Too few like it: 0 ")


def test_what_the_fault_code_table_says_goes_first_and_a_clear_triage_last() -> None:
    assert fault_kind.category("electrical", "process", [], {}, of="x").label == "electrical"
    assert fault_kind.category("", "sensor", [], {}, of="x").label == "instrument"
    assert fault_kind.category("", "process", [], {}, of="x").label == UNKNOWN


@pytest.mark.parametrize(
    ("verdict", "what", "label"),
    [("confirmed", None, "spike"), ("false", None, "none"), ("something_else", "stuck", "stuck"), ("something_else", "leak", None)],
)
def test_a_closed_order_teaches_what_its_verdict_means(verdict: str, what: str | None, label: str | None) -> None:
    assert fault_kind.kind_of_case("spike", verdict, what) == label


features = st.fixed_dictionaries(
    {"finding": st.sampled_from(["spike", "stuck", "drift_high"])}, optional={"moved": st.sampled_from(["alone", "together"])}
)
labelled = st.builds(Case, features, st.sampled_from(["mechanical", "electrical", "instrument"]))


@given(st.lists(labelled, max_size=30), features, st.randoms())
def test_beliefs_add_up_to_one_whatever_the_order_of_the_cases(cases: list[Case], seen: dict[str, str], rng: random.Random) -> None:
    beliefs = fault_kind.posterior(cases, seen)
    mixed = rng.sample(cases, len(cases))

    assert not cases or sum(beliefs.values()) == pytest.approx(1.0)
    assert fault_kind.posterior(mixed, seen) == pytest.approx(beliefs)


@given(st.lists(labelled, max_size=30), features, st.sampled_from(["mechanical", "electrical", "instrument"]))
def test_one_more_case_like_it_never_weakens_its_label(cases: list[Case], seen: dict[str, str], label: str) -> None:
    before = fault_kind.posterior([*cases, Case(seen, label)], seen)[label]

    assert fault_kind.posterior([*cases, Case(seen, label), Case(seen, label)], seen)[label] >= before - 1e-12


@given(st.lists(labelled, max_size=30), features)
def test_thin_evidence_is_unknown(cases: list[Case], seen: dict[str, str]) -> None:
    found = fault_kind.learned(cases, seen, of="class pump", sure=SURE_CATEGORY)
    alike = [case for case in cases if case.features["finding"] == seen["finding"] and case.label == found.label]

    assert found.text
    assert found.label == UNKNOWN or (len(cases) >= LEAST_CASES and len(alike) >= LEAST_ALIKE and (found.share or 0) >= SURE_CATEGORY)


@pytest.mark.parametrize(
    ("number", "says"), [(0, "No closed order yet of"), (1, "Only one closed order of"), (2, "Only 2 closed orders of")]
)
def test_too_few_cases_are_counted_in_words(number: int, says: str) -> None:
    cases = [Case({"finding": "drift"}, "wear")] * number

    assert fault_kind.learned(cases, {"finding": "drift"}, of="class pump", sure=SURE_CATEGORY).text.startswith(says)
