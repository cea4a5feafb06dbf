"""All tables of the server in one place: whoever needs complete metadata (foreign keys, migrations) imports this."""

from __future__ import annotations

from server.models import (
    alerts,
    audit,
    calendar,
    calibration,
    downtime,
    feed,
    files,
    interventions,
    jobs,
    mail,
    meters,
    ml,
    notifications,
    operations,
    order_records,
    outbox,
    parts,
    people,
    plans,
    plant,
    purchases,
    reports,
    requests,
    work,
)
from server.models.base import Base

MODULES = (
    alerts,
    audit,
    calendar,
    calibration,
    downtime,
    feed,
    files,
    interventions,
    jobs,
    mail,
    meters,
    ml,
    notifications,
    operations,
    order_records,
    outbox,
    parts,
    people,
    plans,
    plant,
    reports,
    purchases,
    requests,
    work,
)
metadata = Base.metadata
