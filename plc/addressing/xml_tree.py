"""Reads XML that comes from outside into a small tree, bounded: no DOCTYPE (so no entities), depth, number of elements. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from plc.addressing.errors import TagMapError

MAX_DEPTH = 40
MAX_NODES = 600_000


@dataclass(slots=True)
class Node:
    """One element: its name without prefix, attributes, text, children, and its line in the file."""

    name: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> Iterator[Node]:
        """Every element of that name below this one, in the order of the file."""
        pending = [self]
        while pending:
            node = pending.pop()
            if node.name == name:
                yield node
            pending += reversed(node.children)

    def child(self, name: str) -> Node | None:
        """The first child of that name."""
        return next((node for node in self.children if node.name == name), None)

    def word(self, name: str) -> str:
        """Text of the first child of that name, "" without one."""
        found = self.child(name)
        return found.text.strip() if found else ""


class _Builder:
    def __init__(self, parser: expat.XMLParserType) -> None:
        self.parser = parser
        self.root = Node("", 0)
        self.open = [self.root]
        self.nodes = 0
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters
        parser.StartDoctypeDeclHandler = self.doctype

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(self.open) > MAX_DEPTH:
            raise TagMapError(f"line {self.parser.CurrentLineNumber}", "more elements, or nested deeper, than any tag table")
        node = Node(name.rpartition(":")[2], self.parser.CurrentLineNumber, attributes)
        self.open[-1].children.append(node)
        self.open.append(node)

    def end(self, _name: str) -> None:
        self.open.pop()

    def characters(self, text: str) -> None:
        self.open[-1].text += text

    def doctype(self, *_declared: object) -> None:
        raise TagMapError(f"line {self.parser.CurrentLineNumber}", "a DOCTYPE is not taken")  # entities unfold to gigabytes


def parse(raw: bytes) -> Node:
    """The document's root element; raises TagMapError naming the line."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    builder = _Builder(parser)
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise TagMapError(f"line {error.lineno}", f"no XML: {expat.errors.messages.get(error.code, 'unreadable')}") from error
    return builder.root.children[0]
