"""Files on things: what an upload really is, who may see and add it, copies from one thing to another. Nothing here commits.

Pictures are re-encoded (no place, no device in them); documents are kept as they came and only ever sent back as downloads.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit, pictures
from server.errors import Invalid, NotFound
from server.models.files import Attachment
from server.problems import Problem
from server.store.actor import Person, need
from server.store.attached_things import THINGS, site_of
from server.timestamps import rfc3339

MAX_BYTES = 10 * 1024 * 1024
MOST_ON_ONE = 200  # files on one thing
_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCUMENTS = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
}
_PICTURES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_ROOMS = {"docx": "word/", "xlsx": "xl/"}  # folder of the zip that holds what the name promises


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent: its name, the type it claims, its bytes."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Checked:
    type: str
    content: bytes
    width: int | None = None
    height: int | None = None


def attach(
    session: Session,
    upload: Upload,
    thing: str,
    thing_id: int,
    site_id: int | None,
    by: Person,
    now: datetime,
    *,
    caption: str = "",
) -> Attachment:
    """Keep a file on a thing whose visibility the caller has judged.

    Raises Problem 413 or 415 where it is too big or not one of the kinds, Invalid where the thing has too many already.
    """
    if len(upload.content) > MAX_BYTES:
        raise Problem(413, "too_large", f"a file is {MAX_BYTES // 2**20} MB at most")
    if len(of(session, thing, thing_id)) >= MOST_ON_ONE:
        raise Invalid("file", "too_many", f"{thing} {thing_id} has {MOST_ON_ONE} files already")
    name = _clean(upload.name)
    checked = _checked(name, upload.content)
    row = Attachment(
        site_id=site_id,
        thing=thing,
        thing_id=thing_id,
        name=name,
        type=checked.type,
        caption=caption,
        size=len(checked.content),
        width=checked.width,
        height=checked.height,
        sha256=hashlib.sha256(checked.content).hexdigest(),
        content=checked.content,
        created_at=now,
        created_by=by.name,
        created_by_id=by.id,
    )
    return _added(session, row, by, now)


def of(session: Session, thing: str, thing_id: int) -> list[Attachment]:
    """The files on a thing, oldest first, without their bytes."""
    return of_many(session, thing, [thing_id]).get(thing_id, [])


def of_many(session: Session, thing: str, thing_ids: Sequence[int]) -> dict[int, list[Attachment]]:
    """The files on things of one kind by thing, in one query."""
    query = select(Attachment).where(Attachment.thing == thing, Attachment.thing_id.in_(thing_ids), Attachment.deleted_at.is_(None))
    found: dict[int, list[Attachment]] = {}
    for row in session.scalars(query.order_by(Attachment.id)):
        found.setdefault(row.thing_id, []).append(row)
    return found


def copy_to(session: Session, source: tuple[str, int], target: tuple[str, int], by: Person, now: datetime) -> list[Attachment]:
    """Put copies of a thing's files on another of the same site: what a request keeps when it becomes an order (N-1)."""
    copies = []
    for row in of(session, *source):
        names = ("site_id", "name", "type", "caption", "size", "width", "height", "sha256", "content", "created_by", "created_by_id")
        copy = Attachment(thing=target[0], thing_id=target[1], created_at=now, **{name: getattr(row, name) for name in names})
        copies.append(_added(session, copy, by, now))
    return copies


def visible(session: Session, thing: str, thing_id: int, user: Person, *, change: bool = False) -> int | None:
    """The site of a thing the person may read (or add files to); raises NotFound, Forbidden or Invalid."""
    if thing not in THINGS:
        raise Invalid("thing", "unknown", f"one of {', '.join(THINGS)}")
    site = site_of(session, thing, thing_id, user)
    need(user, THINGS[thing].read)
    if change:
        THINGS[thing].need_write(user)
    return site


def get_attachment(session: Session, attachment_id: int, user: Person, *, change: bool = False) -> Attachment:
    """A file on a visible thing; raises NotFound or Forbidden."""
    row = session.get(Attachment, attachment_id)
    if row is None or row.deleted_at is not None or row.site_id not in {None, user.site_id}:
        raise NotFound("attachment", attachment_id)
    visible(session, row.thing, row.thing_id, user, change=change)
    return row


def delete_attachment(session: Session, attachment_id: int, user: Person, now: datetime) -> None:
    """Mark it as gone; the bytes stay for the audit."""
    row = get_attachment(session, attachment_id, user, change=True)
    row.deleted_at = now
    gone = {"name": row.name, "thing": row.thing, "thing_id": row.thing_id, "sha256": row.sha256}
    audit.record(session, audit.Change("delete", "attachment", row.id, row.site_id, gone, None), user, now)


def body(row: Attachment) -> dict[str, Any]:
    """The REST body."""
    return {
        "id": row.id,
        "thing": row.thing,
        "thing_id": row.thing_id,
        "name": row.name,
        "type": row.type,
        "caption": row.caption,
        "size": row.size,
        "picture": row.width is not None,
        "width": row.width,
        "height": row.height,
        "url": f"/api/attachments/{row.id}/file",
        "created_at": rfc3339(row.created_at),
        "created_by": row.created_by,
    }


def _added(session: Session, row: Attachment, by: Person, now: datetime) -> Attachment:
    session.add(row)
    session.flush()
    new: Mapping[str, Any] = {name: getattr(row, name) for name in ("thing", "thing_id", "name", "type", "size", "sha256", "caption")}
    audit.record(session, audit.Change("create", "attachment", row.id, row.site_id, None, new), by, now)
    return row


def _clean(name: str) -> str:
    """A file's own name without its path and without characters that a header or a page could misread."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(character for character in last if character.isprintable() and character not in '"<>:|?*').strip(" .")
    stem, dot, ending = kept.rpartition(".")
    return f"{stem[:180]}{dot}{ending[:12]}" if stem else kept[:180] or "file"


def _checked(name: str, content: bytes) -> _Checked:
    """What the bytes are, judged by ending and content, never by the type that came with them."""
    ending = name.rpartition(".")[2].lower()
    if not content:
        raise Invalid("file", "empty", "the file is empty")
    if ending in _PICTURES:
        picture = pictures.read(content, _PICTURES[ending])
        return _Checked(picture.type, picture.content, picture.width, picture.height)
    if ending in DOCUMENTS and _is(ending, content):
        return _Checked(DOCUMENTS[ending], content)
    kinds = ", ".join([*_PICTURES, *DOCUMENTS])
    raise Problem(415, "unsupported_media_type", f"{name}: send one of {kinds}, with what the ending promises inside")


def _is(ending: str, content: bytes) -> bool:
    if ending == "pdf":
        return content.startswith(b"%PDF-")
    if ending in _ROOMS:
        return _is_office(content, _ROOMS[ending])
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _is_office(content: bytes, room: str) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return "[Content_Types].xml" in names and any(name.startswith(room) for name in names)
