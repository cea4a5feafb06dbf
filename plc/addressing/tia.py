"""Reads PLC tag tables of TIA Portal: XML (tag table export, Openness), XLSX and CSV with its headings. Pure.

A tag table has no units and no scale: those are added afterwards. Data blocks are not in it, so most lists come from elsewhere.
"""

from __future__ import annotations

from plc.addressing import cells, xml_tree
from plc.addressing.drafts import Draft, Given, bare
from plc.addressing.errors import TagMapError

HEADINGS = {
    "name": ("name", "tag name"),
    "type": ("data type", "datentyp", "type de données"),
    "address": ("logical address", "logische adresse", "adresse logique", "address"),
    "comment": ("comment", "kommentar", "commentaire"),
}
# TIA's names of types where they differ from ours in more than case
TYPES = {"TIME_OF_DAY": "TOD", "DATE_AND_TIME": "DT", "LTIME_OF_DAY": "LTOD"}
_MARK = b"<"


def read(content: bytes, given: Given) -> list[Draft]:
    """The tags of a table; raises TagMapError where the file is none."""
    draft = bare(given, "s7")
    if content.startswith(b"PK"):
        for sheet in cells.of_xlsx(content):
            _rows(draft, sheet, given.prefix)
    elif content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_MARK):
        _xml(draft, content, given.prefix)
    else:
        _rows(draft, cells.of_csv(content), given.prefix)
    if not draft.entries and not draft.wrong:
        raise TagMapError("file", "no tag table: it needs the columns Name, Data Type and Logical Address, or TIA's XML")
    return [draft]


def _rows(draft: Draft, rows: list[cells.Row], prefix: str) -> None:
    for row, cell in cells.table(rows, HEADINGS, ("name", "type", "address")):
        _add(
            draft, f"line {row.line}", prefix + cell.get("name", ""), cell.get("type", ""), cell.get("address", ""), cell.get("comment", "")
        )


def _xml(draft: Draft, content: bytes, prefix: str) -> None:
    if len(content) > cells.MAX_UNFOLDED:
        raise TagMapError("file", f"larger than {cells.MAX_UNFOLDED // 1_000_000} MB")
    root = xml_tree.parse(content)
    for tag in root.all("Tag"):
        kept = tag.attributes
        name = tag.text.strip() or kept.get("name", "")
        _add(draft, f"line {tag.line}", prefix + name, kept.get("type", ""), kept.get("addr", ""), kept.get("remark", ""))
    for tag in root.all("SW.Tags.PlcTag"):  # Openness
        known = tag.child("AttributeList") or tag
        comment = next((text.text.strip() for text in tag.all("Text")), "")
        _add(draft, f"line {tag.line}", prefix + known.word("Name"), known.word("DataTypeName"), known.word("LogicalAddress"), comment)


def _add(draft: Draft, where: str, name: str, kind: str, address: str, comment: str) -> None:
    kind = kind.strip().strip('"')
    if not address:
        draft.refuse(where, f"{name[:64]!r} has no logical address: only tags at a fixed address can be read")
        return
    label = " ".join(comment.split())[:200]
    draft.add(where, {"name": name, "addr": address, "type": TYPES.get(kind.upper(), kind.upper()), "label": label})
