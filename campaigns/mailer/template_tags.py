"""Finding merge tags in a template part, without knowing what they mean.

The engine (minijinja) stops at the first error; to report all at once, and to carry tags unharmed through an HTML
parser, they must be known by their place in the source.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

_OPENING = re.compile(r"\{\{|\{%|\{#")
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
#: What matters inside a tag: a quoted string, its end, or an opening, which means that this one has no end.
_INSIDE = {
    "{{": re.compile(r"[\"']|\}\}|\{[{%#]"),
    "{%": re.compile(r"[\"']|%\}|\{[{%#]"),
    "{#": re.compile(r"#\}"),
}
_STRING_END = {
    '"': re.compile(r'(?:[^"\\]|\\.)*"', re.S),
    "'": re.compile(r"(?:[^'\\]|\\.)*'", re.S),
}
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d[\d_.]*)|(?P<name>[^\W\d]\w*)"""
    r"""|(?P<sign>==|!=|<=|>=|//|\*\*|[^\w\s])""",
    re.S,
)

#: Past this many tags that don't end, the rest of the part isn't looked at.
_MOST_UNCLOSED = 20

TagKind = Literal["output", "block", "comment"]
_KINDS: dict[str, TagKind] = {"{{": "output", "{%": "block", "{#": "comment"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression: `kind` is string, number, name or sign; `at` its offset in the part."""

    kind: str
    text: str
    at: int

    @property
    def literal(self) -> str:
        """What a string token stands for."""
        return re.sub(r"\\(.)", r"\1", self.text[1:-1], flags=re.S)


@dataclass(frozen=True, slots=True)
class Tag:
    """A merge tag at [start, end) of its part; `inner` is what stands between the delimiters, at offset `inner_at`."""

    kind: TagKind
    start: int
    end: int
    inner: str
    inner_at: int

    def tokens(self) -> list[Token]:
        return [
            Token(str(found.lastgroup), found[0], self.inner_at + found.start())
            for found in _TOKEN.finditer(self.inner)
        ]


@dataclass(frozen=True, slots=True)
class Scan:
    """All tags of a part in order, and the offsets of openings without an end."""

    tags: list[Tag]
    unclosed: list[int]


def scan(source: str) -> Scan:
    """Find the tags of a part; a delimiter inside a quoted string of a tag is none."""
    tags: list[Tag] = []
    unclosed: list[int] = []
    position = 0
    while found := _OPENING.search(source, position):
        tag = _tag_at(source, found.start(), found[0])
        if tag:
            tags.append(tag)
            position = tag.end
        else:
            unclosed.append(found.start())
            position = found.end()
            if len(unclosed) >= _MOST_UNCLOSED:
                break
    return Scan(tags, unclosed)


def _tag_at(source: str, start: int, opening: str) -> Tag | None:
    position = start + 2
    while found := _INSIDE[opening].search(source, position):
        if found[0] in _STRING_END:
            string = _STRING_END[found[0]].match(source, found.end())
            if not string:
                return None
            position = string.end()
            continue
        if found[0] != _CLOSING[opening]:
            return None
        return _trimmed(source, start, found.start(), opening)
    return None


def _trimmed(source: str, start: int, closing: int, opening: str) -> Tag:
    """Without the signs of white-space control."""
    first, last = start + 2, closing
    if source[first:last].startswith(("-", "+")):
        first += 1
    if last > first and source[last - 1] in "-+":
        last -= 1
    return Tag(_KINDS[opening], start, closing + 2, source[first:last], first)


class Places:
    """Turns offsets of one part into lines and columns, both from 1."""

    def __init__(self, source: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", source))]

    def of(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


class Mask:
    """A part with a word of letters in place of each tag, so that HTML and CSS parsers leave the tags alone."""

    def __init__(self, source: str) -> None:
        self.tags = scan(source).tags
        self._source = source
        self._prefix = "qzhy"
        while self._prefix in source:
            self._prefix += "q"
        self.pattern = re.compile(self._prefix + r"(\d+)z")

    def masked(self) -> str:
        pieces, position = [], 0
        for index, tag in enumerate(self.tags):
            pieces += [self._source[position : tag.start], f"{self._prefix}{index}z"]
            position = tag.end
        return "".join((*pieces, self._source[position:]))

    def tag(self, found: re.Match[str]) -> Tag:
        return self.tags[int(found[1])]

    def restored(self, text: str) -> str:
        """Each word becomes its tag again, byte for byte."""
        return self.pattern.sub(
            lambda found: self._source[self.tag(found).start : self.tag(found).end], text
        )
