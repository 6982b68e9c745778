"""Tells what a file really is by its first bytes and its directory, never by its name, and opens it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from campaigns.workbooks import html_tables, text_tables
from campaigns.workbooks.grid import Sheet, Tick
from campaigns.workbooks.ods import OdsSource
from campaigns.workbooks.package import Package
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits
from campaigns.workbooks.xlsx import XlsxSource

_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ODS_TYPE = b"application/vnd.oasis.opendocument.spreadsheet"
NOT_WORKBOOKS = {
    b"%PDF": "PDF 文件", b"\x89PNG": "图片", b"\xff\xd8\xff": "图片", b"GIF8": "图片", b"MZ": "程序",
    b"\x7fELF": "程序", b"Rar!": "压缩包", b"7z\xbc\xaf": "压缩包", b"\x1f\x8b": "压缩包", b"{\\rtf": "RTF 文档",
}  # fmt: skip


class Source(Protocol):
    """A file that holds sheets: (name, hidden) of each in order, and each of them on demand."""

    @property
    def sheets(self) -> list[tuple[str, bool]]: ...

    def load(self, name: str, tick: Tick | None = None) -> Sheet: ...


@contextmanager
def open_source(path: Path, limits: Limits, password: str | None) -> Iterator[Source]:
    """The file's sheets while the file is open.

    Raises WorkbookRejected for what is no workbook, damaged, too big or locked.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise WorkbookRejected(RejectKind.DAMAGED, error.strerror or "打不开") from error
    with file:
        yield _open(file, path.stat().st_size, limits, password)


def open_bytes(data: bytes, limits: Limits) -> Source:
    """`open_source` for a file that is in memory."""
    return _open(io.BytesIO(data), len(data), limits, None)


def _open(file: IO[bytes], size: int, limits: Limits, password: str | None) -> Source:
    head = file.read(4096)
    if size > limits.file_bytes:
        raise WorkbookRejected(RejectKind.SIZE, f"文件有 {size >> 20} MB")
    if not head.strip(b"\x00\r\n\t ,;\xef\xbb\xbf\xff\xfe"):
        raise WorkbookRejected(RejectKind.EMPTY, "文件没有内容")
    if head.startswith(b"PK"):
        return _open_zip(file, limits)
    if head.startswith(_OLE):
        return _open_ole(_whole(file), limits, password)
    for magic, what in NOT_WORKBOOKS.items():
        if head.startswith(magic):
            raise WorkbookRejected(RejectKind.NOT_A_WORKBOOK, what)
    if head[:1] == b"\x09" and head[1:2] in (b"\x00", b"\x02", b"\x04", b"\x08"):
        return _open_xls(_whole(file), limits, password)
    return _open_text(_whole(file), limits)


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _open_zip(file: IO[bytes], limits: Limits) -> Source:
    package = Package(file, limits)
    names = {name.lower() for name in package.names()}
    if "mimetype" in names and b"".join(package.chunks("mimetype")).startswith(_ODS_TYPE):
        return OdsSource(package, limits)
    if "xl/workbook.bin" in names:
        raise WorkbookRejected(RejectKind.UNSUPPORTED, "xlsb")
    if "[content_types].xml" in names and not any(n.startswith(("word/", "ppt/")) for n in names):
        return XlsxSource(package, limits)
    raise WorkbookRejected(RejectKind.NOT_A_WORKBOOK, "是别的压缩包或文档")


def _open_ole(content: bytes, limits: Limits, password: str | None) -> Source:
    if "EncryptedPackage".encode("utf-16-le") in content:
        return _open_zip(_decrypt(content, password), limits)
    if any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        return _open_xls(content, limits, password)
    raise WorkbookRejected(RejectKind.NOT_A_WORKBOOK, "是别的 Office 文档")


#: What Excel itself tries first, for workbooks that are protected against writing alone.
_EXCELS_OWN = "VelvetSweatshop"


def _decrypt(content: bytes, password: str | None) -> IO[bytes]:
    """The workbook inside, in memory alone; PASSWORD where Excel would ask for one."""
    try:
        return io.BytesIO(decrypted(content, _EXCELS_OWN if password is None else password))
    except WorkbookRejected as error:
        if password is None and error.kind is RejectKind.WRONG_PASSWORD:
            raise WorkbookRejected(RejectKind.PASSWORD) from error
        raise


class _InMemory:
    """What msoffcrypto asks of `tempfile`."""

    TemporaryFile = io.BytesIO


def decrypted(content: bytes, password: str) -> bytes:
    """The workbook without its protection (MS-OFFCRYPTO); raises WRONG_PASSWORD or DAMAGED."""
    import msoffcrypto  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from msoffcrypto.format import xls97  # type: ignore[import-not-found,import-untyped,unused-ignore]

    # It would put the clear .xls into the system's temporary folder.
    xls97.tempfile = _InMemory
    plain = io.BytesIO()
    try:
        office = msoffcrypto.OfficeFile(io.BytesIO(content))
        # An .xls is always verified, and its reader knows no such argument.
        is_ooxml = b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k" in content
        office.load_key(password=password, **({"verify_password": True} if is_ooxml else {}))
        office.decrypt(plain)
    except msoffcrypto.exceptions.InvalidKeyError as error:
        raise WorkbookRejected(RejectKind.WRONG_PASSWORD) from error
    except Exception as error:
        raise WorkbookRejected(RejectKind.DAMAGED, "加密的内容不完整") from error
    return plain.getvalue()


def _open_xls(content: bytes, limits: Limits, password: str | None) -> Source:
    from campaigns.workbooks.xls import XlsSource

    try:
        return XlsSource(content, limits)
    except WorkbookRejected as error:
        if error.kind is not RejectKind.PASSWORD:
            raise
    return XlsSource(_decrypt(content, password).read(), limits)


def _open_text(content: bytes, limits: Limits) -> Source:
    text = text_tables.decode(content)
    start = text.lstrip()[:4000].lower()
    if start.startswith("<"):
        if "urn:schemas-microsoft-com:office:spreadsheet" in start and "<html" not in start:
            raise WorkbookRejected(RejectKind.UNSUPPORTED, "XML 电子表格 2003")
        if "<html" in start or "<table" in start or "<body" in start:
            return html_tables.HtmlSource(text, limits)
        raise WorkbookRejected(RejectKind.NOT_A_WORKBOOK, "是 XML 文件")
    if start.startswith("mime-version:") or "content-type: multipart/" in start:
        raise WorkbookRejected(RejectKind.UNSUPPORTED, "网页归档（mht）")
    return text_tables.CsvSource(text, limits)
