"""The texts that a workbook's cells refer to by number (SpreadsheetML, ECMA-376 part 1, 18.4).

Long lists hold hundreds of thousands of them, nearly all of one plain form: those are taken out by a
regular expression, a piece of the part at a time; a piece with anything else in it is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]

from campaigns.workbooks.package import Package
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.row_shapes import decoded, is_utf8

_MAX_SIZE = 160 << 20
_LONGEST = 2 << 20
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_TEXT = r"[^<&\x00-\x08\x0b-\x1f]*"
_PLAIN = re.compile(
    rf'<si><t(?: xml:space="preserve")?>({_TEXT}(?:&(?:amp|lt|gt|quot|apos);{_TEXT})*)</t></si>'
)
_OPENING = re.compile(r"\ufeff?(?:<\?xml[^<>]*\?>)?\s*(<sst(?: [^<>&/][^<>&]*)?>)\s*\Z")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
_END = b"</si>"


class _NotPlain(Exception):
    """The part is not written as Excel and its kin write it."""


def read_strings(package: Package, part: str) -> list[str]:
    """All texts in order; raises WorkbookRejected where they are damaged or too many."""
    try:
        return _collected(_by_pieces(package, part))
    except _NotPlain:
        return _collected(string_text(si) for si in package.elements(part, ["{*}si"]))


def _collected(texts: Iterator[str]) -> list[str]:
    strings, size = [], 0
    for text in texts:
        size += len(text)
        if size > _MAX_SIZE:
            raise WorkbookRejected(RejectKind.SIZE, "文字内容过多")
        strings.append(text)
    return strings


def _by_pieces(package: Package, part: str) -> Iterator[str]:
    kept, opening = b"", ""
    for chunk in package.chunks(part):
        kept += chunk
        cut = kept.rfind(_END) + len(_END)
        if cut < len(_END):
            if len(kept) > _LONGEST:
                raise WorkbookRejected(RejectKind.SIZE, "一行或一段内容过长")
            continue
        text = decoded(kept[:cut])
        if text is None:
            raise _NotPlain
        if not opening:
            text, opening = _opened(kept, text)
        kept = kept[cut:]
        yield from _texts(text, opening)
    if kept.strip() != b"</sst>":
        raise _NotPlain


def _opened(start: bytes, text: str) -> tuple[str, str]:
    """The first piece without the opening of the part, and the tag that opens it."""
    before, first, after = text.partition("<si>")
    opening = _OPENING.match(before)
    if opening is None or not is_utf8(start):
        raise _NotPlain
    return first + after, opening[1]


def _texts(text: str, opening: str) -> Iterator[str]:
    """The texts of a piece that begins and ends with whole <si> elements."""
    found = _PLAIN.findall(text)
    if text.count("<") == 4 * len(found):
        special = "&" in text or "_x" in text
        yield from map(_unescaped, found) if special else found
        return
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(f"{opening}{text}</sst>", parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise WorkbookRejected(RejectKind.DAMAGED, "内部的 XML 有错") from error
    yield from (string_text(element) for element in root if local_name(element) == "si")


def _unescaped(text: str) -> str:
    if "&" in text:
        for entity, sign in _ENTITIES:
            text = text.replace(entity, sign)
    return plain_text(text)


def string_text(element: etree._Element) -> str:
    """The text of a <si> or <is>: its runs without the phonetic ones, escapes undone, LF line ends."""
    parts = []
    for child in element:
        tag = local_name(child)
        if tag == "t":
            parts.append(child.text or "")
        elif tag == "r":
            parts.extend(t.text or "" for t in child if local_name(t) == "t")
    return plain_text("".join(parts))


def plain_text(text: str) -> str:
    """Undoes _xHHHH_ (ECMA-376 22.9.2.19) and makes CR and CRLF a LF."""
    if "_x" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        # An escape holds a UTF-16 unit; half a pair is no character.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
