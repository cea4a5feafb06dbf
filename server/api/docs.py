"""The page of the API document, rendered here from the document itself: no script, no foreign host."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, render_template

from server.auth.guard import public

blueprint = Blueprint("api_docs_page", __name__, template_folder="templates")
_METHODS = ("get", "post", "put", "patch", "delete")


def _operations(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Operations in the order of their tags: method, path, summary, parameters, body and answers."""
    rows = [
        {
            "method": method.upper(),
            "path": path,
            "tag": (operation.get("tags") or ["other"])[0],
            "summary": operation.get("summary", ""),
            "description": operation.get("description", ""),
            "parameters": [p for p in [*item.get("parameters", []), *operation.get("parameters", [])] if "name" in p],
            "body": _schema_name(operation.get("requestBody", {})),
            "answers": sorted(str(code) for code in operation.get("responses", {})),
        }
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    ]
    return sorted(rows, key=lambda row: (row["tag"], row["path"], _METHODS.index(row["method"].lower())))


def _schema_name(body: dict[str, Any]) -> str:
    for content in body.get("content", {}).values():
        return str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    return ""


@blueprint.route("/api/docs")
@public
def page() -> Response:
    """The API, readable."""
    spec = current_app.extensions["sightline.openapi"].to_dict()
    return Response(render_template("api_docs.html", spec=spec, operations=_operations(spec)), mimetype="text/html")
