"""Why one S7 address cannot be read, with the remedy in TIA's words: block missing, optimized or too short, access refused."""

from __future__ import annotations

from plc.addressing.s7_types import S7Address
from plc.connector import LinkError
from plc.connectors.s7_link import S7Link
from plc.connectors.s7_wire import MISSING, NO_ACCESS, OUT_OF_RANGE, PUT_GET_REMEDY, item_error
from plc.planner import Item

OPTIMIZED_REMEDY = (
    'in TIA Portal open the properties of DB{db} > Attributes, untick "Optimized block access", compile and download; '
    "do the same for every data block you want read"
)
MISSING_REMEDY = (
    "in TIA Portal look under Program blocks for the number: the block must be a global DB, downloaded to this CPU, "
    'and not "Only store in load memory"'
)
SHORT_REMEDY = (
    "in TIA Portal open DB{db} and compare the Offset column with the address; compile first, offsets are blank until then. "
    'If the block shows no offsets at all, "Optimized block access" is on: untick it and download'
)
AREA_REMEDY = "check the address against the CPU's I/O and memory bit ranges, and its timers and counters"


class Diagnosis:
    """Names what is wrong with the addresses of one cycle; asks for the first byte of a doubtful block, once a block, and for MB0."""

    def __init__(self, link: S7Link) -> None:
        self.link = link
        self._readable: dict[int, bool] = {}
        self._memory: bool | None = None

    def of(self, address: S7Address, code: int) -> LinkError:
        """Why this address failed with an item's return code. A block that does not even give its first byte is optimized.

        Raises LinkError itself when the link breaks over the question.
        """
        where = address.canonical()
        if address.area != "DB":
            return LinkError("out_of_range", f"{where}: {item_error(code)}", AREA_REMEDY)
        if code == MISSING:
            return LinkError("db_missing", f"{where}: DB{address.db} does not exist on this CPU ({item_error(code)})", MISSING_REMEDY)
        if code == OUT_OF_RANGE and address.byte + address.length > 1 and self._gives_its_first_byte(address.db):
            detail = f"{where}: DB{address.db} is readable but shorter than byte {address.byte + address.length}"
            return LinkError("out_of_range", detail, SHORT_REMEDY.format(db=address.db))
        if code == NO_ACCESS and not self._gives_memory_bits():
            return LinkError("put_get", f"{where}: {item_error(code)}, and so is MB0: PUT/GET access is off", PUT_GET_REMEDY)
        detail = f"{where}: DB{address.db} exists but gives no bytes by offset ({item_error(code)}): it is optimized"
        return LinkError("optimized_db", detail, OPTIMIZED_REMEDY.format(db=address.db))

    def _gives_its_first_byte(self, db: int) -> bool:
        if db not in self._readable:
            self._readable[db] = isinstance(self.link.read([Item("DB", db, 0, 1, ())])[0], bytes)
        return self._readable[db]

    def _gives_memory_bits(self) -> bool:
        if self._memory is None:
            self._memory = self.link.read([Item("M", 0, 0, 1, ())])[0] != NO_ACCESS
        return self._memory
