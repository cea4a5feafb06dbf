"""Every resource of the API under one OpenAPI document."""

from __future__ import annotations

from importlib import import_module

from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from flask_smorest import Api

from server.api import docs, system
from server.api.error_answers import ErrorAnswers
from server.api.schema_names import schema_name
from server.auth.guard import open_endpoints
from server.http_input import IdConverter

# modules of this folder, each with its `blueprint`
RESOURCES = (
    "alert_policies",
    "alerts",
    "areas",
    "assets",
    "attachments",
    "audit_log",
    "auth",
    "baselines",
    "calendars",
    "calibration_reviews",
    "calibrations",
    "classes",
    "commands",
    "contract_records",
    "contractors",
    "dashboard",
    "dead_letters",
    "discovered_tags",
    "downtimes",
    "edge",
    "escalation_policies",
    "evidence",
    "facts",
    "fault_codes",
    "figures",
    "forecasts",
    "frames",
    "granted_rights",
    "health",
    "imports",
    "inputs",
    "instruments",
    "interventions",
    "jobs",
    "labels",
    "kpis",
    "limits",
    "live_readings",
    "machine_records",
    "maintenance",
    "meters",
    "models",
    "movements",
    "notifications",
    "operations",
    "order_records",
    "order_templates",
    "pairing",
    "parts",
    "plans",
    "preferences",
    "prints",
    "probes",
    "procedures",
    "purchases",
    "quarantine",
    "reading_exports",
    "readings",
    "register",
    "replays",
    "report_schedules",
    "reports",
    "requests",
    "simulator",
    "sla_hours",
    "source_groups",
    "source_imports",
    "source_status",
    "sources",
    "standards",
    "steps",
    "stores",
    "system",
    "tags",
    "taxonomy",
    "teams",
    "tokens",
    "tuning_proposals",
    "users",
    "work_orders",
)


class _ProblemApi(Api):  # type: ignore[misc]
    """Documents our problem body and leaves the handling of errors to server.problems."""

    def _register_error_handlers(self) -> None:
        return


def register(app: Flask) -> None:
    """Put the resources, the document (/api/openapi.json) and its page (/api/docs) on an app."""
    app.config.update(
        API_TITLE="Sightline",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": "Maintenance that sees the plant. Errors are application/problem+json (RFC 9457)."},
            "security": [{"bearer": []}],
        },
    )
    api = _ProblemApi()
    names = MarshmallowPlugin(schema_name_resolver=schema_name)
    api.init_app(app, spec_kwargs={"marshmallow_plugin": names, "extra_plugins": [ErrorAnswers()]})
    api.register_converter(IdConverter, lambda _converter: {"type": "integer", "minimum": 1, "maximum": 2**31 - 1})
    api.spec.components.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "description": "JWT of /api/auth/login or an opaque token"}
    )
    for name in RESOURCES:
        api.register_blueprint(import_module(f"server.api.{name}").blueprint)
    app.register_blueprint(system.root)
    app.extensions["sightline.openapi"] = api.spec
    app.register_blueprint(docs.blueprint)
    open_endpoints(app, "api-docs.openapi_json")
