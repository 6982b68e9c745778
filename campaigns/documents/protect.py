"""A password on a document that somebody else made: PDF (ISO 32000-2) and Office's zip formats (MS-OFFCRYPTO)."""

from __future__ import annotations

import io
import re
import zipfile

import msoffcrypto.format.ooxml  # type: ignore[import-untyped]
import pikepdf
import pikepdf.settings

from campaigns.documents.slip import DocumentFault

#: Octets that one stream of a PDF may become where it must be unpacked: half a megabyte may become a gigabyte.
_UNPACKED = 64 * 1024 * 1024
# For the whole process, before anything is opened (pikepdf's manual).
pikepdf.settings.set_qpdf_limits(
    flate_max_memory=_UNPACKED,
    run_length_max_memory=_UNPACKED,
    png_max_memory=_UNPACKED,
    tiff_max_memory=_UNPACKED,
    dct_max_memory=_UNPACKED,
    max_stream_filters=4,
)

_PDF = b"%PDF-"
# LZW has no such limit (ISO 32000-2 7.4.4). Only streams of cross-references and of objects are unpacked, which nobody
# has written with it since they were invented. Any letter of a name may be written as its number (7.3.5).
_LZW = re.compile(rb"/(?:L|#4[cC])(?:Z|#5[aA])(?:W|#57)")
_UNPACKED_KIND = re.compile(
    rb"/(?:(?:X|#58)(?:R|#52)(?:e|#65)(?:f|#66)"
    rb"|(?:O|#4[fF])(?:b|#62)(?:j|#6[aA])(?:S|#53)(?:t|#74)(?:m|#6[dD]))"
)
_ZIP = b"PK\x03\x04"
_OFFICE = (".docx", ".xlsx", ".pptx", ".xlsm", ".docm", ".pptm")
#: Octets of a list of a document's parts; a long one has some tens of kilobytes.
_LARGEST_PART = 1024 * 1024
#: The beginning of a compound file: Office's own encrypted documents, and the formats before 2007.
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def can_protect(name: str, beginning: bytes) -> bool:
    """Whether a password can be put on it; `beginning`: its first KiB."""
    return is_pdf(beginning) or _is_office(name, beginning)


def protected(name: str, document: bytes, password: str) -> bytes:
    """The document, which then opens with this password alone (AES-256); one that has a password keeps
    its own. Raises `DocumentFault` for what cannot be protected or read."""
    if not password:
        raise DocumentFault("password", "没有密码")
    if is_pdf(document[:1024]):
        return _pdf(document, password)
    if not _is_office(name, document[:1024]):
        raise DocumentFault("kind", "这种文件不能加密")
    _refuse_bomb(document)
    target = io.BytesIO()
    try:
        msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(document)).encrypt(password, target)
    except Exception as error:  # the library raises whatever its parsers do
        raise DocumentFault("program", "文件没能加密") from error
    return target.getvalue()


def has_password(document: bytes) -> bool:
    """Whether it cannot be opened as it is."""
    if not is_pdf(document[:1024]):
        return document.startswith(_COMPOUND) and "EncryptedPackage".encode("utf-16le") in document
    if _may_swell(document):
        return False
    try:
        pikepdf.open(io.BytesIO(document)).close()
    except pikepdf.PasswordError:
        return True
    except pikepdf.PdfError:
        return False
    return False


def _pdf(document: bytes, password: str) -> bytes:
    if _may_swell(document):
        raise DocumentFault("program", "文件没能加密")
    target = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(document)) as pdf:
            encryption = pikepdf.Encryption(user=password, owner=password, R=6, metadata=True)
            pdf.save(target, encryption=encryption, static_id=False)
    except pikepdf.PasswordError:
        return document
    except (pikepdf.PdfError, ValueError, RuntimeError) as error:
        raise DocumentFault("program", "文件没能加密") from error
    return target.getvalue()


def _may_swell(document: bytes) -> bool:
    return bool(_LZW.search(document) and _UNPACKED_KIND.search(document))


def _refuse_bomb(document: bytes) -> None:
    """The library unpacks this one part whole; its declared size is where unpacking ends."""
    try:
        with zipfile.ZipFile(io.BytesIO(document)) as archive:
            declared = archive.getinfo("[Content_Types].xml").file_size
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise DocumentFault("program", "文件没能加密") from error
    if declared > _LARGEST_PART:
        raise DocumentFault("program", "文件没能加密")


def is_pdf(beginning: bytes) -> bool:
    """By its first KiB."""
    return _PDF in beginning


def _is_office(name: str, beginning: bytes) -> bool:
    return beginning.startswith(_ZIP) and name.lower().endswith(_OFFICE)
