"""What an S7 CPU tells about itself: RUN or STOP, and the data blocks it holds. Many CPUs refuse; then None or LinkError.

S7-300 and 400 answer both; an S7-1200 or 1500 may know neither; compatible CPUs vary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from snap7.error import S7ConnectionError, S7TimeoutError

from plc.connector import LinkError
from plc.connectors.s7_link import GARBLED, S7Link

State = Literal["run", "stop", "unknown"]

SZL_STATE = 0x0424
BLOCK_DB = 0x41
BLOCKS, LIST_OF_TYPE = 3, 2
_STOPPED = {1, 2, 3, 4, 10}  # low nibble of the mode byte: STOP (update, reset, start, internal) and HOLD
_RUNS = {8, 9}
LISTED_MOST = 2000
FRAGMENTS_MOST = 64
STOP_REMEDY = "its values stand still: read its diagnostic buffer, then switch it to RUN (TIA Portal: Online > Start CPU)"
BROWSE_REMEDY = "take the number and the Offset column from TIA Portal; an S7-1200 or 1500 lists its blocks only by OPC UA"


@dataclass(frozen=True, slots=True)
class Block:
    """A data block. size: bytes, 0 where the CPU does not say."""

    number: int
    size: int


def cpu_state(link: S7Link) -> State:
    """RUN or STOP; "unknown" where the CPU refuses to say or says something else. Raises LinkError when the link is lost over it."""
    try:
        reply = link.ask(link.builder.build_read_szl_request(SZL_STATE, 0))
        data = link.builder.parse_read_szl_response(reply)["data"]
        mode = data[7] & 0x0F
    except S7TimeoutError as error:
        raise LinkError("timeout", f"{link.where}: no answer to the question for RUN or STOP") from error
    except S7ConnectionError as error:
        raise LinkError("protocol", f"{link.where}: {error}") from error
    except GARBLED:
        return "unknown"
    if mode in _STOPPED:
        return "stop"
    return "run" if mode in _RUNS else "unknown"


def stopped(link: S7Link) -> LinkError:
    """The diagnosis of a CPU in STOP."""
    return LinkError("stopped", f"{link.where}: the CPU is in STOP", STOP_REMEDY)


def list_blocks(link: S7Link) -> list[Block]:
    """Every data block with its size, ascending, at most LISTED_MOST; raises LinkError where the CPU does not tell."""
    try:
        return [Block(number, _size(link, number)) for number in sorted(set(_numbers(link)))[:LISTED_MOST]]
    except S7TimeoutError as error:
        raise LinkError("timeout", f"{link.where}: no answer to the question for its blocks", BROWSE_REMEDY) from error
    except S7ConnectionError as error:
        raise LinkError("protocol", f"{link.where}: {error}") from error
    except GARBLED as error:
        raise LinkError("refused", f"{link.where}: the CPU does not list its blocks ({error})", BROWSE_REMEDY) from error


def _numbers(link: S7Link) -> list[int]:
    """Numbers of the DBs; a long list comes in fragments."""
    reply = link.ask(link.builder.build_list_blocks_of_type_request(BLOCK_DB))
    numbers = link.builder.parse_list_blocks_of_type_response(reply)
    for _ in range(FRAGMENTS_MOST):
        if not reply["parameters"]["last_data_unit"]:
            break
        sequence = reply["parameters"]["sequence_number"]
        reply = link.ask(link.builder.build_userdata_followup_request(BLOCKS, LIST_OF_TYPE, sequence))
        numbers += link.builder.parse_list_blocks_of_type_response(reply)
    return numbers


def _size(link: S7Link, number: int) -> int:
    """Bytes of a DB, 0 where the CPU does not say; raises what GARBLED lists when the link is lost."""
    try:
        reply = link.ask(link.builder.build_get_block_info_request(BLOCK_DB, number))
        return int(link.builder.parse_get_block_info_response(reply)["mc7_size"])
    except (S7TimeoutError, S7ConnectionError):
        raise
    except GARBLED:
        return 0
