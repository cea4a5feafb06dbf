"""The one table of files that lists of tags come in, and their judgement: what can be taken, what cannot, and where. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from plc.addressing import cells, documents, kepware, nodes7, tagmap_csv, telegraf, tia
from plc.addressing.drafts import Draft, Given
from plc.addressing.errors import TagMapError
from plc.addressing.tagmap import TagMap, judge

Reader = Callable[[bytes, Given], list[Draft]]


def _yaml(content: bytes, given: Given) -> list[Draft]:
    document = documents.mapping_of(cells.text_of(content))
    source = documents.mapping(document.get("source"), "source")
    entries = document.get("tags")
    if not isinstance(entries, list):
        raise TagMapError("tags", "a list of tags")
    machine = document.get("machine") or given.machine
    draft = Draft(source, documents.mapping(document.get("groups") or {}, "groups"), str(machine) if machine else None)
    draft.entries, draft.origins = entries, [f"tags[{i}]" for i in range(len(entries))]
    return [draft]


FORMATS: dict[str, Reader] = {
    "yaml": _yaml,
    "csv": tagmap_csv.read,
    "tia": tia.read,
    "kepware": kepware.read,
    "telegraf": telegraf.read,
    "nodes7": nodes7.read,
}
OWN = frozenset({"yaml", "csv"})  # ours say everything of a tag; the others leave alone what they do not name


@dataclass(slots=True)
class Found:
    """What a file holds: a map a source with its good tags, what is wrong by place, what is odd."""

    maps: list[TagMap] = field(default_factory=list)
    wrong: list[TagMapError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    bare: set[str] = field(default_factory=set)  # sources of which the file says nothing but the name

    @property
    def rows(self) -> int:
        """Tags in the file, good and bad."""
        return sum(len(one.tags) for one in self.maps) + len(self.wrong)


def found_in(content: bytes, dialect: str, given: Given) -> Found:
    """Judge a whole file; what cannot be read at all is one wrong place. Raises KeyError for an unknown dialect."""
    found = Found()
    try:
        drafts = FORMATS[dialect](content, given)
    except TagMapError as error:
        found.wrong.append(error)
        return found
    for draft in drafts:
        found.wrong += draft.wrong
        found.warnings += draft.notes
        try:
            taken, wrong = judge(draft.document(), draft.origins)
        except TagMapError as error:
            found.wrong.append(error)
            continue
        found.maps.append(taken)
        found.wrong += wrong
        found.warnings += taken.warnings
        if draft.is_bare:
            found.bare.add(taken.source)
    return found


def dialect_of(name: str, content: bytes) -> str:
    """The dialect that a file's name and its beginning speak of; a person may say another."""
    suffix = name.lower().rpartition(".")[2]
    if suffix in {"toml", "conf"}:
        return "telegraf"
    if suffix in {"xlsx", "xml"}:
        return "tia"
    head = content[:4000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if suffix in {"yaml", "yml"}:
        return "yaml"
    if suffix == "json":
        return "yaml" if b'"source"' in head else "nodes7"
    if b"tag name" in head.partition(b"\n")[0]:
        return "kepware"
    if b"logical address" in head or b"logische adresse" in head:
        return "tia"
    first = head.partition(b"\n")[0]
    is_ours = head.startswith((b"#", b'"#')) or (b"addr" in first and b"name" in first and first.count(b",") + first.count(b";") > 1)
    return "csv" if is_ours else "nodes7"
