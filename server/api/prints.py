"""What can be printed, under one address each (S2-R9): orders, certificates, labels. Each answers with the PDF of its resource."""

from __future__ import annotations

from typing import cast

from flask import Response

from server.api import calibrations, labels, order_records
from server.api.blueprint import resource
from server.auth.guard import right

blueprint = resource("print", "Printable papers, each under an address of its own")


@blueprint.route("/print/work-orders/<string(maxlength=64):key>")
@blueprint.response(200, content_type="application/pdf")
@right("orders.read")
def print_order(key: str) -> Response:
    """The order with its safety block and three sign-offs."""
    return cast("Response", order_records.print_order(key=key))


@blueprint.route("/print/calibrations/<id:calibration_id>")
@blueprint.response(200, content_type="application/pdf")
@right("calibrations.read")
def print_certificate(calibration_id: int) -> Response:
    """The certificate of a calibration."""
    return cast("Response", calibrations.get_certificate(calibration_id=calibration_id))


@blueprint.route("/print/instruments/<id:instrument_id>")
@blueprint.response(200, content_type="application/pdf")
@right("calibrations.read")
def print_blank_certificate(instrument_id: int) -> Response:
    """An empty certificate of an instrument, to be filled by hand."""
    return cast("Response", calibrations.get_blank_certificate(instrument_id=instrument_id))


@blueprint.route("/print/labels")
@blueprint.arguments(labels.LabelsQuery, location="query")
@blueprint.response(200, content_type="application/pdf")
@right("assets.read")
def print_labels(_query: dict[str, object]) -> Response:
    """A sheet of labels; `codes` as at /api/assets/labels."""
    return cast("Response", labels.labels_pdf())
