"""`?export=csv|xlsx|pdf` of any collection or report: the query's field and the file's answer."""

from __future__ import annotations

import io
import re
import tempfile
from typing import IO, Any

import marshmallow as ma
from flask import Response, send_file

from server.export import files

EXPORT = ma.fields.String(
    load_default=None,
    validate=ma.validate.OneOf(files.FORMATS),
    metadata={"description": "answer the whole of it as a file of this format"},
)
# For `@blueprint.doc(**FILES)`: the answer may be a file instead of JSON.
FILES: dict[str, Any] = {
    "responses": {
        "200": {"content": {kind.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}} for kind in files.TYPES.values()}}
    }
}


def download(table: files.Tables, format: str, name: str) -> Response:  # noqa: A002 - the query's word
    """The table as a file called `name` (without ending); its rows are read before this returns, so inside the transaction."""
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the server when it is sent
    files.write(table, format, file)
    size = file.tell()
    file.seek(0)
    if size <= files.SPOOL_BYTES:
        with file:
            return attachment(io.BytesIO(file.read()), files.TYPES[format], f"{name}.{format}")
    return attachment(file, files.TYPES[format], f"{name}.{format}")


def attachment(file: IO[bytes], content_type: str, name: str) -> Response:
    """A file to save, never to show: nothing in it runs in our origin."""
    safe = re.sub(r"[^\w.\-]+", "-", name, flags=re.ASCII)
    kind = content_type.partition(";")[0]  # Flask itself names the charset of texts
    answer = send_file(file, mimetype=kind, as_attachment=True, download_name=safe, etag=False)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
