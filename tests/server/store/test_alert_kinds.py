"""Every type and severity of alert, from the finding that a monitor sends to the row that people read (S2-49..54, S2-60)."""

from __future__ import annotations

import pytest

from realtime.events import AlertType, Severity
from server.database import Database
from server.store import alerts
from tests.server.small_plant import SmallPlant, finding
from tests.server.store.story import alert_of, fold


@pytest.mark.parametrize(
    ("type_", "detector", "severity", "origin"),
    [
        (AlertType.RULE_VIOLATION, "limits", Severity.CRITICAL, "rule"),
        (AlertType.RULE_VIOLATION, "limits", Severity.ADVISORY, "rule"),
        (AlertType.DRIFT, "cusum", Severity.WARNING, "cusum"),
        (AlertType.ANOMALY, "forest", Severity.WARNING, "ml"),
        (AlertType.INSTRUMENT_FAULT, "stuck", Severity.WARNING, "rule"),
        (AlertType.DATA_GAP, "gap", Severity.ADVISORY, "rule"),
    ],
)
def test_a_finding_is_an_alert_of_its_type_and_severity_with_its_source(
    database: Database, plant: SmallPlant, type_: AlertType, detector: str, severity: Severity, origin: str
) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, type=type_, detector=detector, severity=severity, code="x"))
        row = alert_of(session)

        assert (row.type, row.severity, row.origin, row.detector) == (str(type_), str(severity), origin, detector)
        listed = alerts.list_alerts(session, site=plant.site, which="watch" if row.watch else "announced")
        assert [one.id for one in listed.items] == [row.id]
