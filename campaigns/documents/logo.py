"""A company's picture for a payslip: what kind it is and how large, by its own first bytes.

PNG (RFC 2083) and JPEG (ITU T.81) alone: SVG runs scripts, and Outlook shows no WebP.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: Bytes, and pixels of a side: a small file may declare a picture that fills the memory.
LARGEST = 48 * 1024
LONGEST_SIDE = 1200

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
#: Start-of-frame markers: all of C0 to CF but the tables' C4, C8 and CC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class LogoFault(ValueError):
    """`kind` is `size`, `format` or `sides`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Logo:
    """`width` and `height` in pixels."""

    media_type: str
    width: int
    height: int


def inspect(data: bytes) -> Logo:
    """Raises `LogoFault` for what is too large, or neither PNG nor JPEG."""
    if len(data) > LARGEST:
        raise LogoFault("size")
    if data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) >= 45:
        width, height = struct.unpack(">II", data[16:24])
        logo = Logo("image/png", width, height)
    elif data.startswith(_JPEG):
        logo = _jpeg(data)
    else:
        raise LogoFault("format")
    if not (0 < logo.width <= LONGEST_SIDE and 0 < logo.height <= LONGEST_SIDE):
        raise LogoFault("sides")
    return logo


def _jpeg(data: bytes) -> Logo:
    """Walks the segments to the frame header."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return Logo("image/jpeg", width, height)
        at += 2 + max(length, 2)
    raise LogoFault("format")
