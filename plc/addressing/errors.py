"""What every address parser raises; the page shows the hint under the character at `position`."""

from __future__ import annotations

from realtime.errors import SightlineError


class AddressError(SightlineError):
    """An address cannot be read; position counts characters from 0, hint says what to write instead."""

    def __init__(self, position: int, hint: str) -> None:
        super().__init__(f"at character {position + 1}: {hint}")
        self.position = position
        self.hint = hint
