"""The parts of an .xlsx or .xlsm other than its sheets: workbook, styles, shared strings, relations
(SpreadsheetML, ECMA-376 part 1, 18.2, 18.4 and 18.8; also its strict namespaces)."""

from __future__ import annotations

import posixpath
import re

from lxml import etree  # type: ignore[import-untyped]

from campaigns.workbooks.formats import BUILTIN, BUILTIN_WITH_BRACKETS, NumberFormats
from campaigns.workbooks.grid import Sheet, Tick
from campaigns.workbooks.package import Package
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits
from campaigns.workbooks.shared_strings import local_name, read_strings
from campaigns.workbooks.sheet_xml import RowsOutOfOrder, SheetReader

_HAN = re.compile(r"[\u4e00-\u9fff]|simsun|simhei|dengxian|yahei", re.I)


class XlsxSource:
    """An opened .xlsx: the names of its worksheets and, on demand, each of them as a Sheet."""

    def __init__(self, package: Package, limits: Limits) -> None:
        self.package = package
        self._limits = limits
        self._workbook = self._find_workbook()
        relations = self._relations(self._workbook)
        self.styles_part = _by_type(relations, "/styles")
        self._strings_part = _by_type(relations, "/sharedStrings")
        self._parts: dict[str, str] = {}
        #: (name, hidden) of each worksheet, in the order of the tabs.
        self.sheets: list[tuple[str, bool]] = []
        date1904 = False
        for element in package.elements(self._workbook, ["{*}workbookPr", "{*}sheet"]):
            if local_name(element) == "workbookPr":
                date1904 = element.get("date1904", "0") in ("1", "true")
                continue
            self._add_sheet(element, relations)
        self._formats = NumberFormats(date1904=date1904)
        self._styles: list[str] | None = None
        self._strings: list[str] = []

    def load(self, name: str, tick: Tick | None = None) -> Sheet:
        """Reads one worksheet; `tick` hears the bytes of its XML."""
        if self._styles is None:
            self._styles = self._read_styles()
            self._strings = self._read_strings()
        part = self._parts[name]
        links = {key: target for key, (_, target) in self._relations(part).items()}
        try:
            return self._reader(name).read(self.package, part, links, tick)
        except RowsOutOfOrder:
            return self._reader(name).read(self.package, part, links, tick, plain_rows=False)

    def _reader(self, name: str) -> SheetReader:
        styles = self._styles or []
        return SheetReader(name, styles, self._strings, self._formats, self._limits)

    def part_of(self, name: str) -> str:
        """The name in the package of a worksheet."""
        return self._parts[name]

    def _find_workbook(self) -> str:
        for kind, target in self._relations("").values():
            if kind.endswith("/officeDocument") and (part := self.package.find(target)):
                return part
        part = self.package.find("xl/workbook.xml")
        if part is None:
            raise WorkbookRejected(RejectKind.DAMAGED, "缺少 workbook.xml")
        return part

    def _relations(self, part: str) -> dict[str, tuple[str, str]]:
        """id → (type, target) of a part; internal targets as full names inside the zip."""
        folder, name = posixpath.split(part)
        found = self.package.find(posixpath.join(folder, "_rels", name + ".rels"))
        if found is None:
            return {}
        relations = {}
        for element in self.package.elements(found, ["{*}Relationship"]):
            target = element.get("Target", "")
            if element.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            relations[element.get("Id", "")] = (element.get("Type", ""), target)
        return relations

    def _add_sheet(self, element: etree._Element, relations: dict[str, tuple[str, str]]) -> None:
        name = element.get("name", "")
        ids = [value for key, value in element.attrib.items() if str(key).endswith("}id")]
        kind, target = relations.get(str(ids[0]) if ids else "", ("", ""))
        part = self.package.find(target) if kind.endswith("/worksheet") else None
        if part is not None and name not in self._parts:
            self._parts[name] = part
            self.sheets.append((name, element.get("state", "visible") != "visible"))

    def _read_styles(self) -> list[str]:
        """The number format code of each cell style (18.8.10 cellXfs)."""
        part = self.package.find(self.styles_part or "xl/styles.xml")
        if part is None:
            return ["General"]
        codes: dict[int, str] = {}
        builtin = BUILTIN_WITH_BRACKETS
        styles: list[str] = []
        wanted = ["{*}numFmt", "{*}font", "{*}cellXfs"]
        first_font = True
        for element in self.package.elements(part, wanted):
            tag = local_name(element)
            if tag == "numFmt":
                codes[_int(element.get("numFmtId"))] = element.get("formatCode", "General")
            elif tag == "font" and first_font:
                first_font = False
                if any(_HAN.search(child.get("val", "")) for child in element):
                    builtin = BUILTIN
            elif tag == "cellXfs":
                ids = [_int(xf.get("numFmtId")) for xf in element if local_name(xf) == "xf"]
                styles = [codes.get(i) or builtin.get(i, "General") for i in ids]
        return styles or ["General"]

    def _read_strings(self) -> list[str]:
        part = self.package.find(self._strings_part or "xl/sharedStrings.xml")
        if part is None:
            return []
        return read_strings(self.package, part)


def _by_type(relations: dict[str, tuple[str, str]], ending: str) -> str | None:
    return next((target for kind, target in relations.values() if kind.endswith(ending)), None)


def _int(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 10 else 0
