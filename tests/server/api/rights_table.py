"""Who may do what, as people agreed on it (rights.toml): a right that changes silently fails a test.

`python -m tests.server.api.rights_table` prints what is missing or stale, `... --write` brings the file up to date: read the diff before
it is committed.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from flask import Flask
from werkzeug.routing import Rule

from server.auth.guard import declared_right
from server.doors import SOCKET_RIGHTS
from server.rules.roles import ALL_RIGHTS, RIGHTS

PATH = Path(__file__).with_name("rights.toml")
HEAD = """# The authorisation table (tests/server/api/test_rights.py): what each route and socket event asks for ("*" = anyone,
# "signed_in" = any person), and which roles have each right. A change here is a change of who may do what: think, then run
# `python -m tests.server.api.rights_table --write` and read the diff.
"""
Table = dict[str, dict[str, str]]


def rules_of(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every route with every method it takes."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


def name_of(rule: Rule, method: str) -> str:
    """`GET /api/alerts/<id:alert_id>`."""
    return f"{method} {rule.rule}"


def expected() -> Table:
    """What people agreed on."""
    return tomllib.loads(PATH.read_text("utf-8")) if PATH.exists() else {}


def found(app: Flask) -> Table:
    """What the program declares; "" for a forgotten one."""
    return {
        "routes": {name_of(rule, method): declared_right(app, rule.endpoint) or "" for rule, method in rules_of(app)},
        "sockets": {event: " ".join(sorted(rights)) for event, rights in SOCKET_RIGHTS.items()},
        "rights": {right: " ".join(sorted(role for role, has in RIGHTS.items() if right in has)) for right in ALL_RIGHTS},
    }


def differences(app: Flask, part: str) -> list[str]:
    """Lines to add, to change and to take out of one part of the table."""
    wanted, have = expected().get(part, {}), found(app)[part]
    added = [f'"{name}" = "{right}"' for name, right in sorted(have.items()) if name not in wanted]
    changed = [f'"{name}" = "{right}"  # was {wanted[name]}' for name, right in sorted(have.items()) if wanted.get(name, right) != right]
    gone = [f"# gone: {name}" for name in sorted(wanted.keys() - have.keys())]
    return added + changed + gone


def write(app: Flask) -> None:
    """Make the file say what the program declares."""
    parts = []
    for part, lines in found(app).items():
        by_place = sorted(lines.items(), key=lambda line: (line[0].partition(" ")[2], line[0]))
        parts.append(f"\n[{part}]\n" + "".join(f'"{name}" = "{right}"\n' for name, right in by_place))
    PATH.write_text(HEAD + "".join(parts), "utf-8")


def main(arguments: list[str]) -> None:
    """Print the differences, or write the file."""
    from app import create_app  # noqa: PLC0415 - only as a program
    from realtime import settings as settings_module  # noqa: PLC0415

    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1", "DATA_DIR": tempfile.mkdtemp()}
    app = create_app(settings_module.load(nowhere, None))
    for part in found(app):
        for line in differences(app, part):
            sys.stdout.write(f"[{part}] {line}\n")
    if "--write" in arguments:
        write(app)


if __name__ == "__main__":
    main(sys.argv[1:])
