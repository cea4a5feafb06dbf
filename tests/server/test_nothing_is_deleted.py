"""Soft delete everywhere: what people entered is marked as gone, never removed. Walks the source of the stores."""

from __future__ import annotations

import ast
from pathlib import Path

import server

ROOT = Path(server.__file__).parent
# What may go for good, and why: none of it is a record.
EXEMPT = {
    "server/auth/activity.py": "page logins whose time is over",
    "server/auth/revocation.py": "ended logins whose time is over",
    "server/store/operation_keys.py": "idempotency keys after 30 days",
    "server/store/mail.py": "sent mails after their time; their text is wiped when they leave",
    "server/store/tag_writes.py": "limits of a tag are one value: the audit row keeps the old set",
    "server/store/limits.py": "a limit is a setting of its tag: the audit row keeps what it was",
    "server/store/class_apply.py": "the same, set by its class",
    "server/store/purchases.py": "lines of a draft, replaced whole: the audit row keeps the old ones",
    "server/store/report_schedules.py": "files that jobs made, after their time: they can be made again",
    "server/demo/removal.py": "the demo plant, which leaves no trace",
}


def deletions(path: Path) -> list[int]:
    """Lines that delete rows: delete(...), session.delete(...), query.delete(), or SQL that does."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            named = node.func.id if isinstance(node.func, ast.Name) else None
            of_session = isinstance(node.func, ast.Attribute) and node.func.attr == "delete" and "session" in ast.unparse(node.func.value)
            if named == "delete" or of_session:
                found.append(node.lineno)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lstrip().upper().startswith("DELETE FROM"):
            found.append(node.lineno)
    return found


def test_no_part_of_the_server_deletes_what_people_entered() -> None:
    wrong = {}
    for path in sorted([*ROOT.rglob("*.py")]):
        name = str(path.relative_to(ROOT.parent))
        if name not in EXEMPT and (lines := deletions(path)):
            wrong[name] = lines

    assert wrong == {}, "mark it with deleted_at, or say in EXEMPT why it is no record"
