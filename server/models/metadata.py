"""All tables of the server in one place: whoever needs complete metadata (foreign keys, migrations) imports this."""

from __future__ import annotations

from server.models import alerts, audit, calibration, feed, files, jobs, ml, notifications, outbox, people, plant, work
from server.models.base import Base

MODULES = (alerts, audit, calibration, feed, files, jobs, ml, notifications, outbox, people, plant, work)
metadata = Base.metadata
