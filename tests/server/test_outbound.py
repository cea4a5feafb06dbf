"""What the server may call: listed hosts alone, at the address that was checked, never this machine by a name."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from server.outbound import NotAllowed, NotTaken, checked

LISTED = ("hooks.plant", "chat.plant:8443", "127.0.0.1:9000", "10.0.0.7")

REFUSED = [
    "http://other.plant/",
    "http://chat.plant/",  # the port is not listed
    "https://hooks.plant.evil.example/",
    "https://hooks.plant@evil.example/",
    "https://user:secret@hooks.plant/",
    "file:///etc/passwd",
    "gopher://hooks.plant/",
    "ftp://hooks.plant/",
    "//hooks.plant/",
    "hooks.plant/path",
    "",
    "http://",
    "http://[::1]/",
    "http://127.0.0.1/",  # another port than the listed one
    "http://127.0.0.2:9000/",
    "http://0x7f.1:9000/",
    "http://2130706433:9000/",
    "http://localhost:9000/",
    "http://10.0.0.8/",
    "http://10.0.0.7.nip.example/",
    "http://hooks.plant:99999/",
    "http://hooks.plant/a b",
    "http://hooks.plant/\r\nHost: evil",
]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A name server of the test's own."""
    known = {"hooks.plant": "10.1.2.3", "chat.plant": "10.1.2.4"}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.mark.parametrize("n", range(len(REFUSED)))
def test_what_is_not_listed_is_not_called(names: dict[str, str], n: int) -> None:
    with pytest.raises(NotAllowed):
        checked(REFUSED[n], LISTED)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "::"])
def test_a_listed_name_that_leads_to_this_machine_is_not_called(names: dict[str, str], address: str) -> None:
    names["hooks.plant"] = address

    with pytest.raises(NotAllowed, match="this machine or nobody"):
        checked("https://hooks.plant/", LISTED)


def test_the_address_that_was_checked_is_the_one_that_is_called(names: dict[str, str]) -> None:
    target = checked("https://hooks.plant/services/T1?x=1", LISTED)

    assert (target.address, target.host, target.port, target.path) == ("10.1.2.3", "hooks.plant", 443, "/services/T1?x=1")


def test_a_number_that_the_operator_wrote_is_taken_as_it_is(names: dict[str, str]) -> None:
    assert checked("http://127.0.0.1:9000/hook", LISTED).address == "127.0.0.1"
    assert checked("http://10.0.0.7/", LISTED).port == 80


def test_a_name_that_nobody_knows_may_be_known_later(names: dict[str, str]) -> None:
    del names["hooks.plant"]

    with pytest.raises(NotTaken):
        checked("https://hooks.plant/", LISTED)
