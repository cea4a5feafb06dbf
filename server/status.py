"""What /ready and /health say: dependencies asked now, programs by their heartbeats on the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis

from realtime.bus import DEAD, GROUPS, now_ms
from realtime.supervise import heartbeats
from server import audit_watch
from server.backup import runs
from server.services import Services
from server.store import mail

PROGRAMS = ("recorder", "monitor", "worker", "plc")  # without one of these the plant is not watched


@dataclass(frozen=True, slots=True)
class Status:
    """One look at everything."""

    database: bool
    bus: bool
    beats: list[dict[str, Any]]
    streams: dict[str, dict[str, Any]]
    missing_groups: list[str]
    fill: float
    config_version: int | None

    @property
    def missing_programs(self) -> list[str]:
        """Programs without a living heartbeat."""
        alive = {str(beat.get("program", "")) for beat in self.beats}
        return [name for name in PROGRAMS if name not in alive]

    @property
    def sources_down(self) -> list[str]:
        """Sources that a collector reports as not live."""
        return sorted(name for name, state in self.sources().items() if state.get("state") != "live")

    def sources(self) -> dict[str, dict[str, Any]]:
        """What the collectors say of their sources."""
        found: dict[str, dict[str, Any]] = {}
        for beat in self.beats:
            listed = beat.get("sources")
            if isinstance(listed, dict):
                edge = {"edge": name} if (name := str(beat.get("program", "")).partition("@")[2]) else {}
                found |= {name: {"kind": beat.get("kind"), **edge, **state} for name, state in listed.items()}
        return found

    @property
    def spools_filling(self) -> list[str]:
        """Sources whose waiting readings take half of their disk or more, or were thinned already."""
        spools = {name: state.get("spool") or {} for name, state in self.sources().items()}
        return sorted(name for name, spool in spools.items() if spool.get("state", "ok") != "ok" or spool.get("fill", 0) >= 0.5)

    @property
    def not_ready(self) -> list[str]:
        """Why this instance should get no traffic yet; [] = ready."""
        reasons = [] if self.database else ["the database does not answer"]
        if not self.bus:
            return [*reasons, "the bus does not answer"]
        reasons += [f"group missing: {name}" for name in self.missing_groups]
        reasons += [f"no {name} is running" for name in self.missing_programs]
        # a device that says nothing on a broker that lives is an alarm, not a reason to take this instance out of service
        talking = {name: state for name, state in self.sources().items() if "silent" not in str(state.get("error"))}
        ours = {name: state for name, state in talking.items() if "edge" not in state}
        down = [name for name in self.sources_down if ours.get(name, {}).get("kind") == "mqtt"]
        return reasons + [f"not subscribed: {name}" for name in down]

    @property
    def word(self) -> str:
        """ok, degraded (values or alerts may be late) or down (pages cannot answer)."""
        if not self.database or not self.bus:
            return "down"
        behind = self.fill >= 0.5 or self.spools_filling
        return "degraded" if self.missing_programs or self.missing_groups or behind or self.sources_down else "ok"


def look(at: Services) -> Status:
    """Ask the database and the bus; never raises for one that is away."""
    database = at.database.ping()
    try:
        streams, missing = _streams(at)
        return Status(database, True, heartbeats(at.bus), streams, missing, _fill(at), _version(at))
    except redis.RedisError:
        return Status(database, False, [], {}, [], 0.0, None)


def _fill(at: Services) -> float:
    raw: Any = at.bus.client.get(at.bus.key("fill"))
    return float(raw) if raw else 0.0


def _version(at: Services) -> int | None:
    raw: Any = at.bus.client.get(at.bus.key("config_version"))
    return int(raw) if raw else None


def _streams(at: Services) -> tuple[dict[str, dict[str, Any]], list[str]]:
    found: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    for stream, wanted in GROUPS.items():
        name = at.bus.key(stream)
        groups: dict[str, Any] = {}
        if at.bus.client.exists(name):
            rows: Any = at.bus.client.xinfo_groups(name)
            groups = {row["name"].decode(): {"pending": row["pending"], "lag": row.get("lag")} for row in rows}
        if stream != "commands":  # only a demo has its reader
            missing += [f"{stream}/{group}" for group in wanted if group not in groups]
        found[stream] = {"length": int(at.bus.client.xlen(name)), "groups": groups}
    return found, missing


def last_backup(at: Services) -> dict[str, Any] | None:
    """The newest backup with its age; None before the first."""
    with at.database.transaction() as session:
        return runs.newest(session, at.clock())


def audit_state(at: Services) -> dict[str, Any]:
    """What the last check of the audit trail found, and its last anchor."""
    with at.database.transaction() as session:
        return audit_watch.state(session, at.settings, at.clock())


def mail_state(at: Services) -> dict[str, Any]:
    """What waits to be sent, what failed and why."""
    with at.database.transaction() as session:
        return {"configured": at.settings.smtp_host is not None, **mail.figures(session, at.clock())}


def details(at: Services, status: Status) -> dict[str, Any]:
    """Everything for those who may read it."""
    now = now_ms()
    dead: Any = at.bus.client.xlen(at.bus.key(DEAD)) if status.bus else None
    return {
        "database": status.database,
        "bus": status.bus,
        "not_ready": status.not_ready,
        "bus_fill": status.fill,
        "config_version": status.config_version,
        "dead_letters": dead,
        "streams": status.streams,
        "sources": status.sources(),
        "backup": last_backup(at) if status.database else None,
        "audit": audit_state(at) if status.database else None,
        "mail": mail_state(at) if status.database else None,
        "programs": [{**beat, "age_ms": now - int(beat.get("at", now))} for beat in status.beats],
    }
