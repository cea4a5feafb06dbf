"""Plain pages of what was refused and what could not be handled: quarantine and dead letters."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Download, Field, Records

QUARANTINE = Records(
    path="quarantine",
    api="/api/quarantine",
    title=_("Quarantine"),
    one=_("Refused reading"),
    group="system",
    read="sources.write",
    sorts=("t", "source", "reason"),
    searchable=False,
    name="reason",
    creates=False,
    edits=False,
    columns=(
        Field(name="t", label=_("Time"), kind="moment"),
        Field(name="source", label=_("Source"), kind="code"),
        Field(name="reason", label=_("Reason"), kind="code"),
        Field(name="topic", label=_("Topic or tag"), kind="code"),
        Field(name="sample", label=_("Sample"), kind="code"),
    ),
    filters=(Field(name="source", label=_("Source"), kind="code"), Field(name="reason", label=_("Reason"), kind="code")),
    read_only=(
        Field(name="t", label=_("Time"), kind="moment"),
        Field(name="source", label=_("Source"), kind="code"),
        Field(name="topic", label=_("Topic or tag"), kind="code"),
        Field(name="sample", label=_("Sample"), kind="long"),
    ),
    acts=(
        Act(
            label=_("Try again"), path="/api/quarantine/{id}/retry", right="sources.write", shown_when=("retryable", ("true",)), on_row=True
        ),
        Act(label=_("Delete"), path="/api/quarantine/{id}", right="sources.write", method="DELETE", confirm=_("The audit trail keeps it.")),
    ),
    downloads=tuple(
        Download(label=kind.upper(), path=f"/api/quarantine?export={kind}", right="sources.write", on_list=True) for kind in ("csv", "xlsx")
    ),
    note=_("Samples of what the collectors refused, by reason; the last 1,000."),
)

DEAD_LETTERS = Records(
    path="dead-letters",
    api="/api/dead-letters",
    title=_("Dead letters"),
    one=_("Dead letter"),
    group="system",
    read="system.read",
    sorts=("t", "stream", "group", "reason"),
    searchable=False,
    name="reason",
    creates=False,
    edits=False,
    columns=(
        Field(name="t", label=_("Time"), kind="moment"),
        Field(name="stream", label=_("Stream"), kind="code"),
        Field(name="group", label=_("Program"), kind="code"),
        Field(name="reason", label=_("Reason")),
    ),
    read_only=(
        Field(name="t", label=_("Time"), kind="moment"),
        Field(name="stream", label=_("Stream"), kind="code"),
        Field(name="group", label=_("Program"), kind="code"),
        Field(name="content", label=_("Content"), kind="long"),
    ),
    acts=(
        Act(label=_("Send again"), path="/api/dead-letters/{id}/retry", right="policies.write", on_row=True),
        Act(
            label=_("Delete"),
            path="/api/dead-letters/{id}",
            right="policies.write",
            method="DELETE",
            confirm=_("The audit trail keeps it."),
        ),
    ),
    downloads=tuple(
        Download(label=kind.upper(), path=f"/api/dead-letters?export={kind}", right="system.read", on_list=True) for kind in ("csv", "xlsx")
    ),
    note=_("What a program could not handle in five tries; nothing is lost, somebody must look."),
)

RECORDS: tuple[Records, ...] = (QUARANTINE, DEAD_LETTERS)
