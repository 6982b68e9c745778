"""The tag=value lists that DKIM and DMARC records are written in (RFC 6376 section 3.2)."""

import re
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class TagList:
    """`tags` by name, in the order written; `faults` are the pieces that break the syntax."""

    tags: dict[str, str]
    faults: tuple[str, ...]

    @property
    def first(self) -> str:
        """The name of the first tag, for v= has to be that."""
        return next(iter(self.tags), "")

    def get(self, name: str, default: str = "") -> str:
        return self.tags.get(name, default)


def parse_tags(text: str) -> TagList:
    """Never raises. Names are case-sensitive; a name that stands twice is a fault."""
    tags: dict[str, str] = {}
    faults: list[str] = []
    for piece in text.split(";"):
        if not piece.strip():
            continue
        name, equals, value = (part.strip() for part in piece.partition("="))
        if not equals or not _NAME.fullmatch(name) or name in tags:
            faults.append(piece.strip())
        else:
            tags[name] = value
    return TagList(tags, tuple(faults))
