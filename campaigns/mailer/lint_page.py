"""What a reader sees of a message's HTML part: words, pictures and links, found in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from campaigns.mailer.html_faults import unfinished

_UNSEEN = frozenset(("head", "title", "style", "script", "template"))
_VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Picture:
    """`alt` is None where the attribute is missing; an empty one says "decoration"."""

    source: str
    alt: str | None


@dataclass
class Link:
    """An anchor: its target and the words between its tags; `pictured` if it holds a picture."""

    target: str
    words: str = ""
    pictured: bool = False


@dataclass
class Page:
    """`words` is the text that is shown, blanks joined; hidden preview text is left out."""

    words: str = ""
    pictures: list[Picture] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


def read_page(html: str) -> Page:
    """The facts of an HTML part; never raises, whatever the markup.

    None are told where a tag has no end: guessing it costs the parser quadratic time, and a template
    with such a fault is not saved anyway.
    """
    if unfinished(html):
        return Page()
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.page.words = " ".join("".join(reader.pieces).split())
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.pieces: list[str] = []
        self._hidden: list[str] = []  # the open elements from the outermost hidden one inwards
        self._link: Link | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in _VOID and (self._hidden or tag in _UNSEEN or _is_hidden(given)):
            self._hidden.append(tag)
        if self._hidden:
            return
        if tag == "img":
            self._picture(given)
        elif tag == "a" and given.get("href"):
            self._link = Link((given["href"] or "").strip())
            self.page.links.append(self._link)
        elif tag not in ("b", "strong", "i", "em", "span", "font", "u"):
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            # A missing end tag inside must not hide the rest of the message.
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
            return
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        self.pieces.append(data)
        if self._link is not None:
            self._link.words += data

    def _picture(self, given: dict[str, str | None]) -> None:
        alt = given["alt"] or "" if "alt" in given else None
        self.page.pictures.append(Picture((given.get("src") or "").strip(), alt))
        if self._link is not None:
            self._link.pictured = True
            self._link.words += alt or ""


def _is_hidden(given: dict[str, str | None]) -> bool:
    style = "".join((given.get("style") or "").lower().split())
    return "hidden" in given or "display:none" in style or "visibility:hidden" in style
