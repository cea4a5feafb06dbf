"""Whom a message reaches how: what a person chose by topic, area and severity, and the quiet hours of the site's clock.

Nothing is lost to quiet hours: the bell shows it at once, mail waits for their end. Pure; times are aware.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from realtime.events import Severity
from server.rules.roles import Role

FLOOD = timedelta(seconds=60)  # alerts of one group within this time of its first are told as one


class Topic(StrEnum):
    """What a message is about."""

    ALERT = "alert"
    WORK = "work"
    REPORT = "report"
    ESCALATION = "escalation"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message as the rules see it."""

    topic: Topic
    severity: Severity | None = None
    area_id: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a preference; None = any."""

    topic: Topic
    in_app: bool
    mail: bool
    area_id: int | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `start` to `end` of the local clock, over midnight where start > end."""

    start: time
    end: time

    def holds(self, local: datetime) -> bool:
        """Whether the local time lies within."""
        at = local.time()
        return self.start <= at < self.end if self.start <= self.end else at >= self.start or at < self.end


@dataclass(frozen=True, slots=True)
class Preference:
    """What one person wants."""

    choices: tuple[Choice, ...]
    quiet: Quiet | None = None
    critical_passes: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """in_app: it rings now; mail_at: when a mail may leave, None = no mail."""

    in_app: bool
    mail_at: datetime | None

    @property
    def nobody(self) -> bool:
        """Whether the person is not told at all."""
        return not self.in_app and self.mail_at is None


_NEVER = Choice(Topic.ALERT, in_app=False, mail=False)
_DEFAULTS = (
    Choice(Topic.WORK, in_app=True, mail=True),
    Choice(Topic.REPORT, in_app=True, mail=False),
    Choice(Topic.ESCALATION, in_app=True, mail=True),
)


def defaults(role: Role) -> Preference:
    """What holds until a person chooses: work for everybody, critical alerts for those who plan."""
    if role not in {Role.MANAGER, Role.PLANNER}:
        return Preference(_DEFAULTS)
    return Preference((*_DEFAULTS, Choice(Topic.ALERT, in_app=True, mail=True, severity=Severity.CRITICAL)))


def decide(notice: Notice, preference: Preference, now: datetime, zone: ZoneInfo) -> Delivery:
    """How the message reaches the person; an escalation always rings."""
    chosen = _chosen(notice, preference.choices)
    in_app = chosen.in_app or notice.topic is Topic.ESCALATION
    if not chosen.mail:
        return Delivery(in_app, None)
    quiet = preference.quiet
    passes = quiet is None or (preference.critical_passes and notice.severity is Severity.CRITICAL)
    if quiet is None or passes or not quiet.holds(now.astimezone(zone)):
        return Delivery(in_app, now)
    return Delivery(in_app, _end_of(quiet, now, zone))


def _chosen(notice: Notice, choices: Iterable[Choice]) -> Choice:
    """The most specific choice that fits: own area before any area, own severity before any; the later of two equal ones."""
    fitting = [
        (choice.area_id is not None, choice.severity is not None, n, choice)
        for n, choice in enumerate(choices)
        if choice.topic is notice.topic and choice.area_id in {None, notice.area_id} and choice.severity in {None, notice.severity}
    ]
    return max(fitting, key=lambda one: one[:3])[3] if fitting else _NEVER


def _end_of(quiet: Quiet, now: datetime, zone: ZoneInfo) -> datetime:
    """The next end of the quiet hours after `now`, also on days when the clocks change."""
    local = now.astimezone(zone)
    day = local.date() if local.time() < quiet.end else local.date() + timedelta(days=1)
    ends = [datetime.combine(day, quiet.end, tzinfo=zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    return next((end for end in ends if end > now), now)
