"""`python -m server.evidence verify FILE.json`: whether an exported chain of evidence is unchanged and still what the tables say."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from realtime import settings as settings_module
from server.audit_files import audit_key
from server.database import Database
from server.store import evidence


def main(arguments: list[str] | None = None) -> int:
    """0 when it holds, 1 when it does not, 2 when the file cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m server.evidence", description="Check an exported chain of evidence.")
    parser.add_argument("command", choices=["verify"])
    parser.add_argument("file", type=Path)
    path: Path = parser.parse_args(arguments).file
    try:
        given = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        sys.stdout.write(f"{path}: {error}\n")
        return 2
    settings = settings_module.load()
    settings_module.require(settings, "database_url")
    database = Database(str(settings.database_url), pool_size=1)
    with database.transaction() as session:
        problems = evidence.check(session, audit_key(settings), given if isinstance(given, dict) else {})
    database.close()
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"evidence {'BROKEN' if problems else 'holds'}: {path}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
