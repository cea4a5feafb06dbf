"""Background jobs of the caller's site: how far each is, and the file it made (S2-96, S2-158)."""

from __future__ import annotations

import io
from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from server import read_now
from server.api.blueprint import Page, collection, resource
from server.api.exports import attachment
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Conflict
from server.models.reports import JobFile
from server.services import services
from server.store import background

blueprint = resource("jobs", "What runs in the background")


class JobsQuery(Page):
    """Which jobs."""

    name = ma.fields.String(validate=ma.validate.Length(1, 64))
    status = ma.fields.String(validate=ma.validate.OneOf(["queued", "running", "done", "failed"]))


@blueprint.route("/jobs")
@blueprint.arguments(JobsQuery, location="query")
@blueprint.response(200, Collection)
@right("jobs.read")
def list_jobs(query: dict[str, Any]) -> Response:
    """Jobs of the caller's site, newest first."""
    with services().database.transaction() as session:
        page = background.list_jobs(session, current_user(), query)
        return jsonify(collection([background.body(job) for job in page.items], page.total, query))


@blueprint.route("/jobs/<id:job_id>")
@blueprint.response(200, Body)
@right("jobs.read")
def get_job(job_id: int) -> Response:
    """One job."""
    with services().database.transaction() as session:
        job = background.get_job(session, job_id, current_user())
        return jsonify(background.body(job) | ({"result": job.result} if job.name == read_now.JOB else {}))


@blueprint.route("/jobs/<id:job_id>/file")
@blueprint.response(200)
@blueprint.doc(responses={"200": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}})
@right("reports.read")
def get_file(job_id: int) -> Response:
    """The file that a job made; 409 while it has none."""
    with services().database.transaction() as session:
        job = background.get_job(session, job_id, current_user())
        made = session.get(JobFile, job.id)
        if made is not None:
            return attachment(io.BytesIO(made.content), made.type, made.name)
        if "content" in job.result:
            return attachment(io.BytesIO(job.result["content"].encode("utf-8-sig")), job.result["type"], job.result["name"])
    raise Conflict("no_file", "the job has made no file" if job.state in {"done", "failed"} else "the job is not done yet", job.state)
