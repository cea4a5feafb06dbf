"""What a plain page of records is: one declaration a resource gives a list, a detail and a form. Pure; web/record_pages.py serves it.

Every value comes from and goes to the REST resource at `api`; nothing here knows a table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Word = str  # lazy_gettext("...") in declarations
Kind = Literal[
    "text",  # one line
    "long",  # several lines
    "number",
    "integer",
    "money",  # with the site's currency
    "measured",  # with the record's own `unit` and `decimals`; shown only
    "date",
    "moment",  # date and time, native datetime-local in forms
    "share",  # of 1, read as per cent; shown only
    "span",  # of `unit` s or d, read as hours and minutes; shown only
    "clock",  # a time of day, "06:00"
    "recurrence",  # an rrule as a sentence, "every 3 months"
    "choice",  # one of `choices`
    "flag",  # yes or no
    "reference",  # another thing: {"id", "code" | "number" | "name"} in bodies, its `key` in forms
    "code",  # a machine's word: left to right, monospaced figures
    "word",  # a machine's word that people read: "background_job" is shown as "Background job"
    "list",  # a list of objects with `columns`; rows are added and removed in the form
    "words",  # a list of texts
    "picks",  # a list of whole numbers, ticked among `choices`
    "file",  # an upload
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value of a record.

    name: key in the body; dotted ("asset.code") where it is nested, and nested again when sent. sends: key in requests where it differs.
    """

    name: str
    label: Word
    kind: Kind = "text"
    unit: str = ""
    sends: str | None = None
    required: bool = False
    choices: tuple[tuple[str, Word], ...] = ()
    source: str | None = None  # reference: API path of the collection to choose from, filtered by ?search=
    key: str = "id"  # reference: what of the chosen thing is sent
    shows: str = "name"  # reference: what of it is shown
    link: str | None = None  # page of the thing, "/parts/{id}" or "/assets/{asset.code}"
    columns: tuple[Field, ...] = ()  # list: the fields of one row
    hint: Word = ""
    low: float | None = None
    high: float | None = None
    default: str | int | float | bool | None = None
    ago_h: float | None = None  # moment: a new one starts so many hours before now
    needs: str = ""  # name of another value of the record; without it (none, or "unknown") the detail leaves this one out
    signless: bool = False  # number: shown without its sign, where a word beside it says which way
    none: Word = ""  # what is shown where there is no value, instead of a dash
    keeps: bool = False  # list: what of a row has no column goes back as it came


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A button on a record (or, with `on_list`, above the list): sends `fields` to `path`, then shows the answer."""

    label: Word
    path: str  # "/api/parts/{id}/movements"; {given.part} is what was typed into the field `part`, which then is not sent
    right: str
    method: Literal["POST", "PATCH", "DELETE", "PUT"] = "POST"
    fields: tuple[Field, ...] = ()
    body: tuple[tuple[str, object], ...] = ()  # constants that go with the fields; "{id}" is that value of the row
    shown_when: tuple[str, tuple[str, ...]] | None = None  # ("status", ("open", "assigned"))
    confirm: Word = ""  # asks before; for what deletes or cannot be taken back
    on_list: bool = False
    on_row: bool = False  # a button in each row of the list too
    upload: bool = False  # multipart/form-data
    prefills: bool = False  # the form starts with what the row says; a PATCH or PUT always does
    starts: str = ""  # API path whose answer the form starts with...
    start_with: tuple[tuple[str, str], ...] = ()  # ...: name of the field, name in the answer
    shows: tuple[Field, ...] = ()  # what of the answer is shown in place; empty = the record is read again


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A list under a record: rows of another collection, a list in the record's own body (`inside`) or, with both, in that answer."""

    title: Word
    columns: tuple[Field, ...]
    api: str | None = None  # "/api/parts/{id}/movements"
    inside: str | None = None  # key of a list in the body
    link: str | None = None
    none: Word = ""  # what is said where there is no row
    acts: tuple[Act, ...] = ()  # of each row; paths are filled from the row, then from the record as {of.id}
    right: str | None = None  # left out for those without it; None = who sees the record sees the panel
    heads: tuple[Act, ...] = ()  # above the list, filled from the record
    row: tuple[Field, ...] = ()  # of a list in the body: the form of one row; rows are added, changed and removed, the whole list is sent
    word: Word = ""  # what such a row is called
    write: str | None = None  # right to change such rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file made of a record or of the list: a certificate, a label, a printable order, CSV."""

    label: Word
    path: str  # "/api/calibrations/{id}/certificate"
    right: str
    on_list: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The pages of one resource: /{path}, /{path}/new and /{path}/{id}."""

    path: str  # "parts"
    api: str  # "/api/parts"
    title: Word  # "Spare parts"
    one: Word  # "Spare part"
    group: Literal["register", "work", "stores", "people", "reports", "system"]
    read: str  # right
    write: str | None = None  # right of form and delete; None = read only
    columns: tuple[Field, ...]  # of the list
    fields: tuple[Field, ...] = ()  # of detail and form; empty = no detail page
    first: tuple[Field, ...] = ()  # asked of a new record only, before the others: what never changes later
    read_only: tuple[Field, ...] = ()  # shown on the detail, never sent
    filters: tuple[Field, ...] = ()  # query parameters; `search` is always there where `searchable`
    sorts: tuple[str, ...] = ()  # names the API sorts by; a column of that name (or whose name begins so) gets an arrow
    searchable: bool = True
    creates: bool = True
    edits: bool = True  # PATCH with If-Match
    deletes: bool = False
    panels: tuple[Panel, ...] = ()
    acts: tuple[Act, ...] = ()
    downloads: tuple[Download, ...] = ()
    key: str = "id"  # of the detail's address
    name: str = "name"  # body key that heads the detail
    link: str | None = None  # where rows lead instead of the plain detail, e.g. "/assets/{code}"
    note: Word = ""  # one sentence under the title
    follows: tuple[str, tuple[str, ...]] | None = None  # the detail is read again every two seconds while this value is one of these
    extra: dict[str, str] = field(default_factory=dict)  # constant query parameters
