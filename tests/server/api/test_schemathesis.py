"""Requests made from the document, valid and invalid: no 5xx, no answer that the document does not describe."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from server.auth.passwords import hash_password
from server.models.people import User
from server.services import Services
from tests.server.api.conftest import PASSWORD, Plant
from tests.server.api.operations import document

EXAMPLES = {GenerationMode.POSITIVE: 6, GenerationMode.NEGATIVE: 4}
PARTS = 4  # of the operations, so that workers share them
HASH = hash_password(PASSWORD)
HIGHEST_ID = 12  # so that drawn identities meet rows
CHECKS = [schemathesis.checks.not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PATIENT = settings(derandomize=True, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
# schemathesis leaves the files of answers to the garbage collector
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


def low_ids(spec: dict[str, Any]) -> dict[str, Any]:
    """The document with identities that exist."""
    for item in spec["paths"].values():
        for parameter in item.get("parameters", []):
            if parameter.get("in") == "path" and parameter["schema"].get("type") == "integer":
                parameter["schema"]["maximum"] = HIGHEST_ID
    return spec


def judge(operation: Any, mode: GenerationMode, headers: dict[str, str], seen: Counter[int]) -> list[str]:
    """What went wrong with requests drawn for one operation."""
    wrong: list[str] = []

    @settings(PATIENT, max_examples=EXAMPLES[mode])
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: schemathesis.Case) -> None:
        answer = case.call(headers=headers)
        seen[answer.status_code // 100] += 1
        # no collector runs here that could look at a device
        unlooked = answer.status_code == 504 and case.path.startswith(("/api/sources/", "/api/tags/"))
        checks = CHECKS[1:] if unlooked else CHECKS
        try:
            case.validate_response(answer, checks=checks, headers=headers)
        except (Failure, FailureGroup) as failure:
            told = " | ".join(str(one) for one in getattr(failure, "exceptions", [failure]))
            wrong.append(f"{answer.status_code} {told[:600]} {case.path_parameters} {case.query} body={str(case.body)[:200]}")

    call()
    return wrong


def another_admin(client: FlaskClient, services: Services, plant: Plant) -> dict[str, str]:
    """Headers of a new admin: drawn requests end logins, change passwords and deactivate people, as an admin may."""
    number = f"admin-{secrets.token_hex(4)}"
    with services.database.transaction() as session:
        session.add(User(employee_number=number, name="Another admin", role="admin", site_id=plant.site, password_hash=HASH))
    answer = client.post("/api/auth/login", json={"employee_number": number, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_drawn_from_the_document_breaks_the_server_or_the_document(
    app: Flask, client: FlaskClient, services: Services, plant: Plant, part: int
) -> None:
    schema = schemathesis.openapi.from_dict(low_ids(document(client)))
    schema.app = app
    wrong: dict[str, str] = {}
    seen: Counter[int] = Counter()
    headers = another_admin(client, services, plant)

    for operation in [found.ok() for found in schema.get_all_operations()][part::PARTS]:
        for mode in EXAMPLES:
            for told in judge(operation, mode, headers, seen)[:1]:
                wrong[f"{operation.label} {mode.name.lower()}"] = told
        if client.get("/api/auth/me", headers=headers).status_code != 200:
            headers = another_admin(client, services, plant)

    assert wrong == {}
    assert seen[2] > 20
    assert seen[4] > 20
