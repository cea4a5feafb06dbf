"""Operating state of machines from run bits, status words and fault codes, debounced. Pure: time is an argument.

Communication loss neither opens nor closes a fault: samples that are not good are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from realtime.snapshot import Tag

Operating = Literal["running", "idle", "stopped", "fault", "unknown"]

DEBOUNCE_S = 0.5
STATUS_WORDS: dict[int, Operating] = {0: "stopped", 1: "running", 2: "idle", 3: "fault"}
ROLES = frozenset({"running", "idle", "fault", "status", "fault_code"})


@dataclass(frozen=True, slots=True)
class Observed:
    """What a machine does since its inputs have been steady for DEBOUNCE_S."""

    asset: int
    operating: Operating
    fault_code: str | None


@dataclass(slots=True)
class _Machine:
    inputs: dict[str, float] = field(default_factory=dict)
    candidate: tuple[Operating, str | None] | None = None
    since: float = 0.0
    reported: tuple[Operating, str | None] | None = None


def operating_of(inputs: Mapping[str, float], words: Mapping[int, Operating] = STATUS_WORDS) -> tuple[Operating, str | None]:
    """State and fault code that the role values of one machine mean together."""
    code = inputs.get("fault_code", 0.0)
    if code != 0.0:
        return "fault", f"{code:g}"
    if inputs.get("fault"):
        return "fault", None
    if inputs.get("running"):
        return "running", None
    if inputs.get("idle"):
        return "idle", None
    word = words.get(int(inputs["status"]), "unknown") if "status" in inputs else None
    if word == "running" and "running" in inputs:
        return "stopped", None  # the run bit is the truth, a status word may lag
    return word or ("stopped" if "running" in inputs else "unknown"), None


class StateWatch:
    """Folds good samples of role tags into at most one observation a change."""

    def __init__(self, tags: Sequence[Tag], words: Mapping[int, Operating] = STATUS_WORDS, debounce_s: float = DEBOUNCE_S) -> None:
        self.words = words
        self.debounce_s = debounce_s
        self._roles = {tag.id: (tag.asset, tag.role) for tag in tags if tag.role in ROLES}
        self._machines: dict[int, _Machine] = {}

    @property
    def watches(self) -> bool:
        """False where no tag has a role: nothing to fold."""
        return bool(self._roles)

    def observe(self, samples: Iterable[tuple[int, float]], now_s: float) -> list[Observed]:
        """Take good samples (tag id, value) at monotonic now_s; returns what has become steady."""
        for tag_id, value in samples:
            role = self._roles.get(tag_id)
            if role is not None and role[1] is not None:
                self._machines.setdefault(role[0], _Machine()).inputs[role[1]] = value
        return self.settle(now_s)

    def settle(self, now_s: float) -> list[Observed]:
        """What has become steady by now_s without a new sample."""
        steady: list[Observed] = []
        for asset, machine in self._machines.items():
            state = operating_of(machine.inputs, self.words)
            if state != machine.candidate:
                machine.candidate, machine.since = state, now_s
            if state != machine.reported and now_s - machine.since >= self.debounce_s:
                machine.reported = state
                steady.append(Observed(asset, *state))
        return steady

    def forget(self) -> None:
        """The link was lost: the next good samples are reported anew."""
        self._machines.clear()
