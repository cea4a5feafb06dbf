"""Passwords as argon2id. Hashing takes 0.2 s of CPU, so a patched process does it in a real thread.

bcrypt hashes of older systems are verified, and replaced at the first right password.
"""

from __future__ import annotations

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import Invalid
from server.off_hub import off_the_hub

MIN_LENGTH = 12
MAX_LENGTH = 256
BCRYPT = ("$2a$", "$2b$", "$2y$")
BCRYPT_BYTES = 72  # older libraries hashed no more and said nothing; the one we have refuses longer ones
_hasher = PasswordHasher()
# Verified against where the user is unknown, so that the answer takes as long as for a known one.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY"
_COMMON = ("password", "sightline", "administrator", "maintenance", "123456789", "qwertyuiop")


def hash_password(password: str) -> str:
    """The stored form of a password."""
    return off_the_hub(_hasher.hash, password)


def _matches(stored: str, password: str) -> bool:
    if stored.startswith(BCRYPT):
        return _matches_bcrypt(stored, password)
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _matches_bcrypt(stored: str, password: str) -> bool:
    # a C string ends at its NUL: bcrypt would take the part before it for the whole
    if "\0" in password:
        return False
    try:
        return bcrypt.checkpw(password.encode()[:BCRYPT_BYTES], stored.encode())
    except ValueError:  # a damaged hash
        return False


def is_right(stored: str | None, password: str) -> bool:
    """True when the password is the stored one; takes the same time when there is none."""
    matched = off_the_hub(_matches, stored or _NOBODY, password[:MAX_LENGTH])
    return matched and stored is not None


def needs_new_hash(stored: str) -> bool:
    """True when the parameters have grown since it was stored, or it is another system's."""
    return stored.startswith(BCRYPT) or _hasher.check_needs_rehash(stored)


def check_strength(password: str, *names: str) -> None:
    """Raise Invalid unless the password is long enough, not common and not one of the user's own names."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Invalid("password", "length", f"must be {MIN_LENGTH} to {MAX_LENGTH} characters")
    lowered = password.lower()
    stripped = lowered.strip("0123456789!.-_ ")
    if stripped in _COMMON or lowered in _COMMON or len(set(lowered)) < 4 or any(name and lowered == name.lower() for name in names):
        raise Invalid("password", "common", "is too easy to guess")
