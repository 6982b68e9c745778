"""The zip that an .xlsx, .xlsm or .ods is, opened as if an enemy had made it (OPC, ECMA-376 part 2).

Sizes are judged by the directory before anything is inflated, and zipfile never inflates a member
past its declared size. A DOCTYPE can only stand before the root element: the head of every XML part
that is read goes through expat, which stops at it. lxml then parses with entities and network off.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO
from xml.parsers import expat

from lxml import etree  # type: ignore[import-untyped]

from campaigns.workbooks.grid import Tick
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits

_CHUNK = 1 << 18
#: A part below this is harmless at any ratio.
_RATIO_FROM = 8 << 20
#: One element that is waited for (a row, a string) takes no more XML than this.
_ELEMENT_BYTES = 2 << 20
_MAX_PARTS = 10_000


class _RootSeen(Exception):
    """The root element began without a DOCTYPE before it."""


class Package:
    """A checked zip; every method raises WorkbookRejected for what is damaged or hostile."""

    def __init__(self, source: IO[bytes], limits: Limits) -> None:
        self._limits = limits
        try:
            self._zip = zipfile.ZipFile(source)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise WorkbookRejected(RejectKind.DAMAGED, "压缩包不完整") from error
        self._check_directory()

    def _check_directory(self) -> None:
        total = all_packed = 0
        infos = self._zip.infolist()
        if len(infos) > _MAX_PARTS:
            raise WorkbookRejected(RejectKind.SIZE, f"内含 {len(infos)} 个部分")
        for info in infos:
            total += info.file_size
            parts = info.filename.replace("\\", "/").split("/")
            if ".." in parts or info.filename.startswith(("/", "\\")) or ":" in parts[0]:
                raise WorkbookRejected(RejectKind.DAMAGED, "压缩包内有越界的路径")
            if info.flag_bits & 1:
                raise WorkbookRejected(RejectKind.PASSWORD)
            packed = max(info.compress_size, 1)
            all_packed += packed
            if info.file_size > _RATIO_FROM and info.file_size // packed > self._limits.ratio:
                raise WorkbookRejected(RejectKind.SIZE, f"压缩比 {info.file_size // packed} 倍")
        if total > 4 * _RATIO_FROM and total // all_packed > self._limits.ratio:
            raise WorkbookRejected(RejectKind.SIZE, f"压缩比 {total // all_packed} 倍")
        if total > self._limits.unzipped_bytes:
            raise WorkbookRejected(RejectKind.SIZE, f"解压后有 {total >> 20} MB")

    def names(self) -> list[str]:
        return self._zip.namelist()

    def find(self, name: str) -> str | None:
        """The member of this name; OPC compares part names without case."""
        wanted = posixpath.normpath(name.lstrip("/")).lower()
        return next((n for n in self._zip.namelist() if n.lower() == wanted), None)

    def chunks(self, name: str, tick: Tick | None = None) -> Iterator[bytes]:
        """A member's inflated bytes; `tick` hears bytes done and bytes in all."""
        try:
            info = self._zip.getinfo(name)
            done = 0
            with self._zip.open(info) as stream:
                while chunk := stream.read(_CHUNK):
                    done += len(chunk)
                    if tick:
                        tick(done, info.file_size)
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise WorkbookRejected(RejectKind.DAMAGED, "压缩数据有错") from error
        except (KeyError, RuntimeError, ValueError) as error:
            raise WorkbookRejected(RejectKind.DAMAGED, "缺少必要的部分") from error

    def elements(
        self,
        name: str,
        tags: list[str],
        tick: Tick | None = None,
        through: Callable[[Iterator[bytes]], Iterator[bytes]] | None = None,
    ) -> Iterator[etree._Element]:
        """The ended elements of these tags ({*}local), each to be used before the next is asked.

        `through` may take whole elements out of the part's bytes before they are parsed.
        """
        refuse_doctype(self.chunks(name))
        parser = etree.XMLPullParser(
            events=("end",),
            tag=tags,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        waited = 0
        chunks = self.chunks(name, tick)
        try:
            for chunk in through(chunks) if through else chunks:
                parser.feed(chunk)
                waited += len(chunk)
                for _event, element in parser.read_events():
                    waited = 0
                    yield element
                    _forget(element)
                if waited > _ELEMENT_BYTES:
                    raise WorkbookRejected(RejectKind.SIZE, "一行或一段内容过长")
            parser.close()
        except etree.XMLSyntaxError as error:
            raise WorkbookRejected(RejectKind.DAMAGED, "内部的 XML 有错") from error


def _forget(element: etree._Element) -> None:
    """Frees an element and its older siblings, so that a long sheet takes constant memory."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def refuse_doctype(chunks: Iterator[bytes]) -> None:
    """Reads up to the root element; raises WorkbookRejected at a DOCTYPE or anything unreadable."""
    parser = expat.ParserCreate()

    def doctype(*_: object) -> None:
        raise WorkbookRejected(RejectKind.MARKUP)

    def root(*_: object) -> None:
        raise _RootSeen

    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = doctype
    parser.StartElementHandler = root
    try:
        for read, chunk in enumerate(chunks):
            parser.Parse(chunk)
            if read > 64:
                raise WorkbookRejected(RejectKind.DAMAGED, "内部的 XML 没有内容")
        parser.Parse(b"", True)
    except _RootSeen:
        return
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise WorkbookRejected(RejectKind.DAMAGED, "内部的 XML 有错") from error
