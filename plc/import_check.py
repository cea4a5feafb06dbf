"""Judges a file of tags on the command line, offline, with the parsers of the import: every bad row with the character that is wrong.

python -m plc import press.csv
python -m plc import --source filler --host 10.0.0.6 --prefix FILLER. filler.xlsx
It stores nothing: POST /api/sources/import does, or the page of sources.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from plc.addressing import documents, imports
from plc.addressing.drafts import Given
from plc.addressing.errors import TagMapError
from plc.addressing.imports import Found
from plc.addressing.tagmap import TagMap

LONGEST_SHOWN = 100


def main(arguments: list[str]) -> int:
    """Print what is wrong and what is right; 0 when every row can be taken, 1 when some cannot, 2 when the file cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m plc import", description="Judge a file of tags; nothing is stored.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--format", choices=sorted(imports.FORMATS), help="what the file is; else found out")
    parser.add_argument("--list", action="store_true", help="print every tag with its address")
    for name, words in (
        ("source", "where the file names no device: the source that the tags belong to"),
        ("kind", "its protocol"),
        ("host", "its address"),
        ("machine", "code of the asset"),
        ("prefix", "put before every name"),
    ):
        parser.add_argument(f"--{name}", default="", help=words)
    options = parser.parse_args(arguments)
    try:
        with options.file.open("rb") as opened:
            content = opened.read(documents.MAX_BYTES * 2)
    except OSError as error:
        sys.stderr.write(f"{options.file}: {error.strerror}\n")
        return 2
    dialect = options.format or imports.dialect_of(options.file.name, content)
    source = options.source or options.file.stem[:64]
    found = imports.found_in(content, dialect, Given(source, options.kind, options.host, options.machine, options.prefix))
    _print(found, dialect, with_tags=options.list)
    return 1 if found.wrong else 0


def _print(found: Found, dialect: str, *, with_tags: bool) -> None:
    for one in found.wrong:
        sys.stderr.write(shown(one))
    for told in found.warnings:
        sys.stderr.write(f"warning: {told}\n")
    for taken in found.maps:
        sys.stdout.write(_summary(taken))
        if with_tags:
            sys.stdout.writelines(f"  {tag.name}\t{tag.address}\t{tag.unit}\n" for tag in taken.tags)
    sys.stdout.write(f"{dialect}: {found.rows} tags, {len(found.wrong)} cannot be taken, {len(found.warnings)} warnings\n")


def _summary(taken: TagMap) -> str:
    return f"{taken.source} ({taken.kind}): {len(taken.tags)} tags\n"


def shown(wrong: TagMapError) -> str:
    """One bad row; under a wrong address a mark at the character."""
    line = f"{wrong.field}: {wrong.detail}\n"
    if wrong.position is None or not wrong.text or len(wrong.text) > LONGEST_SHOWN:
        return line
    return f"{line}    {wrong.text}\n    {' ' * wrong.position}^\n"
