"""Which procedures may be published, where their steps lead, and what differs between two versions."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.demo.procedures import PROCEDURES
from server.rules.procedure import difference, faults, numbered, targets
from server.rules.procedure_steps import KINDS
from server.rules.steps import END, reachable


def step(id_: str, kind: str = "confirm", **more: Any) -> dict[str, Any]:
    return {"id": id_, "k": kind, "t": f"Do {id_}", "must": True, **more}


CHOICE = [{"k": "a", "t": "A", "go": "s3"}, {"k": "b", "t": "B", "go": "end"}]
SOUND = [
    step("s1", "choice", opt=CHOICE),
    step("s2", next="s1"),
    step("s3", "measure", **{"in": {"lo": 0, "hi": 7.1, "unit": "mm/s", "tag": "{asset}.vibration", "on_hi": "s2"}}),
]
EVERY_KIND = [
    step("k1", "info", media=[{"id": 4, "type": "image/jpeg"}], live=["{asset}.pressure"]),
    step("k2", warn={"sev": "danger", "t": "It may start"}, say="PUMP IS LOCKED"),
    step("k3", "check", on_fail={"follow_up": {"title": "Tighten it", "priority": "high"}}),
    step("k4", "measure", **{"in": {"lo": 1.5, "unit": "bar", "dec": 1}}),
    step("k5", "choice", opt=[*CHOICE[1:], {"k": "c", "t": "C", "say": "NOTHING TO SEE"}]),
    step("k6", "photo"),
    step("k7", "scan", **{"in": {"code": "7F3K2QD"}}),
    step("k8", "part", part={"sku": "6308", "qty": 2}),
    step("k9", "text"),
    step("k10", "timer", **{"in": {"seconds": 90}}),
    step("k11", "sign"),
]


def with_(n: int, **changes: Any) -> list[dict[str, Any]]:
    changed = copy.deepcopy(SOUND)
    changed[n].update({name.rstrip("_"): value for name, value in changes.items()})
    return changed


@pytest.mark.parametrize("steps", [SOUND, EVERY_KIND, [step("only")]], ids=["branches", "every_kind", "one"])
def test_a_sound_procedure_has_no_faults(steps: list[dict[str, Any]]) -> None:
    assert faults({"steps": steps}) == []
    assert {row["k"] for row in EVERY_KIND} == set(KINDS)


@pytest.mark.parametrize("row", PROCEDURES, ids=lambda row: row.code)
def test_the_procedures_of_the_demo_are_sound_as_they_are(row: Any) -> None:
    document = {"steps": list(row.steps), "safety": list(row.safety), "hazards": list(row.hazards), "lock_out": row.lock_out}

    assert faults(document) == []
    assert numbered(document)["steps"] == list(row.steps)


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([], (None, "steps", "length")),
        (["x"], (None, "steps", "not_an_object")),
        (with_(0, k="dance"), ("s1", "k", "unknown")),
        (with_(1, t=" "), ("s2", "t", "length")),
        (with_(1, colour="red"), ("s2", "colour", "unknown")),
        (with_(1, id="s1"), ("s1", "id", "twice")),
        (with_(1, id="end"), ("end", "id", "wrong")),
        (with_(1, next="s9"), ("s2", "next", "no_such_step")),
        (with_(0, opt=[{"k": "a", "t": "A", "go": "gone"}, {"k": "b", "t": "B"}]), ("s1", "opt.go", "no_such_step")),
        (with_(0, opt=CHOICE[:1]), ("s1", "opt", "wrong")),
        (with_(0, opt=[CHOICE[0], CHOICE[0]]), ("s1", "opt", "twice")),
        (with_(2, in_={"lo": 5, "hi": 1}), ("s3", "in.lo", "above_hi")),
        (with_(2, in_={"lo": float("nan")}), ("s3", "in.lo", "not_a_number")),
        (with_(2, in_={"hi": True}), ("s3", "in.hi", "not_a_number")),
        (with_(2, in_=[1]), ("s3", "in", "not_an_object")),
        (with_(2, in_={"on_hi": "s8"}), ("s3", "in.on_hi", "no_such_step")),
        (with_(1, say="ok"), ("s2", "say", "wrong")),
        (with_(1, warn={"sev": "loud", "t": "x"}), ("s2", "warn", "severity")),
        (with_(1, media=[{"alt": "x"}]), ("s2", "media", "wrong")),
        (with_(1, live="M2.vibration"), ("s2", "live", "wrong")),
        (with_(1, on_fail={"follow_up": {}}), ("s2", "on_fail", "wrong")),
        (with_(1, on_fail={"follow_up": {"title": "x", "priority": "soon"}}), ("s2", "on_fail", "priority")),
        ([step("s1", "scan")], ("s1", "in.code", "required")),
        ([step("s1", "timer", **{"in": {"seconds": 0}})], ("s1", "in.seconds", "out_of_range")),
        ([step("s1", "part", part={"sku": "x", "qty": -1})], ("s1", "part", "qty")),
        ([step("s1", next="s3"), step("s2"), step("s3")], ("s2", "next", "unreachable")),
        ([step("s1"), step("s2", next="s1")], ("s1", "next", "no_end")),
    ],
)
def test_a_fault_is_named_by_step_and_field(steps: list[Any], found: tuple[str | None, str, str]) -> None:
    named = [(fault.step, fault.field, fault.code) for fault in faults({"steps": steps})]

    assert named[0] == found


def test_a_lock_out_is_a_warning_that_stands_first() -> None:
    assert [fault.field for fault in faults({"steps": SOUND, "lock_out": True})] == ["safety"]

    mild, grave = {"sev": "notice", "t": "Wear gloves"}, {"sev": "danger", "t": "Rotating parts"}
    published = numbered({"steps": SOUND, "safety": [mild, grave], "lock_out": True})

    assert [danger["sev"] for danger in published["safety"]] == ["danger", "notice"]
    assert [row["n"] for row in published["steps"]] == [1, 2, 3]


def test_what_changed_between_versions_is_told_by_step() -> None:
    new = [step("s3"), with_(0, t="Look twice")[0], step("s4")]

    found = difference({"steps": SOUND, "lock_out": False}, {"steps": new, "lock_out": True})

    assert [row["id"] for row in found["added"]] == ["s4"]
    assert [row["id"] for row in found["removed"]] == ["s2"]
    assert set(found["moved"]) == {"s1", "s3"}
    assert {"id": "s1", "fields": {"t": ["Do s1", "Look twice"]}} in found["changed"]
    assert found["parts"] == {"lock_out": [False, True]}


IDS = [f"s{n}" for n in range(1, 7)]


@given(st.lists(st.sampled_from([*IDS, END, None]), min_size=6, max_size=6), st.randoms(use_true_random=False))
def test_whoever_answers_a_sound_procedure_comes_to_its_end(leads: list[str | None], random: Any) -> None:
    steps = [step(id_, next=lead) if lead else step(id_) for id_, lead in zip(IDS, leads, strict=True)]

    if not faults({"steps": steps}):
        at, answered = IDS[0], dict[str, str]()
        while at != END and at not in answered:
            answered[at] = random.choice(sorted(targets(steps[IDS.index(at)], steps)))
            at = answered[at]
        assert at == END
        assert reachable(steps, answered) == (list(answered), None)
        assert set(answered) == set(IDS)
