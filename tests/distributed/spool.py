"""Reads the terminal events out of a gateway's spool, as `docs/eventlog.md` describes its files."""

from __future__ import annotations

import struct
from pathlib import Path

HEADER_BYTES = 512
RECORD = struct.Struct("<IIBQ")
#: Request id, boot id, partition, sequence; then the event.
TERMINAL = struct.Struct("<16s16sHQ")
KIND_TERMINAL = 4


def terminals(folder: Path) -> list[tuple[int, bytes]]:
    """Partition and event of every terminal, oldest first, up to the first record that is not whole."""
    found = []
    for segment in sorted(folder.glob("*.seg")):
        data = segment.read_bytes()
        place = HEADER_BYTES
        while place + RECORD.size <= len(data):
            length, checksum, kind, _lsn = RECORD.unpack_from(data, place)
            begin = place + RECORD.size
            if kind == 0 or checksum == 0 or begin + length > len(data):
                break
            if kind == KIND_TERMINAL:
                _request, _boot, partition, _sequence = TERMINAL.unpack_from(data, begin)
                found.append((partition, data[begin + TERMINAL.size : begin + length]))
            place = begin + length
    return found
