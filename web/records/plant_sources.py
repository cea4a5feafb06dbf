"""Plain pages of the plant's configuration: sources with their tags and groups, and tags that came unasked."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Download, Field, Panel, Records
from web.records.words import LINKS, QUALITIES, REASONS

KINDS = (
    ("s7", "Siemens S7"),
    ("mqtt", "MQTT"),
    ("opcua", "OPC UA"),
    ("sparkplug", "Sparkplug B"),
    ("modbus", "Modbus TCP"),
    ("opcua_server", _("OPC UA server of an edge")),
)
FORMATS = (
    ("", _("By the file's name")),
    ("yaml", "YAML"),
    ("csv", "CSV"),
    ("tia", "TIA Portal"),
    ("kepware", "Kepware"),
    ("telegraf", "Telegraf"),
    ("nodes7", "nodes7, node-red-s7"),
)
STATES = (("new", _("New")), ("ignored", _("Ignored")), ("accepted", _("Accepted")), ("all", _("All")))

_CONFIG = (
    Field(name="config.host", label=_("Host"), kind="code", hint=_("S7 and Modbus: address of the device")),
    Field(name="config.port", label=_("Port"), kind="integer", low=1, high=65535),
    Field(name="config.rack", label=_("Rack"), kind="integer", low=0, high=7, hint=_("S7 only")),
    Field(name="config.slot", label=_("Slot"), kind="integer", low=0, high=31, hint=_("S7 only")),
    Field(name="config.url", label=_("Address"), kind="code", hint=_("MQTT and OPC UA, such as opc.tcp://10.0.0.8:4840/")),
    Field(name="config.user", label=_("User"), kind="code"),
    Field(name="config.password", label=_("Password"), kind="code", hint=_("*** keeps the one that is stored")),
)
_TAGS = Panel(
    title=_("Tags and how they stand"),
    api="/api/sources/{id}/tags",
    link="/tags/{id}",
    columns=(
        Field(name="tag", label=_("Tag"), kind="code"),
        Field(name="value", label=_("Value"), kind="number"),
        Field(name="unit", label=_("Unit"), kind="code"),
        Field(name="quality", label=_("Quality"), kind="choice", choices=QUALITIES),
        Field(name="reason", label=_("Reason"), kind="choice", choices=REASONS),
        Field(name="age_ms", label=_("Age"), kind="integer", unit="ms"),
        Field(name="group", label=_("Group"), kind="code"),
        Field(name="address", label=_("Address"), kind="code"),
        Field(name="trouble", label=_("What to do")),
    ),
    none=_("No tags yet: import a list, or add tags one by one."),
)
_PERIOD = Field(name="period_s", label=_("Period"), kind="number", unit="s", required=True, low=0.05, high=86400)
_GROUPS = Panel(
    title=_("Polling groups"),
    api="/api/sources/{id}/groups",
    columns=(Field(name="name", label=_("Group"), kind="code"), _PERIOD, Field(name="tags", label=_("Tags"), kind="integer")),
    heads=(
        Act(
            label=_("Add a group"),
            path="/api/sources/{id}/groups",
            right="sources.write",
            fields=(Field(name="name", label=_("Group"), kind="code", required=True), _PERIOD),
        ),
    ),
    acts=(
        Act(label=_("Change period"), path="/api/sources/{of.id}/groups/{name}", right="sources.write", method="PATCH", fields=(_PERIOD,)),
        Act(
            label=_("Remove group"),
            path="/api/sources/{of.id}/groups/{name}",
            right="sources.write",
            method="DELETE",
            confirm=_("No tag may be read in it."),
        ),
    ),
)
_TESTED = (
    Field(name="ok", label=_("Connected"), kind="flag"),
    Field(name="connect_ms", label=_("Connecting took"), kind="number", unit="ms"),
    Field(name="limits.pdu", label=_("PDU"), kind="integer"),
    Field(name="reason", label=_("Reason"), kind="word"),
    Field(name="detail", label=_("What happened"), kind="long"),
    Field(name="remedy", label=_("What to do"), kind="long"),
)
_READ = (
    Field(name="ok", label=_("Read"), kind="flag"),
    Field(name="value", label=_("Value"), kind="number"),
    Field(name="raw", label=_("Raw value"), kind="number"),
    Field(name="quality", label=_("Quality"), kind="choice", choices=QUALITIES),
    Field(name="reason", label=_("Reason"), kind="choice", choices=REASONS),
    Field(name="round_trip_ms", label=_("Round trip"), kind="number", unit="ms"),
    Field(name="detail", label=_("What happened"), kind="long"),
    Field(name="remedy", label=_("What to do"), kind="long"),
    Field(
        name="interpretations",
        label=_("The same registers as"),
        kind="list",
        columns=(
            Field(name="type", label=_("Type"), kind="code"),
            Field(name="order", label=_("Byte order"), kind="code"),
            Field(name="text", label=_("Value"), kind="code"),
        ),
    ),
)
_IMPORT = (
    Field(name="file", label=_("List of tags"), kind="file", required=True),
    Field(name="format", label=_("Format"), kind="choice", choices=FORMATS),
    Field(name="source", label=_("Source"), kind="code", hint=_("where the file names no device")),
    Field(name="host", label=_("Host"), kind="code", hint=_("of a source that is new")),
    Field(name="machine", label=_("Asset"), kind="code", hint=_("code of the machine that the tags belong to")),
    Field(name="prefix", label=_("Before every name"), kind="code"),
)
_IMPORTED = (
    Field(name="rows", label=_("Tags in the file"), kind="integer"),
    Field(name="created", label=_("New"), kind="words"),
    Field(name="updated", label=_("Changed"), kind="words"),
    Field(name="warnings", label=_("Warnings"), kind="words"),
    Field(
        name="errors",
        label=_("Bad rows"),
        kind="list",
        columns=(
            Field(name="where", label=_("Place"), kind="code"),
            Field(name="text", label=_("Written"), kind="code"),
            Field(name="detail", label=_("Reason")),
        ),
    ),
)


def _import(label: str, **dry: object) -> Act:
    return Act(
        label=label,
        path="/api/sources/import",
        right="sources.write",
        upload=True,
        on_list=True,
        fields=_IMPORT,
        body=tuple(dry.items()),
        shows=_IMPORTED,
    )


SOURCES = Records(
    path="sources",
    api="/api/sources",
    title=_("Sources"),
    one=_("Source"),
    group="system",
    read="sources.write",
    write="sources.write",
    sorts=("name", "kind"),
    deletes=True,
    columns=(
        Field(name="name", label=_("Source"), kind="code"),
        Field(name="kind", label=_("Protocol"), kind="choice", choices=KINDS),
        Field(name="state", label=_("State"), kind="choice", choices=LINKS),
        Field(name="state_since", label=_("Since"), kind="moment"),
        Field(name="tags", label=_("Tags"), kind="integer"),
        Field(name="not_good", label=_("Not good"), kind="integer"),
        Field(name="rate", label=_("Readings"), kind="number", unit="/s"),
        Field(name="detail", label=_("What happened")),
    ),
    first=(
        Field(name="name", label=_("Source"), kind="code", required=True),
        Field(name="kind", label=_("Protocol"), kind="choice", choices=KINDS, required=True),
    ),
    fields=(*_CONFIG, Field(name="enabled", label=_("On"), kind="flag", default=True)),
    read_only=(
        Field(name="kind", label=_("Protocol"), kind="choice", choices=KINDS),
        Field(name="state", label=_("State"), kind="choice", choices=LINKS),
        Field(name="state_since", label=_("Since"), kind="moment"),
        Field(name="not_good", label=_("Tags not good"), kind="integer"),
        Field(name="rate", label=_("Readings"), kind="number", unit="/s"),
        Field(name="lag_ms", label=_("Newest reading"), kind="integer", unit="ms"),
        Field(name="overruns", label=_("Polls that took too long"), kind="integer"),
        Field(name="reconnects", label=_("Reconnected"), kind="integer"),
        Field(name="detail", label=_("What happened"), kind="long"),
    ),
    filters=(Field(name="kind", label=_("Protocol"), kind="choice", choices=KINDS),),
    panels=(_TAGS, _GROUPS),
    acts=(
        _import(_("Import: look first"), dry_run="true"),
        _import(_("Import"), dry_run="false"),
        Act(label=_("Test the connection"), path="/api/sources/test", right="sources.write", body=(("source", "{id}"),), shows=_TESTED),
        Act(
            label=_("Try an address"),
            path="/api/sources/preview",
            right="sources.write",
            body=(("source", "{id}"),),
            fields=(Field(name="address", label=_("Address"), kind="code", required=True),),
            shows=_READ,
        ),
    ),
    downloads=(
        Download(label="YAML", path="/api/sources/{id}/export?format=yaml", right="sources.write"),
        Download(label="CSV", path="/api/sources/{id}/export?format=csv", right="sources.write"),
    ),
    note=_("The devices and brokers that values come from: connect, test, import lists of tags, and see how each tag stands."),
)

DISCOVERED = Records(
    path="discovered-tags",
    api="/api/discovered-tags",
    title=_("Discovered tags"),
    one=_("Discovered tag"),
    group="system",
    read="tags.write",
    sorts=("tag", "source", "last_seen", "seen"),
    name="tag",
    creates=False,
    edits=False,
    columns=(
        Field(name="tag", label=_("Tag"), kind="code"),
        Field(name="value", label=_("Last value"), kind="code"),
        Field(name="source", label=_("Source"), kind="code"),
        Field(name="seen", label=_("Times"), kind="integer"),
        Field(name="last_seen", label=_("Last seen"), kind="moment"),
        Field(name="state", label=_("State"), kind="choice", choices=STATES),
        Field(name="decided_by", label=_("Decided by")),
    ),
    read_only=(
        Field(name="source", label=_("Source"), kind="code"),
        Field(name="value", label=_("Last value"), kind="code"),
        Field(name="first_seen", label=_("First seen"), kind="moment"),
        Field(name="last_seen", label=_("Last seen"), kind="moment"),
        Field(name="state", label=_("State"), kind="choice", choices=STATES),
    ),
    filters=(Field(name="state", label=_("State"), kind="choice", choices=STATES),),
    acts=(
        Act(
            label=_("Accept"),
            path="/api/discovered-tags/{id}/accept",
            right="tags.write",
            shown_when=("state", ("new", "ignored")),
            on_row=True,
            fields=(
                Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code", required=True),
                Field(name="unit", label=_("Unit"), kind="code"),
                Field(name="label", label=_("Label")),
                Field(name="period_s", label=_("Comes every"), kind="number", unit="s", low=0.05, high=86400),
            ),
        ),
        Act(
            label=_("Ignore"),
            path="/api/discovered-tags/{id}",
            right="tags.write",
            method="PATCH",
            body=(("state", "ignored"),),
            shown_when=("state", ("new",)),
            on_row=True,
        ),
    ),
    note=_("What devices sent and nobody configured; nothing becomes a tag before a person accepts it."),
)

RECORDS: tuple[Records, ...] = (SOURCES, DISCOVERED)
