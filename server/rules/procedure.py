"""Whether a procedure may be published: its steps one by one, where they lead, its warnings; and what changed between two versions.

Every branch leads to a step that exists, every step can be reached, and from every step the end can be reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from server.rules.procedure_steps import CODE_MAX, Fault, Step, danger_faults, is_text, step_faults
from server.rules.safety import SEVERITIES
from server.rules.steps import END, following

STEPS_MAX, SAFETY_MAX, HAZARDS_MAX = 200, 20, 20
PARTS = ("steps", "safety", "hazards", "lock_out", "estimated_min")
Document = Mapping[str, Any]


def faults(document: Document) -> list[Fault]:
    """Everything that keeps the procedure from being published; empty = it may be."""
    steps = document.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= STEPS_MAX:
        return [Fault(None, "steps", "length", f"1 to {STEPS_MAX} steps")]
    found = [fault for step in steps for fault in step_faults(step)] + _frame(document)
    return found or _ways(steps)


def _frame(document: Document) -> list[Fault]:
    safety, hazards = document.get("safety", []), document.get("hazards", [])
    if not isinstance(safety, list) or len(safety) > SAFETY_MAX:
        return [Fault(None, "safety", "not_a_list", f"at most {SAFETY_MAX} dangers")]
    found = [Fault(None, *row) for danger in safety for row in danger_faults(danger, "safety")]
    if not isinstance(hazards, list) or len(hazards) > HAZARDS_MAX or not all(is_text(word, CODE_MAX) for word in hazards):
        found.append(Fault(None, "hazards", "wrong", f"at most {HAZARDS_MAX} words"))
    if document.get("lock_out") and not safety:
        found.append(Fault(None, "safety", "required", "a lock-out is a danger that stands first"))
    return found


def targets(step: Step, steps: Sequence[Step]) -> set[str]:
    """Every step (or `end`) that an answer to this one can lead to."""
    asked = step.get("in") or {}
    jumps = [asked.get("on_lo"), asked.get("on_hi")] if step.get("k") == "measure" else []
    options = [option.get("go") for option in step.get("opt") or []] if step.get("k") == "choice" else [None]
    return {following(steps, step, jump) for jump in (*options, *(jump for jump in jumps if jump))}


def _ways(steps: Sequence[Step]) -> list[Fault]:
    ids = [step["id"] for step in steps]
    if len(set(ids)) < len(ids):
        twice = next(id_ for id_ in ids if ids.count(id_) > 1)
        return [Fault(twice, "id", "twice", "two steps have the same id")]
    lost = [Fault(step["id"], field, "no_such_step", f"{to!r} is no step") for step in steps for field, to in _named(step) if to not in ids]
    if lost:
        return lost
    leads = {step["id"]: targets(step, steps) for step in steps}
    begun, ending = _closure([ids[0]], leads), _closure([END], _turned(leads))
    unreached = [Fault(id_, "next", "unreachable", "no answer leads to this step") for id_ in ids if id_ not in begun]
    return unreached + [Fault(id_, "next", "no_end", "no answer leads from here to the end") for id_ in ids if id_ not in ending]


def _named(step: Step) -> Iterable[tuple[str, Any]]:
    asked = step.get("in") or {}
    named = [("next", step.get("next")), ("in.on_lo", asked.get("on_lo")), ("in.on_hi", asked.get("on_hi"))]
    named += [("opt.go", option.get("go")) for option in step.get("opt") or [] if isinstance(option, dict)]
    return [(field, to) for field, to in named if to is not None and to != END]


def _turned(leads: Mapping[str, set[str]]) -> dict[str, set[str]]:
    turned: dict[str, set[str]] = {}
    for start, ends in leads.items():
        for end in ends:
            turned.setdefault(end, set()).add(start)
    return turned


def _closure(starts: Iterable[str], leads: Mapping[str, set[str]]) -> set[str]:
    waiting, seen = list(starts), set[str]()
    while waiting:
        at = waiting.pop()
        if at not in seen:
            seen.add(at)
            waiting.extend(leads.get(at, ()))
    return seen


def numbered(document: Document) -> dict[str, Any]:
    """The document as it is published: steps numbered in their order, the gravest dangers first."""
    safety = sorted(document.get("safety") or [], key=lambda danger: SEVERITIES.index(danger["sev"]))
    return {
        "steps": [{**step, "n": n, "must": step.get("must", False)} for n, step in enumerate(document["steps"], 1)],
        "safety": [{**danger, "id": str(danger.get("id") or f"d{n}")} for n, danger in enumerate(safety, 1)],
        "hazards": list(document.get("hazards") or []),
        "lock_out": bool(document.get("lock_out")),
        "estimated_min": int(document.get("estimated_min") or 30),
    }


def difference(old: Document, new: Document) -> dict[str, Any]:
    """What changed: steps added, removed, moved and changed (field -> [old, new]), and the other parts that differ."""
    before, after = ({step["id"]: step for step in document["steps"]} for document in (old, new))
    kept = [id_ for id_ in before if id_ in after]
    moved_to = [id_ for id_ in after if id_ in before]
    changed = {id_: _fields(before[id_], after[id_]) for id_ in kept}
    return {
        "added": [after[id_] for id_ in after if id_ not in before],
        "removed": [before[id_] for id_ in before if id_ not in after],
        "moved": [id_ for id_, other in zip(kept, moved_to, strict=True) if id_ != other],
        "changed": [{"id": id_, "fields": fields} for id_, fields in changed.items() if fields],
        "parts": {name: [old.get(name), new.get(name)] for name in PARTS[1:] if old.get(name) != new.get(name)},
    }


def _fields(old: Step, new: Step) -> dict[str, list[Any]]:
    return {name: [old.get(name), new.get(name)] for name in sorted({*old, *new} - {"n"}) if old.get(name) != new.get(name)}
