"""Passwords: argon2id, minimum strength, the same work for an unknown user."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from server.auth import passwords
from server.errors import Invalid


@pytest.fixture(autouse=True)
def as_shipped(shipped_hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's own hasher."""
    monkeypatch.setattr(passwords, "_hasher", shipped_hasher)


def test_the_stored_form_is_argon2id_and_verifies() -> None:
    stored = passwords.hash_password("correct horse battery")

    assert extract_parameters(stored).type is Type.ID
    assert (extract_parameters(stored).memory_cost, extract_parameters(stored).time_cost) >= (19 * 1024, 2)  # OWASP's least
    assert passwords.is_right(stored, "correct horse battery")
    assert not passwords.is_right(stored, "correct horse batterz")


def test_an_unknown_user_costs_the_same_work_as_a_known_one() -> None:
    assert extract_parameters(passwords._NOBODY) == extract_parameters(passwords.hash_password("x" * 12))
    assert not passwords.is_right(None, "anything")


def test_a_damaged_stored_form_is_wrong_not_an_error() -> None:
    assert not passwords.is_right("not a hash", "anything")


@pytest.mark.parametrize(
    "weak", ["short", "x" * 11, "aaaaaaaaaaaaaa", "Password12345!", "sightline2026", "administrator", "x" * 257, "EMPLOYEE-1001"]
)
def test_a_weak_password_is_refused(weak: str) -> None:
    with pytest.raises(Invalid):
        passwords.check_strength(weak, "employee-1001")


def test_a_long_phrase_is_accepted() -> None:
    passwords.check_strength("pumps hum before dawn", "1001")
