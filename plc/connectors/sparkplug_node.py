"""One Sparkplug edge node as its host sees it: the order of its messages, what was born, which alias means what. Pure.

`seq` counts 0..255 over everything a node says but its death. What comes too early waits HOLD_S for what is missing; then the
node counts as inconsistent, is asked for a rebirth, and what it says is taken as it comes until that birth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from plc.connectors.sparkplug_codec import Metric, Payload

HOLD_S = 2.0
HELD_MOST = 64
LATE_MOST = 64  # a seq this far behind is a late or repeated message, not one of the next round
REBIRTH_EVERY_S = 10.0
UNHEARD_EVERY_S = 60.0  # a node that never said a word may be switched off


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a node: kind NBIRTH, NDATA, NDEATH, DBIRTH, DDATA or DDEATH; received ms UTC, arrived monotonic s."""

    kind: str
    device: str
    payload: Payload
    received: int
    arrived: float


@dataclass(frozen=True, slots=True)
class Known:
    """A metric that was born. device "" = the node's own."""

    device: str
    name: str
    datatype: int
    unit: str
    shown: str


@dataclass
class Node:
    """State of one node. asked_at: when the last rebirth was asked for, monotonic s."""

    group: str
    name: str
    is_born: bool = False
    is_consistent: bool = False
    wants_rebirth: bool = False
    was_heard: bool = False
    asked_at: float = float("-inf")
    bdseq: int | None = None
    devices: set[str] = field(default_factory=set)
    metrics: dict[tuple[str, str], Known] = field(default_factory=dict)
    aliases: dict[int, Known | None] = field(default_factory=dict)  # None: two metrics were born with it
    _next: int = 0
    _held: dict[int, Message] = field(default_factory=dict)

    def order(self, message: Message) -> list[Message]:
        """Messages that can be taken now, in order; the others wait. Not for births and deaths of the node itself."""
        seq = message.payload.seq
        assert seq is not None
        if not self.is_consistent or (self._next - 1 - seq) % 256 < LATE_MOST:
            if not self.is_consistent:
                self._next = (seq + 1) % 256
            return [message]
        self._held[seq] = message
        ready = []
        while self._next in self._held:
            ready.append(self._held.pop(self._next))
            self._next = (self._next + 1) % 256
        return ready

    def overdue(self, now: float) -> list[Message] | None:
        """What has waited too long, in order; None while nothing has. The node is inconsistent from then on."""
        if not self._held:
            return None
        oldest = min(message.arrived for message in self._held.values())
        if now - oldest < HOLD_S and len(self._held) < HELD_MOST:
            return None
        self.is_consistent = False
        self.wants_rebirth = True
        return self.release()

    def release(self) -> list[Message]:
        """Everything that waits, in the order of seq."""
        ready = [self._held[seq] for seq in sorted(self._held, key=lambda seq: (seq - self._next) % 256)]
        self._held.clear()
        if ready:
            self._next = ((ready[-1].payload.seq or 0) + 1) % 256
        return ready

    def born(self, payload: Payload, bdseq: int | None) -> list[str]:
        """Begin anew with an NBIRTH; returns the names of metrics whose alias another one has."""
        self.is_born = self.is_consistent = True
        self.wants_rebirth = False
        self.bdseq = bdseq
        self._next = ((payload.seq or 0) + 1) % 256
        self._held.clear()
        self.devices.clear()
        self.metrics.clear()
        self.aliases.clear()
        return self._learn("", payload.metrics)

    def device_born(self, device: str, payload: Payload) -> list[str]:
        """Take a DBIRTH; returns the names of metrics whose alias another one has."""
        self.device_died(device)
        self.devices.add(device)
        return self._learn(device, payload.metrics)

    def device_died(self, device: str) -> None:
        """Forget a device's metrics."""
        self.devices.discard(device)
        self.metrics = {key: known for key, known in self.metrics.items() if key[0] != device}
        self.aliases = {alias: known for alias, known in self.aliases.items() if known is None or known.device != device}

    def died(self) -> None:
        """Forget everything: what the node says next must be a birth."""
        self.is_born = self.is_consistent = self.wants_rebirth = False
        self._held.clear()
        self.devices.clear()

    def _learn(self, device: str, metrics: list[Metric]) -> list[str]:
        doubled = []
        for metric in metrics:
            shown = "" if metric.value is None else str(metric.value)[:100]
            known = Known(device, metric.name, metric.datatype, metric.unit, shown)
            self.metrics[(device, metric.name)] = known
            if metric.alias is None:
                continue
            if metric.alias in self.aliases:
                doubled.append(metric.name)
                self.aliases[metric.alias] = None
            else:
                self.aliases[metric.alias] = known
        return doubled

    def known(self, device: str, metric: Metric) -> Known | None:
        """The born metric that a data metric means, by name or alias; None where nothing was born so."""
        if metric.name:
            return self.metrics.get((device, metric.name))
        found = self.aliases.get(metric.alias) if metric.alias is not None else None
        return found if found is not None and found.device == device else None

    def is_due(self, now: float) -> bool:
        """True where a rebirth is wanted and may be asked for now; counts as asked."""
        every = REBIRTH_EVERY_S if self.was_heard else UNHEARD_EVERY_S
        if not self.wants_rebirth or now - self.asked_at < every:
            return False
        self.asked_at = now
        return True
