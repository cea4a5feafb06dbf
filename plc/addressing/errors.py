"""What the parsers of addresses and tag maps raise; the page shows the hint under the character at `position`."""

from __future__ import annotations

from realtime.errors import SightlineError


class AddressError(SightlineError):
    """An address cannot be read; position counts characters from 0, hint says what to write instead."""

    def __init__(self, position: int, hint: str) -> None:
        super().__init__(f"at character {position + 1}: {hint}")
        self.position = position
        self.hint = hint


class TagMapError(SightlineError):
    """A tag map cannot be taken; field says where, such as `tags[3].addr`.

    text and position are those of a wrong address: what was written, and the character that is wrong (from 0).
    """

    def __init__(self, where: str, detail: str, text: str = "", position: int | None = None) -> None:
        super().__init__(f"{where}: {detail}")
        self.field = where
        self.detail = detail
        self.text = text
        self.position = position
