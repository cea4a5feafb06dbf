"""What time alone brings about: proofs end, maintenance and shelving run out, the audit chain grows, a lost snapshot comes back.

Each task is one transaction and may be repeated at any moment; only the leader runs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from realtime.bus import Bus
from realtime.snapshot import Snapshot
from realtime.supervise import heartbeats
from server import write_results
from server.database import Database
from server.judging import judge_window
from server.rules.proof import ProofState
from server.sealing import Sealer
from server.store import alerts, assets, background, conditions, liveness, maintenance, proofs, pursuit, snapshot, snapshot_version
from server.store.actor import SYSTEM
from server.upkeep import Upkeep

MONITOR = "monitor"  # the program whose heartbeat says that somebody looks


@dataclass(slots=True)
class Schedule:
    """The leader's tasks; `clock` gives the time of each."""

    database: Database
    bus: Bus
    proof_s: float
    audit_key: bytes
    audit_head: Path
    clock: Callable[[], datetime]
    upkeep: Upkeep = field(init=False)
    sealer: Sealer = field(init=False)
    counts: dict[str, int] = field(default_factory=lambda: {"proved": 0, "reopened": 0, "decisions": 0, "sealed": 0, "published": 0})

    def __post_init__(self) -> None:
        self.upkeep = Upkeep(self.database)
        self.sealer = Sealer(self.database, self.audit_key, self.audit_head)

    def run(self) -> None:
        """Every task once; raises BusUnavailable or a database error."""
        self.judge_proofs()
        self.let_run_out()
        self.see_life()
        self.hand_out_jobs()
        self.seal_audit()
        self.restore_snapshot()
        self.upkeep.run(self.clock())

    def judge_proofs(self) -> None:
        """One transaction a window."""
        with self.database.transaction() as session:
            waiting = proofs.open_ids(session)
        if not waiting:
            return
        monitor_lives = any(beat.get("program") == MONITOR for beat in heartbeats(self.bus))
        for window_id in waiting:
            with self.database.transaction() as session:
                state = judge_window(session, window_id, self.clock(), monitor_lives=monitor_lives)
            self._count_end(state)

    def _count_end(self, state: ProofState | None) -> None:
        names = {ProofState.PROVED: "proved", ProofState.REOPENED: "reopened", ProofState.DECISION: "decisions"}
        if state in names:
            self.counts[names[state]] += 1

    def let_run_out(self) -> None:
        """Maintenance windows, shelving, guarded writes, and what was held back while an asset was in work."""
        with self.database.transaction() as session:
            now = self.clock()
            maintenance.expire(session, SYSTEM, now)
            alerts.expire_shelving(session, SYSTEM, now)
            write_results.run_out(session, now, self.proof_s)
            for alert in conditions.unsuppress(session, now):
                pursuit.pursue_held_back(session, alert, now, self.proof_s)
                assets.follow(session, alert.asset_id, SYSTEM.name, now)

    def see_life(self) -> None:
        """Machines that fell silent, and those whose data arrive again."""
        with self.database.transaction() as session:
            liveness.see_silent(session, self.clock())
            liveness.see_running(session, self.clock())

    def hand_out_jobs(self) -> None:
        """Background jobs that people asked for; those that ended without a word have failed."""
        with self.database.transaction() as session:
            background.hand_out(session, self.bus)
        with self.database.transaction() as session:
            background.give_up(session, self.bus, self.clock())

    def seal_audit(self) -> None:
        """Chain new audit rows, note the end of the chain outside the database and anchor it."""
        sealed = self.sealer.run(self.clock())
        if sealed is not None:
            self.counts["sealed"] = sealed

    def restore_snapshot(self) -> None:
        """Publish the plant snapshot where the bus has none or an older one."""
        with self.database.transaction() as session:
            version = snapshot_version.current(session)
        if version and self.bus.config_version() != version:
            self.publish_snapshot()

    def publish_snapshot(self) -> None:
        """Put the plant as it is now on the bus."""
        self.bus.publish_config(self.snapshot())
        self.counts["published"] += 1

    def snapshot(self) -> Snapshot:
        """The plant, read in one consistent view."""
        with self.database.transaction() as session:
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            return snapshot.build(session, self.clock())
