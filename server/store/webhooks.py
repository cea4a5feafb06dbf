"""Webhooks: who is told which facts, and how far each has been told. Nothing here sends."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from realtime.events import FactName, Severity
from server import audit
from server.errors import Invalid, NotFound
from server.models.operations import Webhook
from server.models.outbox import Outbox
from server.outbound import NotAllowed, NotTaken, checked
from server.store import facts
from server.store.actor import Person, need
from server.store.page import Page, page_of
from server.timestamps import rfc3339

FORMATS = ("slack", "json")
TELLABLE = tuple(str(name) for name in FactName if name not in {FactName.CONFIG_CHANGED, FactName.NOTIFICATION_CREATED})
COLUMNS = ("name", "url", "format", "facts", "min_severity", "active")
OLDEST = timedelta(hours=24)  # older facts are let go and counted
LONGEST_WAIT_S = 900


def visible(person: Person) -> Select[Webhook]:
    """Those of the person's site."""
    return select(Webhook).where(Webhook.site_id == person.site_id, Webhook.deleted_at.is_(None))


def list_webhooks(session: Session, person: Person, order: list[Any], limit: int, offset: int) -> Page[Webhook]:
    """A page of the site's."""
    return page_of(session, visible(person), order, limit, offset)


def get_webhook(session: Session, webhook_id: int, person: Person) -> Webhook:
    """A visible one; raises NotFound."""
    row = session.scalar(visible(person).where(Webhook.id == webhook_id).with_for_update())
    if row is None:
        raise NotFound("webhook", webhook_id)
    return row


def create_webhook(session: Session, values: Mapping[str, Any], allowed: tuple[str, ...], person: Person, now: datetime) -> Webhook:
    """A new one, told from now on; raises Invalid for a host that is not allowed."""
    need(person, "policies.write")
    _judge(values, allowed)
    row = Webhook(
        site_id=person.site_id,
        secret=secrets.token_urlsafe(32),
        delivered_seq=facts.newest_seq(session),
        tries=0,
        sent=0,
        dropped=0,
        **values,
    )
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "webhook", row.id, row.site_id, None, dict(values)), person, now)
    return row


def change_webhook(
    session: Session, row: Webhook, values: Mapping[str, Any], allowed: tuple[str, ...], person: Person, now: datetime
) -> None:
    """New values; a changed address is tried at once."""
    need(person, "policies.write")
    _judge(values, allowed)
    old = {name: getattr(row, name) for name in values}
    if values.get("active") and not row.active:
        row.delivered_seq = facts.newest_seq(session)  # what happened while it was off is not told
    for name, value in values.items():
        setattr(row, name, value)
    row.tries, row.next_try_at = 0, None
    row.rev += 1
    audit.record(session, audit.Change("change", "webhook", row.id, row.site_id, old, dict(values)), person, now)


def delete_webhook(session: Session, row: Webhook, person: Person, now: datetime) -> None:
    """Out of use; the row stays."""
    need(person, "policies.write")
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "webhook", row.id, row.site_id, {"deleted_at": None}, {"deleted_at": now}), person, now)


def _judge(values: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    unknown = [name for name in values.get("facts", []) if name not in TELLABLE]
    if unknown:
        raise Invalid("facts", "unknown", f"{unknown[0]} is none of {', '.join(TELLABLE)}")
    if "url" in values:
        try:
            checked(values["url"], allowed)
        except (NotAllowed, NotTaken) as error:
            raise Invalid("url", "not_allowed", str(error)) from error


def due(session: Session, now: datetime) -> list[int]:
    """Ids of those that may have something to be told now."""
    newest = select(func.max(Outbox.seq)).scalar_subquery()
    waiting = (Webhook.next_try_at.is_(None)) | (Webhook.next_try_at <= now)
    query = select(Webhook.id).where(Webhook.active, Webhook.deleted_at.is_(None), waiting, Webhook.delivered_seq < newest)
    return list(session.scalars(query.order_by(Webhook.id)))


def next_fact(session: Session, webhook_id: int, now: datetime) -> tuple[Webhook, Outbox] | None:
    """The next fact that this one wants, with those before it let go; None when there is none. Leased like a letter."""
    row = session.scalar(select(Webhook).where(Webhook.id == webhook_id).with_for_update())
    if row is None or not row.active or row.deleted_at is not None:
        return None
    waiting = select(Outbox).where(Outbox.seq > row.delivered_seq).order_by(Outbox.seq).limit(200)
    for fact in session.scalars(waiting):
        if wants(row, fact):
            if now - fact.at <= OLDEST:
                return row, fact
            row.dropped += 1
        row.delivered_seq = fact.seq or row.delivered_seq
    return None


def wants(row: Webhook, fact: Outbox) -> bool:
    """Whether a webhook is told a fact: own site, wished name, alerts loud enough and announced."""
    if fact.name not in row.facts or (fact.site_id is not None and fact.site_id != row.site_id):
        return False
    if not fact.name.startswith("alert."):
        return True
    loudness = list(Severity)
    loud = loudness.index(Severity(fact.data["severity"])) >= loudness.index(Severity(row.min_severity))
    return loud and not fact.data.get("watch") and not fact.data.get("suppressed")


def taken(session: Session, webhook_id: int, seq: int, now: datetime) -> None:
    """It took the fact."""
    row = session.get_one(Webhook, webhook_id, with_for_update=True)
    row.delivered_seq, row.tries, row.next_try_at = max(row.delivered_seq, seq), 0, None
    row.sent += 1
    row.last_at, row.last_error = now, None


def refused(session: Session, webhook_id: int, seq: int, why: str, now: datetime, *, final: bool) -> None:
    """It did not; tried again later (1 s, doubled, a quarter of an hour at most), unless that is of no use."""
    row = session.get_one(Webhook, webhook_id, with_for_update=True)
    row.tries += 1
    row.last_error = why[:500]
    if final:
        row.delivered_seq, row.dropped = max(row.delivered_seq, seq), row.dropped + 1
    row.next_try_at = now + timedelta(seconds=min(LONGEST_WAIT_S, 2 ** min(row.tries - 1, 20)))


def body(row: Webhook) -> dict[str, Any]:
    """The REST body; the secret is shown by its own act only."""
    names = ("id", *COLUMNS, "tries", "last_error", "sent", "dropped", "rev")
    return {**{name: getattr(row, name) for name in names}, "last_at": rfc3339(row.last_at), "next_try_at": rfc3339(row.next_try_at)}
