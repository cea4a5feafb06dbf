"""The herald: tells webhooks the facts they asked for, in order, at least once; only the leader runs it.

`slack` sends {"text"} as Slack, Mattermost, Rocket.Chat and Teams workflows take it; `json` sends the fact itself with
`X-Sightline-Signature: sha256=HMAC(secret, body)` and the fact's number as the key that tells a repeated one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from realtime.settings import Settings
from server.database import Database
from server.models.operations import Webhook
from server.models.outbox import Outbox
from server.outbound import NotAllowed, NotTaken, checked, post
from server.store import facts, webhooks

AT_ONCE = 20
WORDS = {
    "alert.raised": "",
    "alert.acknowledged": "acknowledged",
    "alert.returned": "back to normal",
    "alert.shelved": "shelved",
    "alert.suppressed": "held back",
    "alert.resolved": "resolved",
    "alert.changed": "diagnosed anew",
    "work_order.opened": "opened",
    "work_order.assigned": "assigned",
    "work_order.changed": "changed",
    "work_order.completed": "completed",
    "work_order.verified": "verified",
    "work_order.reopened": "reopened",
    "asset.state_changed": "changed state",
    "source.lost": "lost",
    "source.recovered": "recovered",
}


@dataclass(slots=True)
class Herald:
    """`clock` gives the time of each call."""

    database: Database
    settings: Settings
    clock: Callable[[], datetime]

    def run(self) -> int:
        """Tell what is due; the number of facts taken."""
        with self.database.transaction() as session:
            ids = webhooks.due(session, self.clock())
        return sum(self._tell(webhook_id) for webhook_id in ids)

    def _tell(self, webhook_id: int) -> int:
        for told in range(AT_ONCE):
            with self.database.transaction() as session:
                found = webhooks.next_fact(session, webhook_id, self.clock())
                call = None if found is None else Call.of(*found, self.settings.public_url)
            if call is None:
                return told
            try:
                post(checked(call.url, self.settings.webhook_hosts), call.body, call.headers)
            except (NotAllowed, NotTaken) as error:
                final = isinstance(error, NotAllowed) or error.final
                with self.database.transaction() as session:
                    webhooks.refused(session, webhook_id, call.seq, str(error), self.clock(), final=final)
                return told
            with self.database.transaction() as session:
                webhooks.taken(session, webhook_id, call.seq, self.clock())
        return AT_ONCE


@dataclass(frozen=True, slots=True)
class Call:
    """One request, made inside the transaction and sent outside it."""

    url: str
    seq: int
    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, row: Webhook, fact: Outbox, public_url: str | None) -> Call:
        """The request that tells a fact."""
        assert fact.seq is not None
        if row.format == "slack":
            content = orjson.dumps({"text": sentence(fact.name, fact.data, fact.by, public_url)})
        else:
            told = facts.fact_of(fact)
            content = orjson.dumps(
                {"seq": told.seq, "at": told.at, "name": told.name, "id": told.id, "rev": told.rev, "by": told.by, "data": told.data}
            )
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"fact-{fact.seq}"}
        if row.format == "json":
            headers["X-Sightline-Signature"] = f"sha256={hmac.new(row.secret.encode(), content, hashlib.sha256).hexdigest()}"
        return cls(row.url, fact.seq, content, headers)


def sentence(name: str, data: dict[str, Any], by: str, public_url: str | None) -> str:
    """One line for people: "CRITICAL M2 Booster pump: Vibration above 7.10 mm/s"; & < > as Slack wants them."""
    kind = name.partition(".")[0]
    asset = data.get("asset") or {}
    place = f"{asset.get('code', '')} {asset.get('name', '')}".strip()
    if kind == "alert":
        head = str(data.get("severity", "")).upper() if name == "alert.raised" else f"{data.get('number', '')} {WORDS[name]}"
        text, link = f"{head} {place}: {data.get('title', '')}", f"/assets/{asset['code']}" if asset else "/alarms"
    elif kind == "work_order":
        who = (data.get("assigned_to") or {}).get("name")
        whose = f" ({who})" if who else ""
        text, link = f"{data.get('number', '')} {WORDS[name]}{whose}: {data.get('title', '')}, {place}", f"/orders/{data.get('number', '')}"
    else:
        text, link = f"{data.get('name') or data.get('code') or kind} {WORDS.get(name, name)}", "/"
    by_whom = f", by {by}" if by not in {"system", "signal", ""} and name != "alert.raised" else ""
    plain = f"{text.strip()}{by_whom}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain if public_url is None else f"{plain} {public_url.rstrip('/')}{link}"
