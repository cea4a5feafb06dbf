"""Every report by its name in the address; the first six are those of S2-137..142."""

from __future__ import annotations

from server.errors import NotFound
from server.reports import alarms, benefit, instruments, stops, stores, work
from server.reports.base import Report

_ROWS = (
    Report("calibration", "Calibration", "Where each instrument stands, and the calibrations done", instruments.calibration),
    Report("maintenance", "Maintenance", "What was done to machines", work.maintenance),
    Report(
        "health-status", "Instrument health", "What limits, drift detector and models say of each instrument now", instruments.health_status
    ),
    Report("anomalies", "Anomalies and drift", "What the models said and what people found", alarms.anomalies),
    Report("compliance", "Compliance", "Instruments in date, planned maintenance done in time", instruments.compliance),
    Report("work-orders", "Work orders", "Orders and whether they kept what was promised", work.work_orders),
    Report("interventions", "Interventions", "Visits of technicians by machine, day and what they found", work.interventions),
    Report("alarms", "Alarm history", "Every alert with who answered it, their notes and who got the work", alarms.alarms),
    Report("faults", "Faults by machine", "Machine faults by machine and code", alarms.faults),
    Report("downtime", "Downtime", "How long machines stood, where and what for", stops.downtime),
    Report("parts", "Spare parts", "What was used, month by month, and what is in stock", stores.parts_usage),
    Report("cost-benefit", "Cost and benefit", "What repairs that the signal proved have saved", benefit.cost_benefit),
)

REPORTS: dict[str, Report] = {report.name: report for report in _ROWS}


def report_named(name: str) -> Report:
    """The report; raises NotFound."""
    if name not in REPORTS:
        raise NotFound("report", name)
    return REPORTS[name]
