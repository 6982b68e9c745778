"""What an administrator writes to recognise a reply: codes, enhanced statuses and a phrase (RFC 5321, RFC 3463).

No regular expressions: a phrase is searched piece by piece, so that no pattern of anybody's can take
longer than the text is long.
"""

import re
from typing import Final

#: Pieces of one phrase; more is no phrase any more.
MAX_PIECES: Final = 8

_CODE = re.compile(r"[45](?:\d\d|\dx|xx)")
_STATUS = re.compile(r"[45](?:\.\d{1,3}){2}|[45]\.(?:\d{1,3}\.)?\*")


class PatternFault(ValueError):
    """`kind`: code, status or phrase; `part` is what was not understood."""

    def __init__(self, kind: str, part: str) -> None:
        self.kind, self.part = kind, part
        super().__init__(f"{kind}: {part}")


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,，、;；]+", text.strip().lower()) if part]


def codes_of(text: str) -> tuple[int, ...]:
    """`450`, `45x` or `5xx`, several by commas: every code that is meant. Raises `PatternFault`."""
    found: list[int] = []
    for part in _parts(text):
        if not _CODE.fullmatch(part):
            raise PatternFault("code", part)
        digits = part.replace("x", "")
        width = 10 ** (3 - len(digits))
        first = int(digits) * width
        found += range(first, first + width)
    return tuple(dict.fromkeys(found))


def statuses_of(text: str) -> tuple[str, ...]:
    """`4.7.1` or `4.7.*`, several by commas, as `ReplyRule.enhanced`. Raises `PatternFault`."""
    parts = _parts(text)
    for part in parts:
        if not _STATUS.fullmatch(part):
            raise PatternFault("status", part)
    return tuple(part.removesuffix("*") for part in parts)


def words_of(phrase: str) -> tuple[str, ...]:
    """The pieces between the stars, as `ReplyRule.words`. Raises `PatternFault`."""
    pieces = tuple(" ".join(piece.split()) for piece in phrase.split("*") if piece.strip())
    if len(pieces) > MAX_PIECES:
        raise PatternFault("phrase", phrase)
    return pieces
