"""Plain pages of people: users, teams, API keys, tokens of devices, contractor links, and the audit trail."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records import words
from web.records.spec import Act, Download, Field, Records

ROLES = (
    ("admin", _("Administrator")),
    ("manager", _("Manager")),
    ("planner", _("Planner")),
    ("storekeeper", _("Storekeeper")),
    ("technician", _("Technician")),
    ("operator", _("Operator")),
    ("viewer", _("Viewer")),
)
ROLE = Field(name="role", label=_("Role"), kind="choice", choices=ROLES, required=True)
TEAM = Field(name="team", label=_("Team"), kind="reference", source="/api/teams", link="/teams/{team.id}")
ACTIVE = Field(name="active", label=_("Active"), kind="flag", default=True)
SHOWN_PASSWORD = (Field(name="password", label=_("Password, shown this once"), kind="code"),)
SHOWN_TOKEN = (Field(name="token", label=_("Token, shown this once"), kind="code"),)
NAME = Field(name="name", label=_("Name"), required=True)
DAYS = Field(name="days", label=_("Days"), kind="integer", low=1, high=3650, hint=_("Left empty: until revoked."))
CREATED = Field(name="created_at", label=_("Made"), kind="moment")
EXPIRES = Field(name="expires_at", label=_("Ends"), kind="moment")
USED = Field(name="last_used_at", label=_("Last used"), kind="moment")

USERS = Records(
    path="users",
    api="/api/users",
    title=_("People"),
    one=_("Person"),
    group="people",
    read="users.read",
    write="users.write",
    sorts=("employee_number", "name", "role", "last_login_at"),
    note=_("Who signs in, with which role, team, skills and shift. People are deactivated, never deleted."),
    columns=(
        Field(name="employee_number", label=_("Employee number"), kind="code"),
        Field(name="name", label=_("Name")),
        ROLE,
        TEAM,
        Field(name="shift", label=_("Shift")),
        ACTIVE,
        Field(name="last_login_at", label=_("Last sign-in"), kind="moment"),
    ),
    filters=(
        Field(name="role", label=_("Role"), kind="choice", choices=ROLES),
        Field(name="team", label=_("Team"), kind="reference", source="/api/teams"),
        Field(name="active", label=_("Active"), kind="flag"),
    ),
    fields=(
        NAME,
        ROLE,
        Field(name="email", label=_("E-mail address"), hint=_("For notifications and a forgotten password.")),
        TEAM,
        Field(name="area", label=_("Area"), kind="reference", source="/api/areas", hint=_("Where an operator acknowledges and shelves.")),
        Field(name="skills", label=_("Skills"), kind="words"),
        Field(name="shift", label=_("Shift"), hint=_("Name of a shift of the site.")),
        Field(name="language", label=_("Language"), kind="choice", choices=words.LANGUAGES, default="en"),
        Field(name="on_duty", label=_("On duty"), kind="flag", default=True),
    ),
    read_only=(
        Field(name="employee_number", label=_("Employee number"), kind="code"),
        ACTIVE,
        Field(name="granted", label=_("Given rights"), kind="words"),
        Field(name="must_change_password", label=_("Must change the password"), kind="flag"),
        Field(name="last_login_at", label=_("Last sign-in"), kind="moment"),
        Field(name="deactivated_at", label=_("Deactivated"), kind="moment"),
    ),
    creates=False,
    acts=(
        Act(
            label=_("New person"),
            path="/api/users",
            right="users.write",
            on_list=True,
            fields=(Field(name="employee_number", label=_("Employee number"), kind="code", required=True), NAME, ROLE),
            shows=SHOWN_PASSWORD,
        ),
        Act(
            label=_("Give a new password"),
            path="/api/users/{id}/password",
            right="users.write",
            confirm=_("Every sign-in of this person ends."),
            shows=SHOWN_PASSWORD,
        ),
        Act(
            label=_("Let write to PLCs"),
            path="/api/users/{id}/rights",
            right="users.write",
            fields=(Field(name="reason", label=_("Why"), required=True),),
            body=(("right", "plc.write"),),
        ),
        Act(
            label=_("Take back: write to PLCs"),
            path="/api/users/{id}/rights?right=plc.write",
            right="users.write",
            method="DELETE",
            confirm=_("From the next request on this person cannot write to PLCs."),
        ),
        Act(
            label=_("Deactivate"),
            path="/api/users/{id}",
            right="users.write",
            method="PATCH",
            body=(("active", False),),
            shown_when=("active", ("true",)),
            confirm=_("Every sign-in of this person ends at once."),
        ),
        Act(
            label=_("Activate"),
            path="/api/users/{id}",
            right="users.write",
            method="PATCH",
            body=(("active", True),),
            shown_when=("active", ("false",)),
        ),
    ),
)

TEAMS = Records(
    path="teams",
    api="/api/teams",
    title=_("Teams"),
    one=_("Team"),
    group="people",
    read="orders.read",
    write="teams.write",
    sorts=("name", "shift"),
    note=_("Technicians who share the orders that a policy gives them."),
    columns=(Field(name="name", label=_("Name")), Field(name="shift", label=_("Shift"))),
    fields=(
        NAME,
        Field(name="shift", label=_("Shift"), hint=_("Name of a shift of the site.")),
        Field(name="labour_rate", label=_("Cost of an hour"), kind="money", low=0),
    ),
    read_only=(Field(name="members", label=_("People"), kind="list", columns=(Field(name="name", label=_("Name")),)),),
    deletes=True,
)

API_KEYS = Records(
    path="api-keys",
    api="/api/api-keys",
    title=_("My API keys"),
    one=_("API key"),
    group="people",
    read="notifications.read",
    write="notifications.read",
    note=_("Keys that act as you, within the rights you name. A key is shown once."),
    searchable=False,
    columns=(NAME, Field(name="scopes", label=_("Rights"), kind="words"), CREATED, EXPIRES, USED),
    read_only=(Field(name="scopes", label=_("Rights"), kind="words"), CREATED, EXPIRES, USED),
    creates=False,
    edits=False,
    deletes=True,
    acts=(
        Act(
            label=_("New key"),
            path="/api/api-keys",
            right="notifications.read",
            on_list=True,
            fields=(NAME, Field(name="scopes", label=_("Rights"), kind="words", required=True, hint=_("Such as orders.read.")), DAYS),
            shows=SHOWN_TOKEN,
        ),
    ),
)

TOKENS = Records(
    path="tokens",
    api="/api/tokens",
    title=_("Devices and keys"),
    one=_("Token"),
    group="people",
    read="sources.write",
    write="sources.write",
    note=_("Devices that post readings, paired glasses and phones, and people's API keys; each can be revoked."),
    searchable=False,
    sorts=("name", "kind", "created_at", "expires_at"),
    columns=(
        NAME,
        Field(name="kind", label=_("Kind"), kind="choice", choices=words.TOKENS),
        Field(name="person", label=_("Person")),
        CREATED,
        EXPIRES,
        USED,
    ),
    read_only=(
        Field(name="kind", label=_("Kind"), kind="choice", choices=words.TOKENS),
        Field(name="person", label=_("Person")),
        CREATED,
        EXPIRES,
        USED,
    ),
    creates=False,
    edits=False,
    deletes=True,
    acts=(
        Act(
            label=_("New device"),
            path="/api/tokens",
            right="sources.write",
            on_list=True,
            fields=(NAME, DAYS),
            body=(("kind", "ingest"),),
            shows=SHOWN_TOKEN,
        ),
    ),
)

LINKS = Records(
    path="contractor-links",
    api="/api/contractor-links",
    title=_("Contractor links"),
    one=_("Contractor link"),
    group="people",
    read="contractors.write",
    write="contractors.write",
    note=_("Links that let somebody from outside see and work on one order. Make one from the order."),
    searchable=False,
    sorts=("name", "company", "created_at", "expires_at"),
    columns=(
        NAME,
        Field(name="company", label=_("Company")),
        Field(name="order.number", label=_("Work order"), kind="code", link="/orders/{order.number}"),
        Field(name="live", label=_("Open"), kind="flag"),
        CREATED,
        EXPIRES,
        USED,
    ),
    read_only=(
        Field(name="company", label=_("Company")),
        Field(name="order.number", label=_("Work order"), kind="code", link="/orders/{order.number}"),
        Field(name="may_work", label=_("May work"), kind="flag"),
        Field(name="live", label=_("Open"), kind="flag"),
        EXPIRES,
        USED,
        Field(name="revoked_at", label=_("Revoked"), kind="moment"),
    ),
    creates=False,
    edits=False,
    deletes=True,
)

AUDIT = Records(
    path="audit",
    api="/api/audit",
    title=_("Audit trail"),
    one=_("Audit row"),
    group="system",
    read="audit.read",
    note=_("Who did what to which thing, when and why. Nothing changes a row; python -m server.audit verify checks them all."),
    columns=(
        Field(name="at", label=_("Time"), kind="moment"),
        Field(name="actor", label=_("Who")),
        Field(name="action", label=_("Action"), kind="word"),
        Field(name="thing", label=_("Thing"), kind="word"),
        Field(name="thing_id", label=_("Id"), kind="integer"),
        Field(name="reason", label=_("Why")),
    ),
    filters=(
        Field(name="thing", label=_("Thing"), kind="code"),
        Field(name="action", label=_("Action"), kind="code"),
        Field(name="from", label=_("From"), kind="moment"),
        Field(name="to", label=_("To"), kind="moment"),
    ),
    creates=False,
    edits=False,
    downloads=tuple(
        Download(label=label, path=f"/api/audit?export={kind}", right="audit.read", on_list=True)
        for kind, label in (("csv", _("CSV")), ("xlsx", _("XLSX")), ("pdf", _("PDF")))
    ),
)

RECORDS: tuple[Records, ...] = (USERS, TEAMS, API_KEYS, TOKENS, LINKS, AUDIT)
