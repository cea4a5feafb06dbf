"""Words of values that several pages show: what the API answers as identifiers, people read in their language."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

OCCURRENCES = (
    ("ahead", _("Ahead")),
    ("open", _("Order open")),
    ("held", _("Held back")),
    ("swallowed", _("Part of a larger one")),
    ("skipped", _("Skipped")),
    ("done", _("Done")),
    ("missed", _("Missed")),
)
CONFIDENCES = (("high", _("High")), ("medium", _("Medium")), ("low", _("Low")))
METER_READINGS = (("counted", _("Counted")), ("manual", _("Read by hand")), ("replaced", _("New meter")))
MACHINE_SAID = (
    ("fault", _("Fault")),
    ("stopped", _("Stopped")),
    ("parent", _("The machine above stood")),
    ("manual", _("Entered by hand")),
)
REVIEW_STATES = (("open", _("Open")), ("signed", _("Signed")))
REVIEWED = (
    ("alert", _("Alert")),
    ("order", _("Work order")),
    ("verdict", _("Verdict")),
    ("decision", _("Decision")),
    ("measurement", _("Measurement")),
)
LINKS = (
    ("connecting", _("Connecting")),
    ("live", _("Live")),
    ("retrying", _("Retrying")),
    ("lost", _("Lost")),
    ("off", _("Switched off")),
    ("no_collector", _("No collector runs")),
    ("unknown", _("Unknown")),
)
QUALITIES = (("good", _("Good")), ("uncertain", _("Uncertain")), ("bad", _("Bad")), ("none", _("No value yet")))
REASONS = (
    ("none", "—"),
    ("comm", _("Link is down")),
    ("config", _("Wrong address")),
    ("device", _("Device says so")),
    ("range", _("Out of range")),
    ("stale", _("Last known value")),
    ("clock", _("Clock is wrong")),
    ("never", _("Not heard yet")),
)
TOKENS = (("ingest", _("Device that posts readings")), ("paired", _("Paired glasses or phone")), ("api", _("API key")))
LANGUAGES = (("en", _("English")), ("fr", _("French")), ("ar", _("Arabic")))
INTERVAL_STEPS = (
    ("calibrations", _("Calibrations looked at")),
    ("drift_last_pair", _("Drift rate, from the last two calibrations")),
    ("drift_least_squares", _("Drift rate, from all of them by least squares")),
    ("tolerance", _("Tolerance")),
    ("reached", _("Error to be reached at most")),
    ("left", _("Error left at the last calibration")),
    ("room", _("Room for drift")),
    ("time", _("Time until the room is used")),
    ("shortest", _("Shortest interval allowed")),
    ("longest", _("Longest interval allowed")),
    ("proposed", _("Proposed interval")),
)
INTERVAL_UNITS = (("% of span", _("% of span")), ("% of span per year", _("% of span per year")), ("days", _("days")))
MOVED = (
    ("receipt", _("Received")),
    ("issue", _("Issued")),
    ("return", _("Returned")),
    ("adjustment", _("Adjusted")),
    ("transfer", _("Moved")),
    ("count", _("Counted")),
)
